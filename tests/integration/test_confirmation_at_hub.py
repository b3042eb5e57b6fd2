"""The hub asks for a yes as channels do; it knows from the history who has written first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from mcp import Client

from orchestrator.store.pool import Pool, new_pool
from tests.integration.hub_server import AGENT_KEY, CAREFUL_KEY, agent_of, replica, rest_of
from tests.integration.test_confirmation import Person, text_of, token_of
from tests.integration.test_resolve_scene import Scene, message

WROTE = {"channel": "avito", "chat_id": "chat-1", "text": "Готово"}
STRANGER = WROTE | {"chat_id": "stranger"}
BULK = {"channel": "avito", "chat_ids": ["chat-1"], "text": "Всем"}


@dataclass(frozen=True)
class Hubs:
    """Two replicas; in chat-1 a customer has written."""

    urls: tuple[str, str]
    pool: Pool

    async def queued(self) -> list[str]:
        rows = await self.pool.fetch("SELECT external_chat_id FROM outbound ORDER BY seq")
        return [row["external_chat_id"] for row in rows]

    @asynccontextmanager
    async def model(self, number: int, **more: Any) -> AsyncIterator[Client]:
        async with agent_of(self.urls[number], key=AGENT_KEY, **more) as client:
            yield client


@asynccontextmanager
async def hubs(redis_url: str, database_url: str) -> AsyncIterator[Hubs]:
    async with (
        new_pool(database_url) as pool,
        replica(redis_url, database_url, away="avito", mcp_profile="all") as first,
        replica(redis_url, database_url, away="avito", mcp_profile="all") as second,
    ):
        await Scene(pool).resolve(message("m1"))
        yield Hubs((first, second), pool)


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("age", ["auto", "legacy"])
async def test_a_token_of_one_replica_is_good_at_another(redis_url: str, database_url: str, age: str) -> None:
    async with hubs(redis_url, database_url) as here:
        async with here.model(0, age=age) as first:
            assert not (await first.call_tool("send_message", WROTE)).is_error
            tokens = [token_of(await first.call_tool("send_message", STRANGER))]
            tokens.append(token_of(await first.call_tool("send_bulk", BULK)))
            assert await here.queued() == ["chat-1"]
        async with here.model(1, age=age) as second:
            calls: list[tuple[str, dict[str, Any]]] = [("send_message", STRANGER), ("send_bulk", BULK)]
            for (name, given), token in zip(calls, tokens, strict=True):
                result = await second.call_tool(name, {**given, "confirm_token": token})
                assert not result.is_error, text_of(result)
        assert await here.queued() == ["chat-1", "stranger", "chat-1"]


@pytest.mark.promise("confirmed")
async def test_a_client_that_can_ask_is_asked_about_strangers_alone(
    redis_url: str, database_url: str
) -> None:
    person = Person("accept")
    async with hubs(redis_url, database_url) as here, here.model(0, elicitation_callback=person) as model:
        for given in (WROTE, STRANGER):
            result = await model.call_tool("send_message", given)
            assert not result.is_error, text_of(result)
        assert await here.queued() == ["chat-1", "stranger"]

    [asked] = person.asked
    assert "chat_id: stranger" in asked
    assert "text: “Готово”" in asked


@pytest.mark.promise("confirmed")
async def test_an_erasure_by_a_guarded_key_waits_for_a_yes(redis_url: str, database_url: str) -> None:
    """After the yes it needs an operator's key as ever."""
    async with hubs(redis_url, database_url) as here, rest_of(here.urls[0], AGENT_KEY) as http:
        first = await http.post("/api/clients/1/erase", json={"confirm": "1"})
        body = {"confirm": "1", "confirm_token": first.json()["confirm_token"]}
        second = await http.post("/api/clients/1/erase", json=body)

    assert (first.status_code, second.status_code) == (428, 403)
    assert second.json()["code"] == "forbidden"


@pytest.mark.promise("confirmed")
async def test_a_yes_of_a_guarded_operator_erases(redis_url: str, database_url: str) -> None:
    count = "SELECT count(*) FROM clients"
    async with (
        hubs(redis_url, database_url) as here,
        rest_of(here.urls[0], CAREFUL_KEY) as first,
        rest_of(here.urls[1], CAREFUL_KEY) as second,
    ):
        asked = await first.post("/api/clients/1/erase", json={"confirm": "1"})
        assert (asked.status_code, await here.pool.fetchval(count)) == (428, 1)
        body = {"confirm": "1", "confirm_token": asked.json()["confirm_token"]}
        assert (await second.post("/api/clients/2/erase", json=body)).status_code == 428
        erased = await second.post("/api/clients/1/erase", json=body)

        assert (erased.status_code, await here.pool.fetchval(count)) == (200, 0)


@pytest.mark.promise("confirmed")
async def test_an_answer_to_a_turn_never_asks(redis_url: str, database_url: str) -> None:
    person = Person("decline")
    async with hubs(redis_url, database_url) as here, here.model(0, elicitation_callback=person) as model:
        offer = (await model.call_tool("wait_for_turn", {"wait_seconds": 0})).structured_content or {}
        turn = {name: offer[name] for name in ("turn_id", "lease_token")}
        result = await model.call_tool("reply", {**turn, "text": "Да"})
        assert not result.is_error, text_of(result)
        assert await here.queued() == ["chat-1"]

    assert person.asked == []
