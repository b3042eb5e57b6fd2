"""The bench tells the truth about its figures, whatever they are."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.finding import Finding, at_least, at_most
from bench.report import table, write
from bench.samples import interleaved, percentile

FAST = Finding("ingest", "webhooks", "a second", 900, 1000, "the floor", judged=0.9, goal=at_least(0.85))
SLOW = Finding("debounce", "lag <p99>", "ms", 20, 4000, "polling", judged=20, goal=at_most(10))
PLAIN = Finding("memory", "all", "MiB", 800)


def test_a_missed_goal_is_told_as_missed() -> None:
    """A figure is judged by its goal, whichever side is the good one."""
    assert [FAST.verdict, SLOW.verdict, PLAIN.verdict] == ["met", "missed", ""]
    assert [FAST.ratio, PLAIN.ratio] == [0.9, None]


def test_the_table_names_both_sides_of_each_comparison() -> None:
    """A ratio without what it is a ratio of says nothing."""
    text = table([FAST, SLOW, PLAIN])
    assert "| webhooks | 900 a second | 1,000 a second (the floor) | 0.90 | >= 0.85 | met |" in text
    assert "| all | 800 MiB |  |  |  |  |" in text


def test_the_results_are_kept_as_table_json_and_plot(tmp_path: Path) -> None:
    """The plot is well-formed and has a bar for each figure with a goal."""
    write([FAST, SLOW, PLAIN], tmp_path)
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert [one["verdict"] for one in kept["findings"]] == ["met", "missed", ""]
    plot = ElementTree.fromstring((tmp_path / "bench.svg").read_text())  # noqa: S314  # our own file
    words = [element.text for element in plot.iter("{http://www.w3.org/2000/svg}text")]
    assert "debounce: lag <p99>" in words
    assert "memory: all" not in words


@pytest.mark.parametrize(("share", "value"), [(0.5, 51), (0.99, 100), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    """Nearest rank: no value is made up."""
    assert percentile(list(range(1, 101)), share) == value


async def test_rounds_are_interleaved() -> None:
    """What disturbs the machine for a while disturbs all that is compared."""
    calls: list[str] = []

    async def way(name: str) -> float:
        calls.append(name)
        return len(calls)

    measured = await interleaved(2, {"a": lambda: way("a"), "b": lambda: way("b")})

    assert calls == ["a", "b", "a", "b"]
    assert measured == {"a": [1, 3], "b": [2, 4]}
