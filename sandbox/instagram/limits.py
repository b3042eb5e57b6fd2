"""Rates, and the usage headers that every answer carries (contract §11)."""

import json
import math
from collections import defaultdict, deque

from sandbox.instagram.errors import fail
from sandbox.instagram.settings import DAY, InstagramSandboxSettings
from sandbox.instagram.shop import Account
from sandbox.timing import Clock

_UNLIMITED = 4800 * 1000  # 4800 x impressions, for a thousand of them


class Limits:
    """Sliding windows per account; throttles are 400 (§15), sends 613/2534040, reads 613, the rest 80002."""

    def __init__(self, settings: InstagramSandboxSettings, now: Clock) -> None:
        self._settings = settings
        self._now = now
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def read(self, account: Account) -> None:
        if not self._fits(account, "read", self._settings.reads_per_second, 1):
            fail(613, "Calls to this api have exceeded the rate limit.")

    def send(self, account: Account, *, heavy: bool) -> None:
        """Audio and video have a limit of their own; pictures and files count as the light ones (silent)."""
        most = self._settings.heavy_sends_per_second if heavy else self._settings.sends_per_second
        if not self._fits(account, "heavy" if heavy else "light", most, 1):
            fail(613, "Calls to this api have exceeded the rate limit.", 2534040)

    def private_reply(self, account: Account, *, live: bool) -> None:
        most = self._settings.live_replies_per_second if live else self._settings.replies_per_hour
        if not self._fits(account, f"reply-{live}", most, 1 if live else 3600):
            fail(613, "Calls to this api have exceeded the rate limit.", 2534040)

    def other(self, account: Account) -> None:
        """4800 x impressions in 24 h: checked only when a call limit is set."""
        if not self._fits(account, "other", self._settings.call_limit or _UNLIMITED, DAY):
            fail(80002, "There have been too many calls to this Instagram account.")

    def headers(self, account: Account | None) -> dict[str, str]:
        """Percents, and minutes until the calls are allowed again; times are made up."""
        calls = self._calls[account.user_id, "other"] if account else deque[float]()
        share = math.ceil(100 * len(calls) / (self._settings.call_limit or _UNLIMITED))
        usage = {"call_count": share, "total_cputime": 1, "total_time": 1}
        shown = {"x-app-usage": json.dumps(usage)}
        if account:
            wait = math.ceil((calls[0] + DAY - self._now()) / 60) if calls and share >= 100 else 0
            business = {"type": "instagram", **usage, "estimated_time_to_regain_access": wait}
            shown["x-business-use-case-usage"] = json.dumps({account.user_id: [business]})
        return shown

    def forget(self) -> None:
        self._calls.clear()

    def _fits(self, account: Account, kind: str, most: int, seconds: float) -> bool:
        calls, now = self._calls[account.user_id, kind], self._now()
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        if len(calls) >= most:
            return False
        calls.append(now)
        return True
