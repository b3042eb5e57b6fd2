"""`/token` (contract §2.1) and what becomes of a token that is missing, wrong or expired (§2.3)."""

import secrets
from dataclasses import dataclass
from typing import NoReturn

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.answers import RefusedError
from sandbox.avito.errors import fail
from sandbox.avito.faults import AvitoFaults, ExpiredToken
from sandbox.faults import Switchboard
from sandbox.timing import Clock


@dataclass(frozen=True, slots=True)
class Keys:
    """The account's key pair and how long its tokens live."""

    client_id: str
    client_secret: str
    ttl: int


class Tokens:
    """Issues and judges tokens of the one account."""

    def __init__(self, keys: Keys, now: Clock, switches: Switchboard[AvitoFaults]) -> None:
        self._keys = keys
        self._now = now
        self._switches = switches
        self._expires: dict[str, float] = {}

    def expire_all(self) -> None:
        self._expires = dict.fromkeys(self._expires, 0.0)

    def forget(self) -> None:
        self._expires.clear()

    async def issue(self, request: Request) -> Response:
        """`{access_token, expires_in, token_type}` for a form with the right keys."""
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return self._refusal("invalid_request", "the request must be form-encoded", 400)
        async with request.form() as form:
            return self._answer(form)

    def _answer(self, form: FormData) -> Response:
        if form.get("grant_type") != "client_credentials":
            return self._refusal("unsupported_grant_type", "use client_credentials", 400)
        if (form.get("client_id"), form.get("client_secret")) != (
            self._keys.client_id,
            self._keys.client_secret,
        ):
            return self._refusal("invalid_client", "unknown client or wrong secret", 401)
        token = f"sbx-{secrets.token_hex(16)}"
        self._expires[token] = self._now() + self._keys.ttl
        return JSONResponse({"access_token": token, "expires_in": self._keys.ttl, "token_type": "Bearer"})

    def _refusal(self, code: str, words: str, status: int) -> Response:
        shown = 200 if self._switches.now.token_error_as_200 else status
        return JSONResponse({"error": code, "error_description": words}, shown)

    def check(self, header: str) -> None:
        """Pass, or refuse the way the switches say."""
        scheme, _, token = header.partition(" ")
        expires = self._expires.get(token.strip())
        if scheme.lower() != "bearer" or expires is None:
            fail(401, "invalid access token")
        fault = self._switches.now.expired_token
        if self._now() >= expires or (fault and fault.sticky):
            _expired(fault or ExpiredToken(mode="403"))


def _expired(fault: ExpiredToken) -> NoReturn:
    if fault.mode == "result":
        body = {"result": {"message": "access token expired", "status": False}}
        raise RefusedError(JSONResponse(body, fault.status))
    fail(int(fault.mode), "access token expired")
