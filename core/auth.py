"""Who may call and in whose name: the keys of /api and /mcp, and the constant-time comparisons of webhooks.

A key has a role. `operator`: a person, who may also write where the AI is paused. `agent`: everybody else.
`service`: a service of ours, which says in the header X-Sender for whom it calls. A key also has a mode,
which bounds what it may do to the world, and scopes, the work it may do: core/permission.py.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self, cast, get_args

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr
from starlette import types as asgi
from starlette.datastructures import Headers
from starlette.responses import Response

from core.errors import Forbidden, IssuerAway, NotPermitted
from core.messages import Speaker
from core.problems import from_channel_error, problem

SHORTEST_KEY = 16
SENDER_HEADER = "X-Sender"
Role = Literal["operator", "agent", "service"]
#: read_only: changes nothing. guarded: what cannot be taken back is confirmed first. full: nobody asks.
Mode = Literal["read_only", "guarded", "full"]
#: read: look. answer: take turns and answer them, hand off, work on appeals. send: write to customers
#: unasked, to one or many. manage: webhooks, dead letters, merging and erasing clients, deleting.
Scope = Literal["read", "answer", "send", "manage"]
ALL_SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
#: Of the subject of an access token.
LONGEST_SUBJECT = 255
#: Of a caller; the longest is such a subject after `oauth:`.
LONGEST_NAME = len("oauth:") + LONGEST_SUBJECT
_CALLER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
#: What an entry without a role is; all others are agents.
_USUAL_ROLES: dict[str, Role] = {"operator": "operator", "orchestrator": "service"}
#: What an entry without a mode is: safe for a program that thinks for itself, free for a person.
_USUAL_MODES: dict[Role, Mode] = {"operator": "full", "agent": "guarded", "service": "full"}

current_caller: "ContextVar[Caller | None]" = ContextVar("current_caller", default=None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The one conversation that a token is for: an appeal, its client, its chats (channel, account, id)."""

    token_id: str
    appeal_id: str
    client_id: str
    chats: frozenset[tuple[str, str, str]]
    made_ms: int
    ends_ms: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key or a token belongs to, what its owner is, and what it may do.

    `issuer`: of an access token. `bounds`: what a token of one appeal is for. `ends_ms`: when the token of
    either kind ends (Unix ms); None: a key does not. `by_service`: a service of ours says that it calls for
    this one.
    """

    name: str
    role: Role = "agent"
    mode: Mode = "guarded"
    scopes: frozenset[Scope] = ALL_SCOPES
    issuer: str = ""
    bounds: Bounds | None = None
    by_service: bool = False
    ends_ms: int | None = None

    def seconds_left(self, now_ms: int) -> float:
        """How long its token still opens anything; a key has no end."""
        return math.inf if self.ends_ms is None else max(0.0, (self.ends_ms - now_ms) / 1000)

    @property
    def speaks_as(self) -> Speaker:
        """Whose words these are; a service that does not say for whom it calls speaks for the AI."""
        return "operator" if self.role == "operator" else "agent"

    def speaking(self, sender: str) -> "Caller | None":
        """The caller as the header says; None when it may not say so."""
        if not sender or sender == self.role:
            return self
        service = self.role == "service"
        if sender == "agent":
            return replace(self, role="agent", by_service=service)
        return replace(self, role="operator", by_service=True) if service and sender == "operator" else None


#: Who calls with a token of one appeal (core/appeal_tokens.py); None for a text that is none.
ReadsAppealTokens = Callable[[str], Caller | None]


def no_tokens(_: str) -> Caller | None:
    """Keys alone open."""
    return None


class KeyRing:
    """The callers and the digests of their keys; the keys themselves are not kept."""

    def __init__(self, digests: dict[Caller, bytes], tokens: ReadsAppealTokens = no_tokens) -> None:
        self._digests = list(digests.items())
        self._tokens = tokens

    def reading(self, tokens: ReadsAppealTokens) -> Self:
        """The same ring, which knows who calls with a token as well."""
        return type(self)(dict(self._digests), tokens)

    @classmethod
    def parse(cls, text: SecretStr) -> Self:
        """Read `agent=KEY,anna:operator=KEY,bot:agent:guarded:read+answer=KEY`.

        ValueError names what is wrong, never a key.
        """
        digests: dict[Caller, bytes] = {}
        for number, entry in enumerate(_entries(text.get_secret_value()), 1):
            named, found, key = (part.strip() for part in entry.partition("="))
            name, *said = named.split(":")
            if not found or not _CALLER_NAME.fullmatch(name):
                raise ValueError(f"API keys: entry {number} is not of the form caller=key")
            _check(name, key, {caller.name: digest for caller, digest in digests.items()})
            digests[_caller(name, said)] = _digest(key)
        return cls(digests)

    @property
    def callers(self) -> list[Caller]:
        """Everybody who has a key, as written."""
        return [caller for caller, _ in self._digests]

    def caller(self, key: str) -> Caller | None:
        """Whose key or token this is; takes as long for a wrong key as for a right one."""
        given, found = _digest(key), self._tokens(key)
        for caller, digest in self._digests:
            if hmac.compare_digest(digest, given):
                found = caller
        return found


def _entries(text: str) -> list[str]:
    entries = [entry for entry in text.split(",") if entry.strip()]
    if not entries:
        raise ValueError("API keys: there is none; write caller=key,caller=key")
    return entries


def _caller(name: str, said: list[str]) -> Caller:
    """`said`: role, mode and scopes, as far as the entry says them."""
    if len(said) > 3:
        raise ValueError(f"API keys: {name} is of the form name:role:mode:scope+scope")
    usual = _USUAL_ROLES.get(name, "agent")
    role = cast(Role, _known(name, "role", said[0], get_args(Role))) if said else usual
    mode = cast(Mode, _known(name, "mode", said[1], get_args(Mode))) if said[1:] else _USUAL_MODES[role]
    named = [_known(name, "scope", one, get_args(Scope)) for scopes in said[2:] for one in scopes.split("+")]
    scopes = cast(frozenset[Scope], frozenset(named)) or ALL_SCOPES
    if role == "service" and (mode, scopes) != ("full", ALL_SCOPES):
        # A refusal here would look to the hub like one of the messenger, which loses the message.
        raise ValueError(
            f"API keys: {name} is a service, which calls for others: it is full and has all scopes"
        )
    return Caller(name, role, mode, scopes)


def _known(name: str, what: str, said: str, known: tuple[str, ...]) -> str:
    if said not in known:
        raise ValueError(f"API keys: {name} has no {what} of {', '.join(known)}")
    return said


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


class ReadsTokens(Protocol):
    """Access tokens of an authorization server (core/oauth.py)."""

    async def caller(self, token: str) -> Caller | None:
        """Whose token this is; None for one that is not for us. Raises IssuerAway."""

    def challenge(self, error: str = "") -> str:
        """The header WWW-Authenticate for who shows none, or a wrong one."""


class RequireKey:
    """ASGI: serves only callers with a key or a token.

    Puts the Caller into `scope["state"]` and `current_caller`. `fenced`: whether tokens of one appeal are
    served as well, because what is behind it asks what they open.
    """

    def __init__(
        self, app: asgi.ASGIApp, keys: KeyRing, tokens: ReadsTokens | None = None, *, fenced: bool = False
    ) -> None:
        self._app = app
        self._keys = keys
        self._tokens = tokens
        self._fenced = fenced

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            known = await self._known(key_of(headers))
        except IssuerAway as error:
            await from_channel_error(error)(scope, receive, send)
            return
        if known is None:
            await self._nobody(key_of(headers))(scope, receive, send)
            return
        caller = known.speaking(headers.get(SENDER_HEADER, "").strip())
        if caller is None:
            said = f"{SENDER_HEADER} is agent or operator, and operator only with an operator's key."
            await problem(403, Forbidden.code, said)(scope, receive, send)
            return
        if caller.bounds is not None and not self._fenced:
            said = f"This token is for the appeal {caller.bounds.appeal_id} alone."
            await problem(403, NotPermitted.code, said)(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "caller": caller}
        token = current_caller.set(caller)
        try:
            await self._app(scope, receive, send)
        finally:
            current_caller.reset(token)

    async def _known(self, shown: str) -> Caller | None:
        known = self._keys.caller(shown)
        return await self._tokens.caller(shown) if known is None and self._tokens and shown else known

    def _nobody(self, shown: str) -> Response:
        answer = problem(401, "unauthorized", "No valid key.")
        if self._tokens:
            answer.headers["WWW-Authenticate"] = self._tokens.challenge("invalid_token" if shown else "")
        return answer


class ApiKeyAsBearer:
    """ASGI: lets `X-API-Key` serve as the bearer token that the MCP SDK asks for."""

    def __init__(self, app: asgi.ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if "x-api-key" in headers and "authorization" not in headers:
                bearer = b"Bearer " + headers["x-api-key"].encode("latin-1")
                scope = {**scope, "headers": [*scope["headers"], (b"authorization", bearer)]}
        await self._app(scope, receive, send)


class CallerToken(AccessToken):
    """What the MCP SDK carries through a call: whose it is."""

    caller: Caller


class FoundCaller:
    """The MCP SDK's TokenVerifier: who RequireKey has let in, so that nobody is checked twice."""

    async def verify_token(self, token: str) -> CallerToken | None:
        """The present caller as the SDK's token; None when there is none."""
        caller = current_caller.get()
        if caller is None:
            return None
        scopes: list[str] = sorted(caller.scopes)
        vouched = {"iss": caller.issuer} if caller.issuer else None
        return CallerToken(
            token=token,
            client_id=caller.name,
            subject=caller.name,
            scopes=scopes,
            claims=vouched,
            caller=caller,
        )


def caller_now() -> Caller:
    """Who called this operation, over REST, MCP or stdio; a guarded agent where nobody says who calls."""
    if caller := current_caller.get():
        return caller
    token = get_access_token()
    return token.caller if isinstance(token, CallerToken) else Caller("agent")


def bounds_now() -> Bounds | None:
    """The one conversation that the present caller may see and touch; None: all of them."""
    return caller_now().bounds


def speaks_now() -> Speaker:
    """In whose name the present caller sends."""
    return caller_now().speaks_as


def is_operator() -> bool:
    """Whether a person's key was used."""
    return speaks_now() == "operator"


def demand_operator() -> str:
    """The caller's name; Forbidden unless it is an operator."""
    caller = caller_now()
    if caller.speaks_as != "operator":
        raise NotPermitted("This is for operators: it needs an operator's key.")
    return caller.name


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
