"""A fair limit on how often an account talks to its vendor."""

from collections.abc import Callable
from math import inf


class TokenBucket:
    """`rate` requests per second, `burst` at once; turns are given in the order of asking.

    Each caller reserves its turn and sleeps until then, so the order is the queue and nothing wakes early.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._interval = 1 / rate
        self._head_start = (burst - 1) * self._interval
        self._clock = clock
        self._next = -inf

    def reserve(self, longest: float = inf) -> float:
        """Seconds until the caller's turn. A wait over `longest` is told but no turn is taken."""
        now = self._clock()
        turn = max(self._next, now)
        wait = max(0.0, turn - self._head_start - now)
        if wait <= longest:
            self._next = turn + self._interval
        return wait

    def spend_burst(self) -> None:
        """The vendor says that nothing is left: the next turn comes after one interval."""
        self._next = max(self._next, self._clock() + self._head_start + self._interval)
