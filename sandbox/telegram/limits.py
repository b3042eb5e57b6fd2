"""How many messages may leave (contract §8): per chat, per group, for the whole bot."""

from dataclasses import dataclass

from sandbox.telegram.errors import flood
from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.timing import Clock

PAID_PER_SECOND = 1000


@dataclass(slots=True)
class Bucket:
    """Fills with `rate` a second up to `burst`; may go into debt, which the next ones wait for."""

    rate: float
    burst: float
    level: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until one more may pass."""
        self.level = min(self.burst, self.level + max(now - self.at, 0.0) * self.rate)
        self.at = now
        return 0.0 if self.level >= 1 - 1e-9 else (1 - self.level) / self.rate


class Limits:
    """An album counts as its messages, and passes when one message would: real limits are flexible (§8)."""

    def __init__(self, settings: TelegramSandboxSettings, now: Clock) -> None:
        self._settings = settings
        self._now = now
        self._buckets: dict[str, Bucket] = {}

    def spend(self, chat: str, count: int, *, group: bool, paid: bool) -> None:
        """Count these messages, or refuse with the seconds to wait."""
        per_second = PAID_PER_SECOND if paid else self._settings.all_per_second
        buckets = [
            self._bucket(f"chat {chat}", self._settings.chat_per_second, self._settings.chat_burst),
            self._bucket(f"all {per_second}", per_second, per_second),
        ]
        if group:
            per_minute = self._settings.group_per_minute
            buckets.append(self._bucket(f"group {chat}", per_minute / 60, per_minute))
        wait = max(bucket.wait(self._now()) for bucket in buckets)
        if wait:
            flood(wait)
        for bucket in buckets:
            bucket.level -= count

    def forget(self) -> None:
        self._buckets.clear()

    def _bucket(self, name: str, rate: float, burst: float) -> Bucket:
        return self._buckets.setdefault(name, Bucket(rate, burst, burst, self._now()))
