"""Time that passes only when somebody sleeps."""

from core.http import Timing


class FakeTime:
    """A clock in Unix seconds; sleeping moves it and is remembered."""

    def __init__(self, now: float = 1_763_800_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def timing(self) -> Timing:
        """No jitter: every wait is the shortest that the policy allows."""
        return Timing(clock=self.clock, wall=self.clock, sleep=self.sleep, jitter=lambda: 0.0)
