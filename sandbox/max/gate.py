"""What every call passes before its endpoint: faults, token, rates (contract §1)."""

import hmac
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from sandbox.faults import Switchboard
from sandbox.max.errors import decline, fail, succeed
from sandbox.max.faults import MaxFaults
from sandbox.max.settings import MaxSandboxSettings
from sandbox.timing import Timing

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Act: TypeAlias = Callable[[Request], Awaitable[None]]


class Gate:
    """Wraps endpoints; an endpoint behind it sees only calls that have the right to be there."""

    def __init__(
        self, settings: MaxSandboxSettings, switches: Switchboard[MaxFaults], timing: Timing
    ) -> None:
        self._settings = settings
        self._switches = switches
        self._timing = timing
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def guard(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            await self._misbehave(request)
            self._check_token(request)
            self.count("all", self._settings.calls_per_second)
            return await endpoint(request)

        return guarded

    def yes_or_no(self, act: Act) -> Endpoint:
        """Guard, and answer `{"success": true}`; `soft_failure` says no before anything is done."""

        async def answered(request: Request) -> Response:
            fault = self._switches.now.soft_failure
            if fault and fault.spend(request.url.path):
                decline("made up by the fault switch")
            await act(request)
            return succeed()

        return self.guard(answered)

    def open(self, endpoint: Endpoint) -> Endpoint:
        """For upload addresses, which need no token: faults only."""

        async def opened(request: Request) -> Response:
            await self._misbehave(request)
            return await endpoint(request)

        return opened

    def count(self, name: str, per_second: int) -> None:
        """429 when there were already so many within the last second."""
        calls, now = self._calls[name], self._timing.now()
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= per_second:
            self._too_many(self._settings.retry_after)
        calls.append(now)

    def count_message(self, chat_id: int) -> None:
        """At most 2 messages per second into one chat (§0)."""
        self.count(f"chat {chat_id}", self._settings.messages_per_second)

    def _too_many(self, pause: float | None) -> None:
        fail(429, "Too many requests", headers=None if pause is None else {"Retry-After": f"{pause:g}"})

    async def _misbehave(self, request: Request) -> None:
        faults, path = self._switches.now, request.url.path
        if faults.slow:
            await self._timing.sleep(faults.slow)
        if faults.rate_limit and faults.rate_limit.spend(path):
            self._too_many(faults.rate_limit.retry_after)
        if faults.error and faults.error.spend(path):
            fail(faults.error.status, faults.error.message, faults.error.code)

    def _check_token(self, request: Request) -> None:
        """The bare token, no `Bearer`, nothing in the query."""
        given = request.headers.get("authorization", "").encode()
        token = self._settings.token.get_secret_value().encode()
        faults = self._switches.now
        if faults.expired_token or not hmac.compare_digest(given, token):
            fail(faults.auth_status, "Invalid access_token", "verify.token")
