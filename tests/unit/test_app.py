"""One service as an application: which doors are open, what the guard says, how it begins and ends."""

import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field, SecretStr
from starlette.applications import Starlette

from core.app import ServiceParts, build_app, build_server
from core.auth import KeyRing, current_caller
from core.errors import RateLimited, Rejected
from core.observability import Metrics
from core.operations import Operation
from core.tools import ANSWER_LIMIT, ERROR_META

KEY = "agent-key-0123456789"
HEADERS = {"X-API-Key": KEY}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "say", "arguments": {"text": "да"}},
}
MCP_HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class Said(BaseModel):
    """What was said."""

    text_untrusted: str
    caller: str = ""
    lines: list["Said"] = Field(default_factory=list)


async def say(
    text: Annotated[str, Field(min_length=1, max_length=50, description="Words")],
    times: Annotated[int, Field(ge=1, le=3, description="How often")] = 1,
) -> Said:
    """Say it."""
    caller = current_caller.get()
    return Said(text_untrusted=text * times, caller=caller.name if caller else "")


async def limited() -> Said:
    """Too fast."""
    raise RateLimited("Slow down.", retry_after=7.4)


async def rejected() -> Said:
    """No."""
    raise Rejected("The text is empty.")


async def broken() -> Said:
    """Break."""
    raise RuntimeError("the password is correct-horse")


async def long(
    lines: Annotated[int, Field(description="How many")], length: Annotated[int, Field(description="Each")]
) -> Said:
    """Many lines."""
    return Said(text_untrusted="", lines=[Said(text_untrusted="я" * length) for _ in range(lines)])


async def wide() -> Said:
    """Too much that is not the customer's."""
    return Said(text_untrusted="", caller="x" * (ANSWER_LIMIT + 1))


OPERATIONS: Sequence[Operation] = (
    Operation("say", "Say", "POST", "/api/say", say, "send"),
    Operation("limited", "Limited", "GET", "/api/limited", limited, "read"),
    Operation("rejected", "Rejected", "POST", "/api/rejected", rejected, "send"),
    Operation("broken", "Broken", "GET", "/api/broken", broken, "read"),
    Operation("long", "Long", "GET", "/api/long", long, "read"),
    Operation("wide", "Wide", "GET", "/api/wide", wide, "read"),
    Operation("rest_only", "Hidden", "GET", "/api/hidden", wide, "read", tool=False),
)


class Shop:
    """A service and what happened to it."""

    def __init__(self, *, allowed_hosts: Sequence[str] = (), mcp: bool = True) -> None:
        self.events: list[str] = []
        self.metrics = Metrics()
        self.parts = ServiceParts(
            name="shop",
            title="Shop",
            instructions="Sell.",
            operations=OPERATIONS,
            keys=KeyRing.parse(SecretStr(f"agent={KEY}")),
            metrics=self.metrics,
            health=self._health,
            info=self._info,
            lifespan=self._lifespan,
            openapi_extra={"/webhook": {"post": {"responses": {"200": {"description": "stored"}}}}},
            allowed_hosts=allowed_hosts,
        )
        self.app: Starlette = build_app(self.parts, mcp=mcp)
        self.info: Exception | None = None

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client without a key, while the service runs."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with (
            self.app.router.lifespan_context(self.app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client,
        ):
            yield client

    async def _health(self) -> Mapping[str, Any]:
        return {"status": "ok"}

    async def _info(self) -> Mapping[str, Any]:
        if self.info is not None:
            raise self.info
        return {"version": "1"}

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        self.events.append("opened")
        try:
            yield
        finally:
            self.events.append("closed")


@pytest.fixture
def shop() -> Shop:
    return Shop()


# --- doors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
async def test_a_word_and_the_document_are_open(shop: Shop, path: str) -> None:
    async with shop.http() as http:
        assert (await http.get(path)).status_code == 200


