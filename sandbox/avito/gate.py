"""What every call passes before its endpoint: faults, token, plan, account (contract §2.3, §7, §8)."""

import math
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.answers import RefusedError
from sandbox.avito.errors import fail
from sandbox.avito.faults import AvitoFaults
from sandbox.avito.tokens import Tokens
from sandbox.faults import Switchboard
from sandbox.timing import Timing

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class Gate:
    """Wraps endpoints; an endpoint behind it sees only calls that have the right to be there."""

    def __init__(
        self, *, account: int, tokens: Tokens, switches: Switchboard[AvitoFaults], timing: Timing
    ) -> None:
        self._account = account
        self._tokens = tokens
        self._switches = switches
        self._timing = timing
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def guard(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            await self._misbehave(request)
            self._tokens.check(request.headers.get("authorization", ""))
            self._check_plan(request)
            self._check_account(request)
            return await endpoint(request)

        return guarded

    def open(self, endpoint: Endpoint) -> Endpoint:
        """For the token request: faults only."""

        async def opened(request: Request) -> Response:
            await self._misbehave(request)
            return await endpoint(request)

        return opened

    def limited(self, name: str, per_minute: int, endpoint: Endpoint) -> Endpoint:
        """Guard, and allow `per_minute` calls (the documented numbers of the ads section)."""

        async def counted(request: Request) -> Response:
            calls, now = self._calls[name], self._timing.now()
            while calls and calls[0] <= now - 60:
                calls.popleft()
            if len(calls) >= per_minute:
                fail(429, "too many requests", headers={"Retry-After": str(math.ceil(calls[0] + 60 - now))})
            calls.append(now)
            return await endpoint(request)

        return self.guard(counted)

    async def _misbehave(self, request: Request) -> None:
        faults, path = self._switches.now, request.url.path
        if faults.slow:
            await self._timing.sleep(faults.slow)
        if faults.rate_limit and faults.rate_limit.spend(path):
            pause = faults.rate_limit.retry_after
            headers = {} if pause is None else {"Retry-After": f"{pause:g}"}
            raise RefusedError(JSONResponse({}, 429, headers=headers))
        if faults.error and faults.error.spend(path):
            fail(faults.error.status, "made up by the fault switch")

    def _check_plan(self, request: Request) -> None:
        if self._switches.now.plan and "/messenger/" in request.url.path:
            fail(402, "Для работы с Messenger API необходима подписка на тариф «Максимальный»")

    def _check_account(self, request: Request) -> None:
        if request.path_params.get("user_id", str(self._account)) != str(self._account):
            fail(403, "access to this account is forbidden")
