"""Completion at the hub: ids of what there is, by how they begin, the newest first, by index."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from mcp.types import ResourceTemplateReference

from core.completion import ASKED, Found
from core.resource_uris import ACCOUNT_CHAT, APPEAL, CAPABILITIES, CHAT, CLIENT
from orchestrator.hub_completion import Completion, ranges_of
from orchestrator.manifests import Manifest
from orchestrator.store.queries import sql
from tests.integration.hub_server import agent_of, replica
from tests.integration.test_hub import Agents, opened
from tests.integration.test_resolve_scene import message, scene

pytestmark = pytest.mark.promise("completion")

MANY = 20_000
_CLIENTS = "INSERT INTO clients (name) SELECT 'x' FROM generate_series(1, $1)"
#: One case in ten is open.
_CASES = """
INSERT INTO appeals (client_id, channel, account, external_chat_id, status, opened_at, updated_at, closed_at)
SELECT id, 'avito', 'default', 'chat-' || id, CASE WHEN id % 10 = 0 THEN 'open' ELSE 'resolved' END,
    now(), now(), CASE WHEN id % 10 = 0 THEN NULL ELSE now() END FROM clients
"""


class Typing:
    """Somebody who types ids."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self._templates = Completion(agents.hub.parts).of_templates()

    async def __call__(self, template: str, argument: str, begins: str, **given: str) -> list[str]:
        return list((await self.found(template, argument, begins, **given)).values)

    async def found(self, template: str, argument: str, begins: str, **given: str) -> Found:
        return await self._templates[template][argument](begins, given)

    async def many(self) -> None:
        """So many clients, each with a case."""
        pool = self.agents.here.pool
        await pool.execute(_CLIENTS, MANY)
        await pool.execute(_CASES)
        await pool.execute("ANALYZE")


@asynccontextmanager
async def typing(redis_url: str, database_url: str) -> AsyncIterator[Typing]:
    async with opened(redis_url, database_url) as agents:
        yield Typing(agents)


@given(some.integers(1, 10**18 - 1), some.text("0123456789", max_size=18))
def test_a_number_is_in_a_range_if_it_begins_so(number: int, begins: str) -> None:
    inside = any(low <= number <= high for low, high in ranges_of(begins))

    assert inside == str(number).startswith(begins)


@pytest.mark.parametrize("begins", ["x", "-1", "0", "٣", "1" * 19, "1.", " "])
def test_what_no_id_begins_with_is_looked_for_nowhere(begins: str) -> None:
    assert ranges_of(begins) == []


async def test_ids_of_open_cases_and_clients_come_by_how_they_begin_the_newest_first(
    redis_url: str, database_url: str
) -> None:
    async with typing(redis_url, database_url) as types:
        await types.many()
        cases = await types(APPEAL, "id", "19")
        every = await types(APPEAL, "id", "")
        few = await types(APPEAL, "id", "1999")
        clients = await types(CLIENT, "id", "1999")
        none = await types(CLIENT, "id", "3000")

    open_ones = [str(number) for number in range(MANY, 0, -1) if number % 10 == 0]
    assert cases == [one for one in open_ones if one.startswith("19")][:ASKED]
    assert (every, few) == (open_ones[:ASKED], ["19990"])
    assert clients == [
        "19999",
        "19998",
        "19997",
        "19996",
        "19995",
        "19994",
        "19993",
        "19992",
        "19991",
        "19990",
        "1999",
    ]
    assert none == ["3000"]


async def test_no_completion_goes_through_everything(redis_url: str, database_url: str) -> None:
    """The database says how it would look: never by reading a table, or an index, from end to end."""
    async with typing(redis_url, database_url) as types:
        await types.many()
        spans = tuple(map(list, zip(*ranges_of("19"), strict=True)))
        plans = {
            "complete_open_appeals": await _plan(types, "complete_open_appeals", *spans, ASKED),
            "complete_clients": await _plan(types, "complete_clients", *spans, ASKED),
            "complete_chats": await _plan(
                types, "complete_chats", "avito", "default", "chat-19", "chat-1:", ASKED
            ),
        }

    for name, plan in plans.items():
        scans = [node for node in _nodes(plan) if "Scan" in node["Node Type"] and "Relation Name" in node]
        assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}, name
        assert all("Index Cond" in node for node in scans), name
        assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) <= 3 * ASKED, name


async def _plan(types: Typing, query: str, *values: Any) -> dict[str, Any]:
    told = await types.agents.here.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql(query)}", *values)
    plan: dict[str, Any] = json.loads(told)[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for inner in plan.get("Plans", ()) for node in _nodes(inner))]


async def test_chats_are_those_of_the_channel_and_account_that_are_given(
    redis_url: str, database_url: str
) -> None:
    async with typing(redis_url, database_url) as types:
        for chat in ("а@1", "а/2", "б", "a%", "a_"):
            await types.agents.customer("?", chat=chat, external_user_id=chat)
        await types.agents.customer("ещё", chat="а@1", external_user_id="другой")
        await types.agents.customer("?", chat="a-vk", channel="vk", external_user_id="vk")
        await types.agents.customer("?", chat="a-shop", account="shop", external_user_id="shop")

        assert await types(CHAT, "chat_id", "а", channel="avito") == ["а/2", "а@1"]
        assert await types(CHAT, "chat_id", "a%", channel="avito") == ["a%"]
        assert await types(CHAT, "chat_id", "", channel="vk") == ["a-vk"]
        assert await types(ACCOUNT_CHAT, "chat_id", "", channel="avito", account="shop") == ["a-shop"]
        assert await types(CHAT, "chat_id", "a") == []
        assert await types(CHAT, "chat_id", "\0", channel="avito") == []


async def test_channels_and_accounts_are_those_that_there_are(redis_url: str, database_url: str) -> None:
    async with typing(redis_url, database_url) as types:
        types.agents.messengers.manifests["vk"] = Manifest(accounts=("default", "second", "shop"))

        assert await types(CHAT, "channel", "") == sorted(
            ("telegram", "avito", "vk", "whatsapp", "max", "instagram", "form")
        )
        assert await types(CAPABILITIES, "channel", "") == ["avito", "vk"]
        assert await types(CAPABILITIES, "channel", "v") == ["vk"]
        assert await types(ACCOUNT_CHAT, "account", "s", channel="vk") == ["second", "shop"]
        assert await types(ACCOUNT_CHAT, "account", "s", channel="pager") == []


@pytest.mark.parametrize("age", ["auto", "legacy"])
async def test_an_agent_has_an_id_completed_over_http(redis_url: str, database_url: str, age: str) -> None:
    async with (
        scene(database_url) as here,
        replica(redis_url, database_url) as url,
        agent_of(url, age=age) as agent,
    ):
        case = str((await here.resolve(message("1"))).appeal_id)
        ref = ResourceTemplateReference(type="ref/resource", uri=APPEAL)
        found = (await agent.complete(ref, {"name": "id", "value": case[:1]})).completion
        await here.pool.execute("UPDATE appeals SET status = 'resolved', closed_at = now()")
        closed = (await agent.complete(ref, {"name": "id", "value": case[:1]})).completion

    assert (list(found.values), found.total, found.has_more) == ([case], 1, False)
    assert list(closed.values) == []