@pytest.mark.promise("closed")
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "x" * 20}, {"Authorization": f"Basic {KEY}"}])
@pytest.mark.parametrize("path", ["/info", "/metrics", "/api/limited", "/mcp"])
async def test_all_else_needs_a_key(shop: Shop, path: str, headers: dict[str, str]) -> None:
    async with shop.http() as http:
        method = "POST" if path == "/mcp" else "GET"
        answer = await http.request(method, path, headers={**MCP_HEADERS, **headers}, json=CALL)

        assert answer.status_code == 401


@pytest.mark.parametrize("headers", [HEADERS, {"Authorization": f"Bearer {KEY}"}])
async def test_a_key_opens_as_a_header_of_its_own_or_as_a_bearer(shop: Shop, headers: dict[str, str]) -> None:
    async with shop.http() as http:
        assert (await http.get("/info", headers=headers)).json() == {"version": "1"}
        assert (await http.post("/api/say", headers=headers, json={"text": "да"})).json()["caller"] == "agent"
        over_mcp = await http.post("/mcp", headers={**MCP_HEADERS, **headers}, json=CALL)
        assert over_mcp.status_code == 200
        assert "да" in over_mcp.text


async def test_metrics_are_those_of_the_service(shop: Shop) -> None:
    async with shop.http() as http:
        await http.get("/api/limited", headers=HEADERS)

        answer = await http.get("/metrics", headers=HEADERS)

        assert answer.headers["content-type"].startswith("text/plain")
        assert 'eldoleado_requests_total{operation="api:limited",outcome="error"} 1.0' in answer.text


@pytest.mark.parametrize("path", ["/nowhere", "/api", "/api/nothing", "/mcp/x", "/.well-known/oauth", "/"])
@pytest.mark.parametrize("mcp", [True, False])
async def test_nothing_is_404_and_says_where_to_look(path: str, mcp: bool) -> None:
    async with Shop(mcp=mcp).http() as http:
        answer = await http.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/openapi.json" in answer.json()["detail"]


@pytest.mark.parametrize("mcp", [True, False])
async def test_a_wrong_method_is_405_and_says_which(mcp: bool) -> None:
    async with Shop(mcp=mcp).http() as http:
        answer = await http.get("/api/say", headers=HEADERS)

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in answer.json()["detail"]


async def test_a_reader_that_breaks_is_500_and_tells_nothing(shop: Shop) -> None:
    shop.info = RuntimeError("the password is correct-horse")
    async with shop.http() as http:
        answer = await http.get("/info", headers=HEADERS)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "correct-horse" not in answer.text


async def test_without_mcp_there_is_no_such_door() -> None:
    async with Shop(mcp=False).http() as http:
        assert (await http.post("/mcp", headers={**MCP_HEADERS, **HEADERS}, json=CALL)).status_code == 404
        assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost:1", 200),
        ("localhost", 200),
        ("127.0.0.1", 200),
        ("hub.example.org", 200),
        ("hub.example.org:443", 200),
        ("evil.example.org", 421),
        ("evil.example.org:8765", 421),
        ("hub.example.org.evil.org", 421),
        ("localhost.evil.org:80", 421),
    ],
)
async def test_only_known_hosts_are_served_mcp(host: str, status: int) -> None:
    """A page in somebody's browser must not reach us under a name of its own (DNS rebinding)."""
    async with Shop(allowed_hosts=["hub.example.org"]).http() as http:
        answer = await http.post("/mcp", headers={**MCP_HEADERS, **HEADERS, "Host": host}, json=CALL)

    assert answer.status_code == status


async def test_a_foreign_page_is_refused(shop: Shop) -> None:
    async with shop.http() as http:
        headers = {**MCP_HEADERS, **HEADERS, "Origin": "https://evil.example.org"}

        assert (await http.post("/mcp", headers=headers, json=CALL)).status_code == 403


@pytest.mark.promise("conformance")
async def test_blanks_behind_a_header_are_no_part_of_it(shop: Shop) -> None:
    """httptools leaves them there."""
    async with shop.http() as http:
        headers = {**MCP_HEADERS, **HEADERS, "Host": "127.0.0.1 \t"}
        answer = await http.post("/mcp", headers=headers, json=CALL)

        assert answer.status_code == 200


