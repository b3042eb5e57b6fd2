"""A fair limit on how often an account talks to its vendor."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import inf

#: Things counted apart that are remembered; the longest unused is forgotten first.
MOST_BUCKETS = 10_000


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

    def wait(self) -> float:
        """Seconds until somebody who asked now would have their turn; nothing is taken."""
        now = self._clock()
        return max(0.0, max(self._next, now) - self._head_start - now)

    def hold(self, seconds: float) -> None:
        """The vendor says when to come back: no turn comes before."""
        self._next = max(self._next, self._clock() + self._head_start + seconds)

    def spend_burst(self) -> None:
        """The vendor says that nothing is left: the next turn comes after one interval."""
        self._next = max(self._next, self._clock() + self._head_start + self._interval)


class BucketShelf:
    """A bucket per thing that is counted apart: kinds with their (rate, burst), things by kind and name."""

    def __init__(self, kinds: Mapping[str, tuple[float, int]], clock: Callable[[], float]) -> None:
        self._kinds = kinds
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()

    def buckets(self, counted: Mapping[str, str]) -> list[TokenBucket]:
        """The buckets of the named things; a kind that nobody limits has none."""
        return [self._bucket(kind, name) for kind, name in counted.items() if kind in self._kinds]

    def _bucket(self, kind: str, name: str) -> TokenBucket:
        bucket = self._buckets.pop((kind, name), None) or TokenBucket(*self._kinds[kind], self._clock)
        self._buckets[kind, name] = bucket
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket
