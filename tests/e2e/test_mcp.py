"""The hub and a channel as MCP clients see them: over HTTP in both protocol ages, and over stdio."""

import json
import sys
import uuid

import pytest
import redis
from mcp import Client, StdioServerParameters

from core.keys import Keys
from core.profiles import CHANNEL_CORE
from core.tools import ERROR_META
from orchestrator.hub import HUB_CORE
from tests.e2e.agent import delivered, shown
from tests.e2e.mcp_calls import Age, call, client, lease, text, turn_of
from tests.system import System

pytestmark = pytest.mark.e2e

AGES: tuple[Age, ...] = ("auto", "legacy")


@pytest.mark.promise("mcp")
@pytest.mark.parametrize("age", AGES)
async def test_an_agent_answers_a_customer_over_mcp(system: System, customer: str, age: Age) -> None:
    """Wait for the turn, reply, look the delivery up."""
    chat = system.write(customer, text="Здравствуйте")["chat_id"]
    async with client(system, "orchestrator", age=age) as hub:
        turn = await turn_of(hub, chat)
        answer = await call(hub, "reply", **lease(turn), text="Добрый день!")
        delivered(system, answer["delivery_id"])
        delivery = await call(hub, "get_delivery", delivery_id=answer["delivery_id"])

    assert answer["status"] == "queued"
    assert delivery["state"] == "sent"
    assert shown(system, customer, 1) == ["Добрый день!"]


@pytest.mark.parametrize("age", AGES)
async def test_a_channel_lists_and_answers_chats_over_mcp(system: System, customer: str, age: Age) -> None:
    """A model can work with one channel alone."""
    chat = system.write(customer, text="Ещё продаёте?")["chat_id"]
    async with client(system, "mcp_avito", age=age) as avito:
        chats = await call(avito, "list_chats", limit=100)
        sent = await call(avito, "send_message", chat_id=chat, text="Да, продаём.", idempotency_key=chat)
        again = await call(avito, "send_message", chat_id=chat, text="Да, продаём.", idempotency_key=chat)
        listed = await call(avito, "list_messages", chat_id=chat)

    assert chat in [one["chat_id"] for one in chats["chats"]]
    assert again == {**sent, "duplicate": True}
    assert [one["text_untrusted"] for one in listed["messages"]] == ["Да, продаём.", "Ещё продаёте?"]
    assert shown(system, customer, 1) == ["Да, продаём."]


@pytest.mark.promise("progress")
@pytest.mark.parametrize("age", AGES)
async def test_a_bulk_tells_its_progress_over_mcp(system: System, customer: str, age: Age) -> None:
    """After each chat, while the caller waits."""
    chat = system.write(customer, text="Есть скидки?")["chat_id"]
    told: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with client(system, "mcp_avito", age=age) as avito:
        given = {"chat_ids": [chat], "text": "Скидка 10 %"}
        asked = await avito.call_tool("send_bulk", given)
        agreed = {**given, "confirm_token": (asked.meta or {})[ERROR_META]["confirm_token"]}
        result = await avito.call_tool("send_bulk", agreed, progress_callback=hear)

    assert not result.is_error, text(result)
    assert told == [(1, 1)]
    assert shown(system, customer, 1) == ["Скидка 10 %"]


@pytest.mark.promise("mcp")
@pytest.mark.promise("no-secrets")
async def test_a_channel_serves_its_tools_over_stdio(system: System) -> None:
    """As Claude Desktop starts it: no port, no key, nothing but answers on stdout."""
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_avito", "--stdio"], env=system.environment("mcp_avito")
    )
    async with Client(parameters) as avito:
        tools = {tool.name for tool in (await avito.list_tools()).tools}
        status = await call(avito, "webhook_status")

    assert {"send_message", "send_image", "send_bulk", "list_chats", "get_chat", "list_messages"} <= tools
    assert {"mark_read", "subscribe_webhook", "webhook_status", "unsubscribe_webhook"} <= tools
    assert status["subscribed"] is True
    assert system.webhook_secret not in json.dumps(status)


