"""What every call passes before its endpoint: faults, verb, token, profile, payment, session (§1, §7)."""

import hmac
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.answers import RefusedError
from sandbox.faults import Switchboard
from sandbox.timing import Timing
from sandbox.whatsapp.account import Account
from sandbox.whatsapp.errors import fail, fail_bare, fail_in_html
from sandbox.whatsapp.faults import Refusal, WhatsAppFaults
from sandbox.whatsapp.profile import Profile

Endpoint: TypeAlias = Callable[[Profile, Request], Awaitable[Response]]
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Needs(IntEnum):
    """How much of a profile a call needs; §7 does not say which calls answer 402, so those that work do."""

    PROFILE = 1
    PAID = 2
    SESSION = 3


class Gate:
    """Makes routes; an endpoint behind it sees only calls that have the right to be there."""

    def __init__(
        self, *, account: Account, token: str, switches: Switchboard[WhatsAppFaults], timing: Timing
    ) -> None:
        self._account = account
        self._token = token.encode()
        self._switches = switches
        self._timing = timing

    def get(self, path: str, endpoint: Endpoint, needs: Needs = Needs.SESSION) -> Route:
        return self._route("GET", path, endpoint, needs)

    def post(self, path: str, endpoint: Endpoint, needs: Needs = Needs.SESSION) -> Route:
        return self._route("POST", path, endpoint, needs)

    def account_wide(self, verb: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        """For the two calls that need no profile."""

        async def guarded(request: Request) -> Response:
            await self._enter(verb, request)
            return await endpoint(request)

        return Route(path, guarded, methods=VERBS)

    def _route(self, verb: str, path: str, endpoint: Endpoint, needs: Needs) -> Route:
        async def guarded(request: Request) -> Response:
            await self._enter(verb, request)
            profile = self._profile_of(request)
            await self._check_state(profile, needs)
            return await endpoint(profile, request)

        return Route(path, guarded, methods=VERBS)

    async def _enter(self, verb: str, request: Request) -> None:
        await self._misbehave(request)
        self._check_verb(verb, request)
        given = request.headers.get("authorization", "").encode()
        if self._switches.now.bad_token or not hmac.compare_digest(given, self._token):
            fail("invalid token", 401)

    async def _misbehave(self, request: Request) -> None:
        faults, path = self._switches.now, request.url.path
        if faults.slow:
            await self._timing.sleep(faults.slow)
        if faults.hang and faults.hang.spend(path):
            await self.hang(faults.hang.seconds)
        if faults.rate_limit and faults.rate_limit.spend(path):
            pause = faults.rate_limit.retry_after
            headers = {} if pause is None else {"Retry-After": f"{pause:g}"}
            body = {"status": "error", "detail": "too many requests"}
            raise RefusedError(JSONResponse(body, 429, headers=headers))
        if faults.error and faults.error.spend(path):
            _broken(faults.error.status)
        if faults.refuse and faults.refuse.spend(path):
            _refused(faults.refuse)

    async def hang(self, seconds: float = 300) -> None:
        """Give no answer for a long time; whoever still waits gets the proxy's page."""
        await self._timing.sleep(seconds)
        fail_in_html(504, "Gateway Time-out")

    def _check_verb(self, verb: str, request: Request) -> None:
        """405 for another verb; its body is unknown, so it is the usual one."""
        spared = self._switches.now.lenient and request.url.path.endswith("/chats/get")
        if request.method != verb and not spared:
            fail("method not allowed", 405)

    def _profile_of(self, request: Request) -> Profile:
        profile = self._account.profiles.get(request.query_params.get("profile_id", ""))
        if profile is None:
            fail("profile not found", self._switches.now.unknown_profile)
        return profile

    async def _check_state(self, profile: Profile, needs: Needs) -> None:
        if needs >= Needs.PAID and not profile.paid:
            fail("profile is not paid", 402)
        if needs >= Needs.SESSION and not profile.live:
            if self._switches.now.logged_out_hangs:
                await self.hang()
            fail("profile is not authorized")


def _broken(status: int) -> None:
    if status >= 500:
        fail_in_html(status, "made up by the fault switch")
    fail("made up by the fault switch", status)


def _refused(refusal: Refusal) -> None:
    if refusal.shape == "detail":
        fail(refusal.detail)
    fail_bare(400 if refusal.shape == "bare" else 200)
