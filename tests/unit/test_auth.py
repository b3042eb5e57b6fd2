"""Keys: who calls, and nothing more is told."""

import hashlib
import hmac
import json
import sys
from collections.abc import Callable
from types import FrameType

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from core.auth import (
    ALL_SCOPES,
    ApiKeyAsBearer,
    FoundCaller,
    KeyRing,
    RequireKey,
    current_caller,
    hmac_ok,
    same_secret,
)

OPERATOR, AGENT = "operator-key-0123456789", "agent-key-0123456789="
RING = KeyRing.parse(SecretStr(f" operator={OPERATOR}, agent={AGENT},"))


@pytest.mark.parametrize(("key", "name"), [(OPERATOR, "operator"), (AGENT, "agent")])
def test_a_key_names_its_caller(key: str, name: str) -> None:
    caller = RING.caller(key)

    assert caller is not None
    assert caller.name == name


@pytest.mark.parametrize(
    ("named", "role"),
    [
        ("operator", "operator"),
        ("orchestrator", "service"),
        ("agent", "agent"),
        ("n8n", "agent"),
        ("anna:operator", "operator"),
        ("hub:service", "service"),
        ("operator:agent", "agent"),
    ],
)
def test_a_key_has_a_role_and_the_keys_of_yesterday_keep_theirs(named: str, role: str) -> None:
    caller = KeyRing.parse(SecretStr(f"{named}={OPERATOR}")).caller(OPERATOR)

    assert caller is not None
    assert (caller.name, caller.role) == (named.partition(":")[0], role)


@pytest.mark.parametrize(
    ("named", "mode", "scopes"),
    [
        ("operator", "full", ALL_SCOPES),
        ("orchestrator", "full", ALL_SCOPES),
        ("orchestrator:service:full", "full", ALL_SCOPES),
        ("agent", "guarded", ALL_SCOPES),
        ("anna:operator", "full", ALL_SCOPES),
        ("anna:operator:read_only", "read_only", ALL_SCOPES),
        ("bot:agent:full", "full", ALL_SCOPES),
        ("bot:agent:guarded:read+answer", "guarded", {"read", "answer"}),
        ("bot:agent:full:send", "full", {"send"}),
    ],
)
def test_a_key_has_a_mode_and_scopes_and_an_agent_is_guarded(
    named: str, mode: str, scopes: frozenset[str]
) -> None:
    caller = KeyRing.parse(SecretStr(f"{named}={OPERATOR}")).caller(OPERATOR)

    assert caller is not None
    assert (caller.mode, caller.scopes) == (mode, scopes)


@pytest.mark.parametrize("key", ["", "x", OPERATOR + " ", OPERATOR[:-1], "ключ", "\udcff", "\x00"])
def test_another_key_is_nobody(key: str) -> None:
    assert RING.caller(key) is None


def compared(call: Callable[[], object]) -> int:
    """How many comparisons in constant time a call makes, as the interpreter tells its profilers."""
    found = 0

    def watch(_: FrameType, event: str, called: object) -> None:
        nonlocal found
        found += event == "c_call" and called is hmac.compare_digest

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.promise("closed")
@pytest.mark.parametrize("key", [OPERATOR, AGENT, OPERATOR[:-1], "wrong", ""])
def test_a_key_is_compared_with_each_of_ours_in_constant_time(key: str) -> None:
    """Also after a hit: neither how much of a key is right nor whose it is shows in the time."""
    assert compared(lambda: RING.caller(key)) == 2


