"""A dry run tells what would be done, and changes nothing: not the database, not Redis, not the messenger."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from core.audit import STREAM
from core.auth import Caller, KeyRing, current_caller
from core.clock import SystemClock
from core.deadletters import DeadLetters
from core.errors import ChannelError, ConversationPaused, Rejected
from core.keys import Keys
from core.operations import SPEAKING, TAKING, Operation
from core.permission import permitting
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import Pool, new_pool
from tests.integration.hub_server import KEY
from tests.integration.intake_fixture import connect
from tests.integration.test_confirmation import STRANGER, WROTE, House, text_of
from tests.integration.test_confirmation import house as house
from tests.integration.test_resolve_scene import Scene, message
from tests.servers import SEALS
from tests.tool_lists import SERVERS

OPERATOR = Caller("anna", role="operator", mode="full")
JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA=="
AT_CHANNEL: Mapping[str, dict[str, Any]] = {
    "send_message": {"chat_id": STRANGER, "text": "а" * 1500, "idempotency_key": "order-17"},
    "send_image": {"chat_id": STRANGER, "image_base64": JPEG, "caption": "Экран"},
    "send_file": {"chat_id": STRANGER, "kind": "document", "file_base64": "JVBERi0xLjcK"},
    "send_bulk": {"chat_ids": [WROTE, STRANGER, WROTE], "text": "Всем"},
    "delete_message": {"chat_id": WROTE, "message_id": "m1"},
    "unsubscribe_webhook": {"url": "https://shop.example/webhook"},
}


@pytest.mark.promise("rehearsed")
async def test_whatever_writes_or_deletes_can_be_rehearsed() -> None:
    every = {one.name: one for parts in SERVERS.values() for one in parts().operations}
    bare = [name for name, one in every.items() if one.risk in SPEAKING | TAKING and one.rehearse is None]

    assert bare == []


async def kept(redis: Redis) -> dict[bytes | str, bytes | None]:
    """Every key and its value, but for the log of who did what."""
    log = Keys().stream(STREAM).encode()
    return {key: await redis.dump(key) for key in sorted(await redis.keys("*")) if key != log}


async def rows(pool: Pool) -> dict[str, str]:
    """A digest of each table."""
    named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    tables = [row["tablename"] for row in await pool.fetch(named)]
    digest = "SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {} AS t"
    return {name: await pool.fetchval(digest.format(f'"{name}"')) for name in tables}


@pytest.mark.promise("rehearsed")
@pytest.mark.parametrize("name", AT_CHANNEL)
async def test_a_rehearsal_at_a_channel_has_no_effect(house: House, redis_url: str, name: str) -> None:
    async with connect(redis_url) as redis, house.model() as model:
        before = await kept(redis)
        result = await model.call_tool(name, {**AT_CHANNEL[name], "dry_run": True})
        assert not result.is_error, text_of(result)
        assert await kept(redis) == before

    assert house.done == []
    assert (result.structured_content or {}).keys() == {"dry_run"}


@pytest.mark.promise("rehearsed")
async def test_a_rehearsal_at_a_channel_tells_to_whom_and_in_how_many_parts(house: House) -> None:
    async with house.rest() as http:
        said = [
            (await http.post(path, json={**AT_CHANNEL[name], "dry_run": True})).json()["dry_run"]
            for path, name in (
                ("/api/messages/send", "send_message"),
                ("/api/messages/send/bulk", "send_bulk"),
            )
        ]
        refused = await http.post(
            "/api/messages/send", json={"chat_id": STRANGER, "text": " ", "dry_run": True}
        )

    assert (said[0]["chats"], said[0]["messages"], said[0]["parts"]) == ([STRANGER], 1, 2)
    assert (said[1]["chats"], said[1]["messages"]) == ([WROTE, STRANGER], 2)
    assert (refused.status_code, refused.json()["code"]) == (422, "rejected")


@pytest.mark.promise("rehearsed")
async def test_who_may_not_do_it_may_not_rehearse_it(house: House) -> None:
    async with house.rest("reader-key-0123456789") as http:
        answer = await http.post("/api/messages/send", json={"chat_id": "c", "text": "x", "dry_run": True})

    assert answer.status_code == 403


class Hub:
    """The hub's operations on real engines, without its loops."""

    def __init__(self, made: Orchestrator, pool: Pool, redis: Redis) -> None:
        parts = made.parts(KeyRing.parse(SecretStr(f"operator={KEY}")), state_keys=SEALS)
        self.operations: dict[str, Operation] = {
            one.name: permitting(one, parts.confirm) for one in parts.operations
        }
        self.pool = pool
        self.redis = redis

    async def call(self, name: str, **given: Any) -> dict[str, Any]:
        """As an operator, who may call everything."""
        token = current_caller.set(OPERATOR)
        try:
            return (await self.operations[name].call(given)).model_dump()
        finally:
            current_caller.reset(token)

    async def told(self, name: str, **given: Any) -> dict[str, Any]:
        """The answer to a dry run, before and after which everything is the same."""
        before = (await rows(self.pool), await kept(self.redis))
        try:
            answer = await self.call(name, **given, dry_run=True)
        finally:
            assert (await rows(self.pool), await kept(self.redis)) == before
        return dict(answer["dry_run"])


