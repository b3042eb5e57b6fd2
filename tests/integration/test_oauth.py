"""OAuth: tokens of a real authorization server at a real service, over loopback."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp.types import TextContent
from pydantic import AnyUrl, BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.app import ServiceParts, build_app
from core.auth import KeyRing, caller_now
from core.clock import SystemClock
from core.errors import IssuerAway
from core.issuer_keys import fetch_json
from core.oauth import tokens_of
from core.oauth_settings import OAuthSettings
from core.observability import Metrics
from core.operations import Operation
from core.resources import ResourceOf
from tests.integration.authorization_server import Issuer, Person, new_key
from tests.integration.hub_server import served
from tests.system import _free_port

KEY = "agent-key-0123456789"
BACK = "http://127.0.0.1:1/back"


class Who(BaseModel):
    """Who was let in."""

    name: str
    role: str
    mode: str
    scopes: list[str]
    ends_ms: int | None


async def look() -> Who:
    """Say who calls."""
    now = caller_now()
    return Who(name=now.name, role=now.role, mode=now.mode, scopes=sorted(now.scopes), ends_ms=now.ends_ms)


async def send() -> Who:
    """Say who calls, where a customer hears it."""
    return await look()


LOOK = Operation("look", "Look", "GET", "/api/look", look, "read")
SEND = Operation("send", "Send", "POST", "/api/send", send, "send")


@dataclass
class House:
    """A service and the authorization server that it believes."""

    issuer: Issuer
    url: str
    resource: str

    async def get(self, path: str, shown: str = "", **headers: str) -> httpx.Response:
        """A GET, or a POST where the service wants one, with a bearer token."""
        bearer = {"Authorization": f"Bearer {shown}"} if shown else {}
        method = "POST" if path in ("/mcp", "/api/send") else "GET"
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"} if path == "/mcp" else None
        async with httpx.AsyncClient(base_url=self.url) as http:
            return await http.request(method, path, headers={**_MCP, **bearer, **headers}, json=body)

    def claims(self, **more: Any) -> dict[str, Any]:
        """What a good token says."""
        now = int(time.time())
        good = {"iss": self.issuer.acme.issuer, "aud": self.resource, "sub": "anna", "scope": "read send"}
        return {**good, "iat": now, "nbf": now, "exp": now + 300, **more}

    def signed(
        self, key: RSAKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token as the issuer signs it, with these claims otherwise; None drops one."""
        key = key or self.issuer.keys[0]
        said = {name: value for name, value in self.claims(**claims).items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "at+jwt", **(header or {})}, said, key)


_MCP = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


@asynccontextmanager
async def house(*, up: bool = True, **settings: str) -> AsyncIterator[House]:
    """`up` False: the authorization server is not reached."""
    ports = _free_port(), _free_port()
    issuer, url = Issuer(f"http://127.0.0.1:{ports[0]}"), f"http://127.0.0.1:{ports[1]}"
    given = {"oauth_issuer": issuer.acme.issuer, "oauth_resource": f"{url}/mcp", **settings}
    parts = ServiceParts(
        name="shop",
        title="Shop",
        instructions="Sell.",
        operations=[LOOK, SEND],
        keys=KeyRing.parse(SecretStr(f"agent={KEY}")),
        metrics=Metrics(),
        health=_nothing,
        info=_nothing,
        lifespan=_open,
        resources=[ResourceOf("shop://look", LOOK)],
        tokens=tokens_of(OAuthSettings.model_validate(given), "", SystemClock()),
    )
    async with served(build_app(parts), ports[1]):
        if not up:
            yield House(issuer, url, given["oauth_resource"])
            return
        async with served(issuer.app, ports[0]):
            yield House(issuer, url, given["oauth_resource"])


async def _nothing() -> Mapping[str, Any]:
    return {}


@asynccontextmanager
async def _open() -> AsyncIterator[None]:
    yield


