"""Medians, percentiles and rounds: what makes figures of a noisy machine comparable."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


async def interleaved(
    rounds: int, ways: Mapping[str, Callable[[], Awaitable[float]]]
) -> dict[str, list[float]]:
    """Each way once a round, the rounds one after the other: what disturbs one disturbs all."""
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            measured[name].append(await way())
    return measured
