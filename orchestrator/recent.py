"""Answers remembered for a while in this process: asked again by many, and not worth a key in Redis."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from core.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST = 10_000


class Recent(Generic[K, V]):
    """The latest answers, each for `seconds`; the oldest go when there are too many."""

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._clock = clock
        self._lives_ms = round(seconds * 1000)
        self._kept: dict[K, tuple[int, V]] = {}

    def get(self, key: K) -> V | None:
        """The answer, unless it is too old or there is none."""
        kept = self._kept.get(key)
        return kept[1] if kept and self._clock.now_ms() < kept[0] else None

    def stale(self, key: K) -> V | None:
        """The last answer, however old."""
        kept = self._kept.get(key)
        return kept[1] if kept else None

    def keep(self, key: K, value: V) -> None:
        """Remember it from now on."""
        self._kept.pop(key, None)
        self._kept[key] = (self._clock.now_ms() + self._lives_ms, value)
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def drop(self, key: K) -> None:
        """Forget it."""
        self._kept.pop(key, None)