@pytest.mark.promise("closed")
@pytest.mark.parametrize("given", ["a" * 64, "b" * 64, "a", ""])
def test_secrets_and_signatures_are_compared_in_constant_time(given: str) -> None:
    assert compared(lambda: same_secret("a" * 64, given)) == 1
    assert compared(lambda: hmac_ok("app-secret", b"{}", given)) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there is none"),
        (" , ", "there is none"),
        ("operator", "entry 1 is not of the form"),
        ("=0123456789abcdef", "entry 1 is not of the form"),
        ("a b=0123456789abcdef", "entry 1 is not of the form"),
        ("operator=", "the key of operator is empty"),
        ("anna:boss=0123456789abcdef", "anna has no role of operator, agent, service"),
        ("anna:=0123456789abcdef", "anna has no role of operator, agent, service"),
        ("anna:agent:wild=0123456789abcdef", "anna has no mode of read_only, guarded, full"),
        ("anna:agent:full:write=0123456789abcdef", "anna has no scope of read, answer, send, manage"),
        ("anna:agent:full:read+=0123456789abcdef", "anna has no scope of read, answer, send, manage"),
        ("anna:agent:full:read:send=0123456789abcdef", "anna is of the form name:role:mode:scope"),
        ("hub:service:guarded=0123456789abcdef", "hub is a service"),
        ("hub:service:full:read=0123456789abcdef", "hub is a service"),
        ("operator=secret-shorty", "the key of operator is shorter than 16"),
        ("operator=ключключключключ", "the key of operator holds characters"),
        (f"operator={OPERATOR},operator={AGENT}", "operator occurs twice"),
        (f"operator={OPERATOR},agent={OPERATOR}", "the key of agent is also"),
    ],
)
def test_a_wrong_key_list_is_refused_by_caller_and_never_by_key(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        KeyRing.parse(SecretStr(text))

    assert "secret-shorty" not in str(refused.value)
    assert OPERATOR not in str(refused.value)


def test_keys_are_not_kept() -> None:
    assert OPERATOR not in repr(vars(RING))


async def who(request: Request) -> JSONResponse:
    caller = current_caller.get()
    return JSONResponse(
        {"state": request.state.caller.name, "context": caller and caller.name, "kept": request.state.kept}
    )


class WithState:
    """A server whose lifespan has put something into the state."""

    def __init__(self, app: RequireKey) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # ASGI
        await self._app({**scope, "state": {"kept": True}}, receive, send)


def client() -> httpx.AsyncClient:
    app = RequireKey(Starlette(routes=[Route("/who", who)]), RING)
    return httpx.AsyncClient(transport=httpx.ASGITransport(WithState(app)), base_url="http://service")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": OPERATOR},
        {"Authorization": f"Bearer {OPERATOR}"},
        {"Authorization": f"bearer  {OPERATOR} "},
    ],
)
async def test_a_key_opens_and_the_caller_is_known_inside(headers: dict[str, str]) -> None:
    answer = await client().get("/who", headers=headers)

    assert answer.json() == {"state": "operator", "context": "operator", "kept": True}
    assert current_caller.get() is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "ключ".encode()},
        {"Authorization": f"Basic {OPERATOR}"},
        {"Authorization": "Bearer"},
    ],
)
async def test_without_a_valid_key_every_answer_is_the_same(headers: dict[str, str]) -> None:
    answer = await client().get("/who", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content == (await client().get("/nothing-here")).content
    assert answer.json()["code"] == "unauthorized"


async def test_the_mcp_sdk_is_told_the_caller() -> None:
    assert await FoundCaller().verify_token(AGENT) is None
    now = current_caller.set(RING.caller(AGENT))
    try:
        token = await FoundCaller().verify_token(AGENT)
    finally:
        current_caller.reset(now)

    assert token is not None
    assert (token.client_id, token.scopes) == ("agent", ["answer", "manage", "read", "send"])


@pytest.mark.parametrize(
    ("headers", "bearer"),
    [
        ({"X-API-Key": OPERATOR}, f"Bearer {OPERATOR}"),
        ({"X-API-Key": OPERATOR, "Authorization": "Bearer other"}, "Bearer other"),
        ({}, None),
    ],
)
async def test_an_api_key_serves_as_bearer(headers: dict[str, str], bearer: str | None) -> None:
    async def shown(request: Request) -> JSONResponse:
        return JSONResponse(request.headers.get("authorization"))

    app = ApiKeyAsBearer(Starlette(routes=[Route("/", shown)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as asking:
        assert json.loads((await asking.get("/", headers=headers)).content) == bearer


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("known", "given", "same"),
    [
        ("secret", "secret", True),
        ("секрет", "секрет", True),
        ("secret", "Secret", False),
        ("secret", "", False),
        ("", "", False),
        ("secret", "\udc80", False),
    ],
)
def test_secrets_are_compared_whole(known: str, given: str, same: bool) -> None:
    assert same_secret(known, given) is same


@pytest.mark.promise("closed")
def test_a_signature_is_checked_over_the_raw_bytes() -> None:
    body = b'{"a": 1}'
    signature = hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()

    assert hmac_ok("app-secret", body, signature)
    assert hmac_ok("app-secret", body, f"sha256={signature.upper()}", prefix="sha256=")
    assert not hmac_ok("app-secret", body + b" ", signature)
    assert not hmac_ok("app-secret", body, signature, prefix="sha256=")
    assert not hmac_ok("app-secret", body, "подпись")
    assert not hmac_ok("app-secret", body, "")
    assert not hmac_ok("", body, hmac.new(b"", body, hashlib.sha256).hexdigest())
