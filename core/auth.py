"""Who may call: the keys of /api and /mcp, and the constant-time comparisons that webhooks need."""

import hashlib
import hmac
import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from core.problems import problem

SHORTEST_KEY = 16
_CALLER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

current_caller: "ContextVar[Caller | None]" = ContextVar("current_caller", default=None)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key belongs to."""

    name: str


class KeyRing:
    """The callers and the digests of their keys; the keys themselves are not kept."""

    def __init__(self, digests: dict[str, bytes]) -> None:
        self._digests = [(Caller(name), digest) for name, digest in digests.items()]

    @classmethod
    def parse(cls, text: SecretStr) -> Self:
        """Read `operator=KEY,agent=KEY`; ValueError names the caller that is wrong, never the key."""
        digests: dict[str, bytes] = {}
        for number, entry in enumerate(_entries(text.get_secret_value()), 1):
            name, found, key = (part.strip() for part in entry.partition("="))
            if not found or not _CALLER_NAME.fullmatch(name):
                raise ValueError(f"API keys: entry {number} is not of the form caller=key")
            _check(name, key, digests)
            digests[name] = _digest(key)
        return cls(digests)

    def caller(self, key: str) -> Caller | None:
        """Whose key this is; takes as long for a wrong key as for a right one."""
        given, found = _digest(key), None
        for caller, digest in self._digests:
            if hmac.compare_digest(digest, given):
                found = caller
        return found


def _entries(text: str) -> list[str]:
    entries = [entry for entry in text.split(",") if entry.strip()]
    if not entries:
        raise ValueError("API keys: there is none; write caller=key,caller=key")
    return entries


def _check(name: str, key: str, known: dict[str, bytes]) -> None:
    if name in known:
        raise ValueError(f"API keys: {name} occurs twice")
    if not key:
        raise ValueError(f"API keys: the key of {name} is empty")
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"API keys: the key of {name} is shorter than {SHORTEST_KEY} characters")
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"API keys: the key of {name} holds characters that a header cannot carry")
    if _digest(key) in known.values():
        raise ValueError(f"API keys: the key of {name} is also the key of another caller")


class RequireKey:
    """ASGI: serves only callers with a key; puts the Caller into `scope["state"]` and `current_caller`."""

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = self._keys.caller(key_of(Headers(scope=scope)))
        if caller is None:
            await problem(401, "unauthorized", "No valid key.")(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "caller": caller}
        token = current_caller.set(caller)
        try:
            await self._app(scope, receive, send)
        finally:
            current_caller.reset(token)


class ApiKeyAsBearer:
    """ASGI: lets `X-API-Key` serve as the bearer token that the MCP SDK asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if "x-api-key" in headers and "authorization" not in headers:
                bearer = b"Bearer " + headers["x-api-key"].encode("latin-1")
                scope = {**scope, "headers": [*scope["headers"], (b"authorization", bearer)]}
        await self._app(scope, receive, send)


class KeyVerifier:
    """The MCP SDK's TokenVerifier over the same keys."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def verify_token(self, token: str) -> AccessToken | None:
        """The caller of a key as the SDK's token; None for an unknown key."""
        caller = self._keys.caller(token)
        if caller is None:
            return None
        return AccessToken(token=token, client_id=caller.name, subject=caller.name, scopes=[])


def key_of(headers: Headers) -> str:
    """The key that a request shows, "" when there is none."""
    if key := headers.get("x-api-key"):
        return key.strip()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def same_secret(known: str, given: str) -> bool:
    """Whether both are the same, in constant time; an empty secret is never right."""
    return bool(known) and hmac.compare_digest(_digest(known), _digest(given))


def hmac_ok(secret: str, body: bytes, given: str, *, prefix: str = "", algorithm: str = "sha256") -> bool:
    """Whether `given` is `prefix` and the hex HMAC of `body`, in constant time; False without a secret."""
    if not secret or not given.startswith(prefix):
        return False
    expected = hmac.new(secret.encode(), body, algorithm).hexdigest()
    return same_secret(expected, given.removeprefix(prefix).lower())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
