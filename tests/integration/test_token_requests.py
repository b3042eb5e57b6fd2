"""Requests of MCP with a token of one appeal that are wrong, or cannot be judged now: each is told why."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import httpx
import pytest
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST

from core.app import build_app
from tests.integration.hub_server import served
from tests.integration.intake_fixture import Line, line_to
from tests.integration.token_fixture import Hub, Side, hub_with, side

pytestmark = pytest.mark.promise("one-conversation")

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}


@pytest.fixture
async def ours(redis_url: str, database_url: str) -> Side:
    async with hub_with(redis_url, database_url, loops=True) as busy:
        return await side(busy, "telegram", "chat-of-anna", "Анна-А")


@pytest.fixture
async def lines(redis_url: str, database_url: str) -> AsyncIterator[tuple[Line, Line]]:
    """To Redis and to PostgreSQL."""
    async with line_to(redis_url) as redis, line_to(database_url) as database:
        yield redis, database


@pytest.fixture
async def hub(lines: tuple[Line, Line], ours: Side) -> AsyncIterator[Hub]:
    """On what the busy one left."""
    redis, database = lines
    async with hub_with(redis.url, database.url, loops=False) as made:
        yield made


async def refused(hub: Hub, token: str, method: str, params: dict[str, Any], name: str = "") -> Any:
    """The error of a request that a client of 2026 sends, whatever its shape."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
        **({"Mcp-Name": name} if name else {}),
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    async with (
        served(build_app(replace(hub.parts, lifespan=nullcontext))) as url,
        httpx.AsyncClient(timeout=30) as http,
    ):
        answer = await http.post(f"{url}/mcp", headers=headers, json=body)
    return answer.json()["error"]


@pytest.mark.parametrize("turn_id", ["abc", "", "1; DROP", "99999999999999999999999", "٣"])
async def test_what_is_no_turn_is_not_the_tokens(hub: Hub, ours: Side, turn_id: str) -> None:
    """It is refused in the same words as a turn of somebody else's, or for its form; it breaks nothing."""
    token = await hub.token(ours["appeal_id"])
    asked = {"name": "answer_turn", "arguments": {"turn_id": turn_id}}

    error = await refused(hub, token, "prompts/get", asked, "answer_turn")

    assert error["code"] in (INVALID_REQUEST, INVALID_PARAMS), error
    if turn_id:
        assert "This token is for the appeal" in error["message"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prompts/get", {"name": "answer_turn", "arguments": []}),
        ("prompts/get", {"name": "answer_turn", "arguments": [["turn_id", "1"]]}),
        ("prompts/get", {"name": "answer_turn", "arguments": {"turn_id": 5}}),
        ("completion/complete", {"ref": "x", "argument": {"name": "id", "value": ""}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "answer_turn"}, "argument": "x"}),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "appeal://{id}"}, "argument": {}}),
        ("subscriptions/listen", {"notifications": []}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": "inbox://turns"}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": [{"uri": "inbox://turns"}]}}),
    ],
)
async def test_a_malformed_request_is_told_so(
    hub: Hub, ours: Side, method: str, params: dict[str, Any]
) -> None:
    """As without a token: nothing breaks, and no other shape passes the fence."""
    token = await hub.token(ours["appeal_id"])

    error = await refused(hub, token, method, params, str(params.get("name", "")))

    assert error["code"] == INVALID_PARAMS, error


@pytest.mark.parametrize("away", ["Redis", "PostgreSQL"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prompts/get", {"name": "summarise_appeal", "arguments": {"appeal_id": "1"}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["appeal://1"]}}),
    ],
)
async def test_who_cannot_be_judged_now_is_told_to_come_back(
    hub: Hub, ours: Side, lines: tuple[Line, Line], method: str, params: dict[str, Any], away: str
) -> None:
    """The storage that tells whether a token lives is away."""
    token = await hub.token(ours["appeal_id"])
    await lines[away == "PostgreSQL"].cut()

    error = await refused(hub, token, method, params, str(params.get("name", "")))

    assert error["code"] == INTERNAL_ERROR
    assert f"storage_unavailable: {away} does not answer" in error["message"]
    assert "retryable: yes" in error["message"]


async def test_nobody_is_merged_while_channels_could_not_hear_of_it(
    hub: Hub, ours: Side, lines: tuple[Line, Line]
) -> None:
    """They ask Redis alone whether a token of the client lives; whoever wanted the merge repeats it."""
    other = await hub.pool.fetchval("INSERT INTO clients (name) VALUES ('Анна') RETURNING id")
    asked = {"winner_id": ours["client_id"], "loser_id": str(other)}
    await lines[0].cut()

    answer = await hub.ask("/api/client-merges", **asked)

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert await hub.pool.fetchval("SELECT count(*) FROM client_merges") == 0
    await lines[0].mend()
    await hub.told("/api/client-merges", **asked)