class Kept:
    """A client's storage."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Browser:
    """Goes where the client sends it; what the authorization server answers comes back as the code."""

    def __init__(self) -> None:
        self.went: list[dict[str, str]] = []
        self._back: dict[str, str] = {}

    async def go(self, url: str) -> None:
        self.went.append(dict(parse_qsl(urlsplit(url).query)))
        async with httpx.AsyncClient() as http:
            answer = await http.get(url)
        assert answer.headers["location"].startswith(BACK), answer.text
        self._back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=self._back["code"], state=self._back["state"])


@asynccontextmanager
async def client_of(at: House, browser: Browser, kept: Kept, mode: str = "auto") -> AsyncIterator[Client]:
    """The Python SDK's client, which knows the address of /mcp and nothing else."""
    asks = OAuthClientMetadata(
        client_name="Test",
        redirect_uris=[AnyUrl(BACK)],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    auth = OAuthClientProvider(f"{at.url}/mcp", asks, kept, browser.go, browser.come_back)
    async with (
        httpx2.AsyncClient(auth=auth) as http,
        Client(streamable_http_client(f"{at.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def _called(client: Client, tool: str) -> Mapping[str, Any]:
    result = await client.call_tool(tool, {})
    assert not result.is_error, result
    return result.structured_content or {}


@pytest.mark.promise("oauth")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_knows_the_address_alone_finds_its_way_in(mode: str) -> None:
    """Discovery, registration, PKCE, token, call: a whole round, in both ages of the protocol."""
    browser, kept = Browser(), Kept()
    async with house() as at, client_of(at, browser, kept, mode) as client:
        told = await _called(client, "look")
        tools = {tool.name for tool in (await client.list_tools()).tools}
        by_rest = await at.get("/api/look", kept.tokens.access_token if kept.tokens else "")

    [asked] = browser.went
    assert (asked["resource"], asked["code_challenge_method"]) == (at.resource, "S256")
    assert set(asked["scope"].split()) == {"read", "answer", "send", "manage"}
    assert {name: value for name, value in told.items() if name != "ends_ms"} == {
        "name": "oauth:anna",
        "role": "agent",
        "mode": "guarded",
        "scopes": ["answer", "manage", "read", "send"],
    }
    assert tools == {"look", "send"}
    assert by_rest.json() == told


@pytest.mark.promise("oauth")
async def test_a_client_that_lacks_a_scope_asks_for_it_and_goes_on() -> None:
    """The person allowed less than was asked for, and changes their mind."""
    browser, kept = Browser(), Kept()
    async with house() as at:
        at.issuer.person = Person(allows=("read",))
        async with client_of(at, browser, kept) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"look"}
            at.issuer.person = Person()
            told = await _called(client, "send")

    assert len(browser.went) == 2
    assert "send" in browser.went[-1]["scope"].split()
    assert "send" in told["scopes"]


@pytest.mark.promise("oauth")
async def test_a_client_of_2025_is_told_which_scope_it_lacks() -> None:
    """Its requests do not say which tool they call: it hears it from the tool."""
    async with house() as at:
        at.issuer.person = Person(allows=("read",))
        async with client_of(at, Browser(), Kept(), "legacy") as client:
            refused = await client.call_tool("send", {})

    [said] = refused.content
    assert refused.is_error
    assert isinstance(said, TextContent)
    assert "forbidden: send needs the scope send" in said.text


# --- what is refused --------------------------------------------------------------------------------------


def _plain(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _unsigned(at: House) -> str:
    return _plain({"alg": "none", "typ": "at+jwt"}, at.claims()) + "."


def _signed_with_the_public_key(at: House) -> str:
    """HS256, with what everybody may know as the secret."""
    key = at.issuer.keys[0]
    written = _plain({"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}, at.claims())
    digest = hmac.digest(key.as_pem(private=False), written.encode(), hashlib.sha256)
    return f"{written}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _of_the_other_tenant(at: House) -> str:
    """The same keys, another issuer."""
    return at.signed(iss=at.issuer.tenants["other"].issuer)


WRONG: Mapping[str, Callable[[House], str]] = {
    "no token": lambda at: "",
    "no JWT": lambda at: "x",
    "two points": lambda at: "a.b.c",
    "too long": lambda at: at.signed(more="x" * 20_000),
    "nested": lambda at: base64.urlsafe_b64encode(b"[" * 9000).decode() + ".e30.x",
    "another audience": lambda at: at.signed(aud="https://elsewhere.example.org/mcp"),
    "the client as audience": lambda at: at.signed(aud="client-1"),
    "no audience": lambda at: at.signed(aud=None),
    "another issuer": lambda at: at.signed(iss="https://elsewhere.example.org"),
    "another tenant": _of_the_other_tenant,
    "no issuer": lambda at: at.signed(iss=None),
    "expired": lambda at: at.signed(exp=int(time.time()) - 60),
    "for ever": lambda at: at.signed(exp=None),
    "not yet": lambda at: at.signed(nbf=int(time.time()) + 300),
    "nobody": lambda at: at.signed(sub=None),
    "a subject that no table can hold": lambda at: at.signed(sub="anna\0"),
    "a subject that looks like another": lambda at: at.signed(sub="an\u200bna"),
    "alg none": _unsigned,
    "HS256 of the public key": _signed_with_the_public_key,
    "unknown kid": lambda at: at.signed(new_key("third")),
    "another key": lambda at: at.signed(new_key("first")),
    "an ID token": lambda at: at.signed(header={"typ": "id+jwt"}),
    "changed": lambda at: at.signed()[:-8] + "AAAAAAAA",
}


@pytest.mark.promise("oauth")
@pytest.mark.parametrize("why", WRONG)
async def test_a_token_that_is_not_for_us_opens_nothing(why: str) -> None:
    async with house() as at:
        token = WRONG[why](at)
        answers = [await at.get(path, token) for path in ("/api/look", "/api/send", "/mcp", "/info")]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert "anna" not in answer.text
        where = f'resource_metadata="{at.url}/.well-known/oauth-protected-resource/mcp"'
        error = 'error="invalid_token", ' if token else ""
        assert answer.headers["www-authenticate"] == f"Bearer {error}{where}"


@pytest.mark.promise("oauth")
async def test_a_missing_scope_is_403_and_says_what_to_ask_for() -> None:
    async with house() as at:
        token = at.signed(scope="read nonsense")
        told = await at.get("/api/look", token)
        refused = [
            await at.get("/api/send", token),
            await at.get("/mcp", token, **{"Mcp-Method": "tools/call", "Mcp-Name": "send"}),
        ]
        of_no_use = await at.get("/mcp", at.signed(scope="nonsense"))

    assert told.json()["scopes"] == ["read"]
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        said = answer.headers["www-authenticate"]
        assert said.startswith('Bearer error="insufficient_scope", scope="read send", resource_metadata="')
    assert of_no_use.status_code == 403
    assert 'scope="read"' in of_no_use.headers["www-authenticate"]


# --- what a token says ------------------------------------------------------------------------------------

OWN_WORDS: Mapping[str, Any] = {
    "oauth_scopes": "chats.read=read, chats.write=answer+send",
    "oauth_mode_claim": "https://shop.example.org/mode",
    "oauth_operator": "realm_access.roles=shop operator",
    "oauth_require": "tid=acme",
}


@pytest.mark.promise("oauth")
@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"scope": "chats.read"}, ("agent", "guarded", ["read"])),
        ({"scope": "chats.read chats.write"}, ("agent", "guarded", ["answer", "read", "send"])),
        ({"scope": None, "scp": ["chats.read"]}, ("agent", "guarded", ["read"])),
        ({"scope": "chats.read", "scp": ["chats.write"]}, ("agent", "guarded", ["read"])),
        ({"https://shop.example.org/mode": "full"}, ("agent", "full", ["read"])),
        ({"https://shop.example.org/mode": ["full", "read_only"]}, ("agent", "read_only", ["read"])),
        ({"https://shop.example.org/mode": "boundless"}, ("agent", "read_only", ["read"])),
        ({"realm_access": {"roles": ["x", "shop operator"]}}, ("operator", "guarded", ["read"])),
        ({"realm_access": {"roles": ["operator"]}}, ("agent", "guarded", ["read"])),
        ({"realm_access": "shop operator"}, ("agent", "guarded", ["read"])),
    ],
)
async def test_a_token_gets_what_it_says_in_the_words_of_its_issuer(
    claims: Mapping[str, Any], told: tuple[str, str, list[str]]
) -> None:
    async with house(**OWN_WORDS) as at:
        token = at.signed(**{"scope": "chats.read", "tid": "acme", **claims})
        who = (await at.get("/api/look", token)).json()

    assert (who["role"], who["mode"], who["scopes"]) == told


@pytest.mark.promise("oauth")
@pytest.mark.parametrize("tenant", ["other", None, ["acme2"]])
async def test_a_token_of_another_tenant_of_the_same_issuer_opens_nothing(tenant: object) -> None:
    async with house(**OWN_WORDS) as at:
        assert (await at.get("/api/look", at.signed(scope="chats.read", tid=tenant))).status_code == 401


async def test_a_program_without_a_person_is_called_by_its_client_id() -> None:
    async with house() as at:
        who = await at.get("/api/look", at.signed(sub=None, client_id="nightly"))

    assert who.json()["name"] == "oauth:nightly"


@pytest.mark.promise("oauth")
async def test_an_access_token_says_when_it_ends() -> None:
    """What it opens ends then: what it makes, and what it watches. Clocks may differ by half a minute."""
    async with house() as at:
        exp = int(time.time()) + 60
        who = await at.get("/api/look", at.signed(exp=exp))
        key = await at.get("/api/look", KEY)

    assert exp * 1000 <= who.json()["ends_ms"] <= (exp + 30) * 1000
    assert key.json()["ends_ms"] is None


# --- the issuer and its keys ------------------------------------------------------------------------------


@pytest.mark.promise("oauth")
async def test_metadata_says_which_server_to_go_to_and_which_scopes_there_are() -> None:
    async with house() as at:
        found = await at.get("/.well-known/oauth-protected-resource/mcp")
        without_path = await at.get("/.well-known/oauth-protected-resource")
        document = (await at.get("/openapi.json")).json()

    assert document["security"] == [{"key": []}, {"token": []}]
    assert document["components"]["securitySchemes"]["token"]["bearerFormat"] == "JWT"
    assert found.json() == without_path.json()
    assert found.json() == {
        "resource": at.resource,
        "authorization_servers": [at.issuer.acme.issuer],
        "scopes_supported": ["read", "answer", "send", "manage"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Shop",
    }


@pytest.mark.promise("oauth")
async def test_with_keys_only_nobody_is_sent_anywhere() -> None:
    """A host that finds metadata starts OAuth although it has a key."""
    async with house(oauth_issuer="") as at:
        paths = ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp")
        found = [(await at.get(path)).status_code for path in paths]
        refused = [await at.get(path, at.signed()) for path in ("/api/look", "/mcp")]

    assert found == [404, 404]
    assert [(one.status_code, one.headers["www-authenticate"]) for one in refused] == [(401, "Bearer")] * 2


@pytest.mark.promise("oauth")
async def test_keys_open_beside_tokens() -> None:
    async with house() as at:
        by_key = await at.get("/api/look", KEY)
        over_mcp = await at.get("/mcp", KEY)

        assert by_key.json()["name"] == "agent"
        assert over_mcp.status_code == 200
        assert at.issuer.asked == []


@pytest.mark.promise("oauth")
async def test_the_keys_of_the_issuer_are_asked_for_once() -> None:
    async with house() as at:
        for _ in range(3):
            assert (await at.get("/api/look", at.signed())).status_code == 200

        assert at.issuer.asked == ["metadata", "jwks"]


@pytest.mark.promise("oauth")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(status_code=302, headers={"location": "/good"}), "HTTPStatusError"),
        (Response("x", status_code=500), "HTTPStatusError"),
        (Response("no JSON"), "UnreadableJSON"),
        (Response("[" * 5000), "cannot be read"),
        (Response("[]"), "is no JSON object"),
        (Response(b" " * 600_000 + b"{}"), "is too large"),
    ],
)
async def test_what_is_no_plain_answer_of_the_issuer_is_not_read(answer: Response, why: str) -> None:
    async def answered(_: Request) -> Response:
        return answer

    async def good(_: Request) -> Response:
        return JSONResponse({"keys": []})

    app = Starlette(routes=[Route("/keys", answered), Route("/good", good)])
    async with served(app) as url:
        with pytest.raises(IssuerAway, match=why):
            await fetch_json(f"{url}/keys")
        assert await fetch_json(f"{url}/good") == {"keys": []}


@pytest.mark.promise("oauth")
async def test_where_the_issuer_cannot_be_asked_a_token_is_503_and_a_key_opens() -> None:
    async with house(up=False) as at:
        refused = [await at.get(path, at.signed()) for path in ("/api/look", "/mcp")]
        by_key = [await at.get(path, KEY) for path in ("/api/look", "/mcp")]
        nobody = await at.get("/api/look")

    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
        assert answer.json()["retryable"]
        assert int(answer.headers["retry-after"]) > 0
    assert [answer.status_code for answer in by_key] == [200, 200]
    assert nobody.status_code == 401
