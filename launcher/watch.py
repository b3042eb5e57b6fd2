"""Starting again what died, later each time; giving up on what keeps dying."""

import time
from collections.abc import Callable
from typing import Protocol

from launcher.child import Child
from launcher.errors import ServiceFailed

_QUICK = 10.0  # seconds; who lived longer starts with a clean slate
_MOST_QUICK_DEATHS = 5
_FIRST_DELAY = 0.5


class Startable(Protocol):
    @property
    def child(self) -> Child: ...

    def start(self) -> None: ...


class Watch:
    """One running program under observation."""

    def __init__(self, program: Startable, clock: Callable[[], float] = time.monotonic) -> None:
        self._program = program
        self._clock = clock
        self._started = clock()
        self._quick_deaths = 0
        self._again_at: float | None = None

    def look(self) -> str | None:
        """A line for people when something happened."""
        if self._program.child.alive:
            return None
        if self._again_at is None:
            return self._plan_restart()
        if self._clock() < self._again_at:
            return None
        self._again_at = None
        self._started = self._clock()
        self._program.start()
        return f"{self._program.child.name} is started again"

    def _plan_restart(self) -> str:
        child = self._program.child
        lived = self._clock() - self._started
        self._quick_deaths = self._quick_deaths + 1 if lived < _QUICK else 1
        if self._quick_deaths > _MOST_QUICK_DEATHS:
            raise ServiceFailed(
                f"{child.name} died {self._quick_deaths} times; from {child.log}:\n{child.last_words()}"
            )
        delay = _FIRST_DELAY * 2 ** (self._quick_deaths - 1)
        self._again_at = self._clock() + delay
        return f"{child.name} ended ({child.ending}); starting it again in {delay:g} s"