@asynccontextmanager
async def hub(redis_url: str, database_url: str) -> AsyncIterator[Hub]:
    own = OrchestratorSettings.model_validate({"database_url": database_url, "channel_api_key": "none"})
    async with connect(redis_url) as redis, new_pool(database_url) as pool, httpx.AsyncClient() as http:
        channels = Channels({"avito": "http://127.0.0.1:1"}, http)
        made = Orchestrator(own, redis=redis, pool=pool, channels=channels, clock=SystemClock(), keys=Keys())
        await Scene(pool).resolve(message("m1"))
        yield Hub(made, pool, redis)


async def leased(here: Hub) -> dict[str, str]:
    """The arguments by which an agent answers the first turn, which it has."""
    turn = await Scene(here.pool).leased()
    latest = await here.pool.fetchval("SELECT max(id) FROM messages_history")
    return {"turn_id": str(turn.turn.id), "lease_token": f"{turn.lease.token}.{latest}"}


@pytest.mark.promise("rehearsed")
async def test_a_rehearsal_at_the_hub_has_no_effect(redis_url: str, database_url: str) -> None:
    async with hub(redis_url, database_url) as here:
        lease = await leased(here)
        sent = await here.told("send_message", channel="avito", chat_id="chat-1", text="Да")
        answered = await here.told("reply", **lease, text="Да")
        bulk = await here.told("send_bulk", channel="avito", chat_ids=["chat-1", "x", "chat-1"], text="Всем")
        purged = await here.told("change_dead_letters", action="purge", channel="avito", confirm=True)
        erased = await here.told("erase_client", client_id="1", confirm="1")
        with pytest.raises(ChannelError):
            await here.told("resend_delivery", delivery_id="0b9c2f3e-5d1a-4c57-9a53-2f0d6b1f7a10")
        with pytest.raises(ChannelError):
            await here.told("change_dead_letter", letter_id="none", action="purge", confirm=True)
        with pytest.raises(Rejected):
            await here.told("send_message", channel="nowhere", chat_id="chat-1", text="Да")

    assert (sent["chats"], sent["messages"]) == (["chat-1"], 1)
    assert answered["chats"] == ["chat-1"]
    assert (bulk["chats"], bulk["messages"], bulk["refused_count"]) == (["chat-1"], 1, 2)
    assert {(one["chat_id"], one["reason"]) for one in bulk["refused"]} == {
        ("x", "not_known"),
        ("chat-1", "repeated"),
    }
    assert purged["affects"] == {"letters": 0}
    assert erased["affects"]["messages_history"] == 1


@pytest.mark.promise("rehearsed")
async def test_a_rehearsal_of_a_reply_refuses_what_the_reply_would_refuse(
    redis_url: str, database_url: str
) -> None:
    """Words that say nothing; words that have not seen the newest; a turn that was answered."""
    async with hub(redis_url, database_url) as here:
        lease = await leased(here)
        with pytest.raises(Rejected):
            await here.told("reply", **lease, text=" ")
        assert (await here.told("reply", **lease, text="Да"))["messages"] == 1
        await Scene(here.pool).resolve(message("m2", second=30))
        newer = await here.told("reply", **lease, text="Да")
        forced = await here.told("reply", **lease, text="Да", force=True)
        assert (await here.call("reply", **lease, text="Да"))["status"] == "superseded"
        await here.call("reply", **lease, text="Да", force=True)
        answered = await here.told("reply", **lease, text="Да")

    assert (newer["messages"], newer["refused"]) == (0, [{"chat_id": "chat-1", "reason": "superseded"}])
    assert forced["messages"] == 1
    assert answered["refused"][0]["reason"] == "already_answered"


@pytest.mark.promise("rehearsed")
async def test_a_rehearsal_says_that_a_person_has_the_conversation(redis_url: str, database_url: str) -> None:
    async with hub(redis_url, database_url) as here:
        lease = await leased(here)
        sent = await here.call("send_message", channel="avito", chat_id="chat-1", text="Да")
        await here.pool.execute("UPDATE outbound SET state = 'unknown', given_up_at = now()")
        assert (await here.told("resend_delivery", delivery_id=sent["delivery_id"]))["messages"] == 1
        await here.call("pause", channel="avito", chat_id="chat-1")
        taken = await here.told("reply", **lease, text="Да")
        for name, given in (
            ("resend_delivery", {"delivery_id": sent["delivery_id"]}),
            ("send_message", {"channel": "avito", "chat_id": "chat-1", "text": "Да"}),
        ):
            with pytest.raises(ConversationPaused):
                await here.told(name, **given)
            with pytest.raises(ConversationPaused):
                await here.call(name, **given)

    assert taken["refused"] == [{"chat_id": "chat-1", "reason": "taken_over"}]


@pytest.mark.promise("rehearsed")
async def test_a_purge_that_would_only_count_says_so(redis_url: str, database_url: str) -> None:
    async with hub(redis_url, database_url) as here:
        letter = await DeadLetters(here.redis, Keys(), SystemClock()).bury("incoming", "unreadable", "", b"{")
        purge = {"letter_id": letter, "action": "purge"}
        counted = await here.told("change_dead_letter", **purge)
        purged = await here.told("change_dead_letter", **purge, confirm=True)
        assert (await here.call("change_dead_letter", **purge))["would_purge"] == 1

    assert (counted["would"].startswith("only count 1"), counted["affects"]) == (True, {})
    assert purged["affects"] == {"letters": 1}