async def test_the_lifespan_opens_before_and_closes_after(shop: Shop) -> None:
    async with shop.http():
        assert shop.events == ["opened"]
    assert shop.events == ["opened", "closed"]


async def test_the_document_describes_every_route(shop: Shop) -> None:
    async with shop.http() as http:
        document = (await http.get("/openapi.json")).json()

        served = {one.path for one in OPERATIONS} | {
            "/webhook",
            "/health",
            "/openapi.json",
            "/info",
            "/metrics",
        }
        assert set(document["paths"]) == served
        assert document["paths"]["/health"]["get"]["security"] == []
        assert "security" not in document["paths"]["/info"]["get"]
        assert document["security"] == [{"key": []}]


# --- tools ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def hosted(shop: Shop) -> AsyncIterator[Client]:
    """A model's host, in memory."""
    async with Client(build_server(shop.parts)) as client:
        yield client


def words(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


async def test_only_what_is_meant_for_models_is_a_tool(shop: Shop) -> None:
    async with hosted(shop) as model:
        names = [tool.name for tool in (await model.list_tools()).tools]

        assert names == [one.name for one in OPERATIONS if one.tool]


async def test_text_and_structure_tell_the_same_cleaned_facts(shop: Shop) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("say", {"text": "a\u202eb", "times": 2})

        assert result.structured_content == {"text_untrusted": "abab", "caller": "", "lines": []}
        assert json.loads(words(result)) == result.structured_content


@pytest.mark.parametrize("text", ["7", "null", "true", '{"a": 1}', '["a"]', "1e5", " "])
async def test_a_text_that_looks_like_json_stays_a_text(shop: Shop, text: str) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("say", {"text": f"{text}x", "times": 1})
        alone = await model.call_tool("say", {"text": text})

        assert (result.structured_content or {})["text_untrusted"] == f"{text}x".strip()
        assert (alone.structured_content or {})["text_untrusted"] == text.strip()


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("sey", {}, ["unknown_tool: 'sey'", "Did you mean 'say'?"]),
        ("rest_only", {}, ["unknown_tool: 'rest_only'", "GET /api/hidden"]),
        ("say", {}, ["invalid_arguments: nothing was done", "text: Field required", "Allowed: text, times"]),
        ("say", {"text": "x", "time": 2}, ["time: Extra inputs", "Did you mean 'times'?"]),
        ("say", {"text": "x", "times": 9}, ["times: Input should be less than or equal to 3"]),
        ("say", {"text": None}, ["text: Input should be a valid string"]),
    ],
)
async def test_the_guard_names_what_is_wrong(
    shop: Shop, tool: str, arguments: dict[str, Any], said: list[str]
) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool(tool, arguments)

        assert result.is_error
        assert [part for part in said if part not in words(result)] == []


async def test_of_many_mistakes_the_first_ten_are_named(shop: Shop) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("say", {f"x{number}": 1 for number in range(5000)})

    assert "And 4991 more." in words(result)
    assert len(words(result)) < 1500


@pytest.mark.promise("profiles")
async def test_what_is_not_in_the_profile_is_not_shown_and_refused_with_the_way_to_it(shop: Shop) -> None:
    parts = replace(shop.parts, profile="core", core_tools={"say"})
    async with Client(build_server(parts)) as model:
        names = [tool.name for tool in (await model.list_tools()).tools]
        result = await model.call_tool("limited", {})
        hinted = await model.call_tool("limitd", {})

    assert names == ["say"]
    assert result.is_error
    assert words(result).startswith(
        "not_in_profile: 'limited' is not shown here; REST has it: GET /api/limited."
    )
    assert "MCP_PROFILE=all" in words(result)
    assert (result.meta or {})[ERROR_META]["code"] == "not_in_profile"
    assert words(hinted).startswith("unknown_tool: 'limitd'.")


