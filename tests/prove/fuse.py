"""A fuse in every line of a process: at the n-th await it kills it, loses an answer, or stalls it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")

When = Literal["before", "after"]
What = Literal["kill", "lose", "stall"]
Meanwhile = Callable[[], Awaitable[None]]


class Killed(BaseException):
    """The process ends here: nothing that follows in it is done."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What happens at the await number `at` (from 0): before the command reaches its server, or after."""

    at: int
    when: When
    what: What


@dataclass
class CutLog:
    """Which awaits were passed, and which were cut: names of scripts, queries and calls.

    `trail`, when it is a list, gets every pass of an armed fuse, in order.
    """

    passed: Counter[str] = field(default_factory=Counter)
    trail: "list[tuple[Fuse, str]] | None" = None
    cut: Counter[tuple[str, When, What]] = field(default_factory=Counter)

    def points_cut(self, what: What) -> set[str]:
        """What was cut in that way, both before and after the server got it."""
        before, after = (
            {name for name, when, done in self.cut if (when, done) == (time, what)}
            for time in ("before", "after")
        )
        return before & after


class Fuse:
    """Of one process. A blown fuse lets nothing through: what a dead process would still do is not done."""

    def __init__(self, log: CutLog) -> None:
        self._log = log
        self._cut: Cut | None = None
        self._left = 0
        self._meanwhile: Meanwhile | None = None
        self.dead = asyncio.Event()

    def arm(self, cut: Cut | None, meanwhile: Meanwhile | None = None) -> None:
        """Wait for the await of `cut`; `meanwhile` is what others do while this process is stalled."""
        self._cut, self._meanwhile = cut, meanwhile
        self._left = cut.at if cut else 0

    @property
    def blown(self) -> bool:
        """Whether its process is dead."""
        return self.dead.is_set()

    @property
    def armed(self) -> bool:
        """Whether it has still to act."""
        return self._cut is not None

    async def around(
        self, name: str, call: Callable[[], Awaitable[T]], *, lost: Exception, may_stall: bool = True
    ) -> T:
        """Let the call through, or cut it; `lost` is what the caller hears of a broken connection."""
        if self.blown:
            raise Killed
        self._log.passed[name] += 1
        if self._log.trail is not None and self.armed:
            self._log.trail.append((self, name))
        cut = self._due(may_stall)
        if cut is not None and cut.when == "before":
            await self._act(cut, name, lost)
        answer = await call()
        if cut is not None and cut.when == "after":
            await self._act(cut, name, lost)
        return answer

    def _due(self, may_stall: bool) -> Cut | None:
        cut = self._cut
        if cut is None or (cut.what == "stall" and not may_stall):
            return None
        self._left -= 1
        if self._left >= 0:
            return None
        self._cut = None
        return cut

    async def _act(self, cut: Cut, name: str, lost: Exception) -> None:
        self._log.cut[name, cut.when, cut.what] += 1
        if cut.what == "kill":
            self.dead.set()
            raise Killed
        if cut.what == "lose":
            raise lost
        if self._meanwhile is not None:
            await self._meanwhile()