@pytest.mark.promise("profiles")
async def test_a_service_shows_its_core_unless_it_is_set_otherwise(system: System) -> None:
    """On every connection the same; who asks for more is told where it is."""
    async with client(system, "orchestrator") as hub, client(system, "mcp_avito") as avito:
        of_hub = {tool.name for tool in (await hub.list_tools()).tools}
        of_avito = {tool.name for tool in (await avito.list_tools()).tools}
        refused = await hub.call_tool("list_appeals", {})
    whole = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_avito", "--stdio"],
        env=system.environment("mcp_avito") | {"MCP_PROFILE": "all"},
    )
    async with Client(whole) as avito:
        all_of_avito = {tool.name for tool in (await avito.list_tools()).tools}

    assert of_hub == HUB_CORE
    assert of_avito < CHANNEL_CORE
    assert all_of_avito == of_avito | {"delete_message", "block_user"}
    assert text(refused).startswith("not_in_profile: 'list_appeals'")


async def test_mistakes_of_a_model_are_answered_with_the_way_out(system: System) -> None:
    """A misspelt argument does nothing; an unknown chat says where ids come from, once it is insisted on."""
    nowhere = {"chat_id": "nowhere", "text": "x"}
    async with client(system, "mcp_avito") as avito:
        misspelt = await avito.call_tool("list_chats", {"limt": 3})
        asked = await avito.call_tool("send_message", nowhere)
        token = (asked.meta or {})[ERROR_META]["confirm_token"]
        unknown = await avito.call_tool("send_message", {**nowhere, "confirm_token": token})

    assert misspelt.is_error
    assert "Did you mean 'limit'" in text(misspelt)
    assert unknown.is_error
    assert "not_found" in text(unknown)
    assert "Take ids as they stand in a list or a turn" in text(unknown)


async def test_a_model_sees_the_beginning_of_a_huge_text_and_that_it_was_cut(system: System) -> None:
    """Its context is not the place for 100,000 characters, and hidden characters are taken out."""
    name = uuid.uuid4().hex[:12]
    message = {
        "channel": "avito",
        "external_user_id": name,
        "external_chat_id": f"chat-{name}",
        "external_message_id": name,
        "text": "a\u202eb\U000e0041" + "я" * 100_000,
        "timestamp": "2026-11-22T10:00:00Z",
        "client_name": name,
    }
    with redis.Redis.from_url(system.environment("orchestrator")["REDIS_URL"]) as queue:
        queue.rpush(Keys().incoming.source, json.dumps(message))

    async with client(system, "orchestrator") as hub:
        turn = await turn_of(hub, f"chat-{name}")
        await call(hub, "skip_turn", **lease(turn))

    words = turn["messages"][0]["text_untrusted"]
    assert words.startswith("abя")
    assert words.endswith("characters in all]")
    assert len(words) < 5_000


@pytest.mark.promise("inbox-app")
@pytest.mark.parametrize("age", AGES)
async def test_a_client_that_shows_no_apps_gets_the_inbox_as_text(
    system: System, customer: str, age: Age
) -> None:
    """The same facts in the same words, and no tool that only the view needs."""
    chat = system.write(customer, text="Здравствуйте")["chat_id"]
    async with client(system, "orchestrator", age=age) as hub:
        turn = await turn_of(hub, chat)
        inbox = await call(hub, "show_inbox")
        talk = await call(hub, "show_inbox", appeal_id=turn["appeal_id"])
        tools = {tool.name for tool in (await hub.list_tools()).tools}
        await call(hub, "skip_turn", **lease(turn))

    [line] = [one for one in inbox["conversations"] if one["appeal_id"] == turn["appeal_id"]]
    assert (line["turn_id"], line["taken_by"], line["last_text_untrusted"]) == (
        turn["turn_id"],
        "agent",
        "Здравствуйте",
    )
    assert [one["text_untrusted"] for one in talk["messages"]] == ["Здравствуйте"]
    assert not tools & {"pause", "resume"}