@pytest.mark.promise("profiles")
async def test_rest_has_everything_in_every_profile(shop: Shop) -> None:
    shop.app = build_app(replace(shop.parts, profile="core", core_tools={"say"}))
    async with shop.http() as http:
        answer = await http.get("/api/hidden", headers={"X-API-Key": KEY})
        refused = await http.get("/api/limited", headers={"X-API-Key": KEY})

    assert answer.status_code == 200
    assert refused.status_code == 429


async def test_the_name_of_an_unknown_tool_is_shown_in_part_only(shop: Shop) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("x" * 5000, {})

        assert len(words(result)) < 200


async def test_a_failure_of_the_messenger_is_told_with_the_time_to_wait(shop: Shop) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("limited", {})

        assert result.is_error
        assert "rate_limited: Slow down." in words(result)
        assert RateLimited.what_to_do in words(result)
        assert words(result).endswith("retry_after: 7 s.")


async def test_a_refusal_without_a_time_names_none(shop: Shop) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("rejected", {})

        assert "rejected: The text is empty." in words(result)
        assert "retry_after" not in words(result)


async def test_a_fault_of_ours_is_hidden_from_the_model_logged_and_counted(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosted(shop) as model:
        with caplog.at_level(logging.ERROR):
            result = await model.call_tool("broken", {})

        assert result.is_error
        assert "correct-horse" not in words(result)
        assert "correct-horse" in caplog.text
        assert _counted(shop, "tool:broken", "error") == 1


async def test_calls_are_counted_and_strangers_share_one_name(shop: Shop) -> None:
    async with hosted(shop) as model:
        await model.call_tool("say", {"text": "x"})
        await model.call_tool("say", {})
        await model.call_tool("no_such", {})

        assert _counted(shop, "tool:say", "ok") == 1
        assert _counted(shop, "tool:say", "error") == 1
        assert _counted(shop, "tool:unknown", "error") == 1


async def test_long_words_of_customers_are_cut_until_the_answer_fits(shop: Shop) -> None:
    """A case of 50 long messages has no smaller page to ask for."""
    async with hosted(shop) as model:
        result = await model.call_tool("long", {"lines": 50, "length": 3000})

        assert not result.is_error
        assert len(words(result)) <= ANSWER_LIMIT
        lines = (result.structured_content or {})["lines"]
        assert len(lines) == 50
        assert all(line["text_untrusted"].endswith("…[cut, 3000 characters in all]") for line in lines)


async def test_an_answer_that_fits_is_not_cut(shop: Shop) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool("long", {"lines": 10, "length": 3000})

        assert [len(line["text_untrusted"]) for line in (result.structured_content or {})["lines"]] == [
            3000
        ] * 10


@pytest.mark.parametrize(("tool", "arguments"), [("wide", {}), ("long", {"lines": 5000, "length": 1})])
async def test_an_answer_that_cannot_be_cut_is_refused_with_the_way_out(
    shop: Shop, tool: str, arguments: dict[str, int]
) -> None:
    async with hosted(shop) as model:
        result = await model.call_tool(tool, arguments)

        assert result.is_error
        assert words(result).startswith("response_too_large")


@pytest.mark.promise("mcp")
async def test_a_model_works_over_http_with_a_key(shop: Shop) -> None:
    transport = httpx2.ASGITransport(app=shop.app)
    async with (
        shop.app.router.lifespan_context(shop.app),
        httpx2.AsyncClient(transport=transport, headers={"Authorization": f"Bearer {KEY}"}) as http,
        Client(streamable_http_client("http://127.0.0.1:8765/mcp", http_client=http)) as client,
    ):
        result = await client.call_tool("say", {"text": "да"})

    assert (result.structured_content or {})["text_untrusted"] == "да"


def _counted(shop: Shop, operation: str, outcome: str) -> float | None:
    labels = {"operation": operation, "outcome": outcome}
    return shop.metrics.registry.get_sample_value("eldoleado_requests_total", labels)
