"""Every write by a key leaves an entry: with its result, once, and without a customer's word."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from core.audit import STREAM, AuditStream, Entry, ours
from core.auth import Caller
from core.keys import Keys
from orchestrator.audit import AuditKeeper
from orchestrator.store.pool import new_pool
from tests.integration.chats_fixture import ManualClock
from tests.integration.hub_server import AGENT_KEY, agent_of, replica, rest_of
from tests.integration.intake_fixture import connect
from tests.integration.test_confirmation import ANNA, STRANGER, WROTE, House, Person
from tests.integration.test_confirmation import house as house  # a fixture
from tests.unit.test_confirmation import SEND

SEALS = [b"a seal of thirty-two characters!"]


async def entries(redis: Redis) -> list[Entry]:
    """What waits to be moved."""
    found: Any = await redis.xrange(Keys().stream(STREAM))
    return [Entry.model_validate_json(fields[b"entry"]) for _, fields in found]


@pytest.mark.promise("audited")
async def test_every_write_is_written_down_with_its_result(house: House, redis_url: str) -> None:
    body = {"chat_id": STRANGER, "text": "Здравствуйте"}
    async with connect(redis_url) as redis, house.rest() as http:
        token = (await http.post("/api/messages/send", json=body)).json()["confirm_token"]
        await http.post("/api/messages/send", json={**body, "dry_run": True})
        await http.post("/api/messages/send", json={**body, "confirm_token": token})
        await http.post("/api/messages/send", json={"chat_id": WROTE, "text": " "})
        await http.get("/api/chats")
        found = await entries(redis)

    assert [one.result for one in found] == ["confirmation_required", "dry_run", "ok", "rejected"]
    assert {(one.service, one.caller, one.role, one.operation) for one in found} == {
        ("avito", "bot", "agent", "send_message")
    }
    assert len({one.arguments for one in found[:3]}) == 1
    told = json.dumps([one.model_dump() for one in found], ensure_ascii=False)
    assert not any(word in told for word in (STRANGER, WROTE, "Здравствуйте"))


@pytest.mark.promise("audited")
async def test_a_no_and_a_refusal_are_written_down_too(house: House, redis_url: str) -> None:
    async with connect(redis_url) as redis, house.model(elicitation_callback=Person("decline")) as model:
        await model.call_tool("send_message", {"chat_id": STRANGER, "text": "Здравствуйте"})
        [found] = await entries(redis)

    assert (found.operation, found.result) == ("send_message", "declined")


@pytest.mark.promise("audited")
def test_words_in_the_place_of_an_id_are_left_out() -> None:
    given = {"delivery_id": "Анна, +79161234567", "turn_id": "7"}

    assert ours(given, None) == {"turn_id": "7"}


@pytest.mark.promise("audited")
async def test_what_the_hub_does_for_others_is_not_written_down_twice(house: House, redis_url: str) -> None:
    async with connect(redis_url) as redis, house.rest(ANNA) as http:
        await http.post("/api/messages/send", json={"chat_id": WROTE, "text": "Да"})
        http.headers["X-API-Key"] = "service-key-0123456789"
        for sender in ("agent", "operator"):
            answer = await http.post(
                "/api/messages/send", json={"chat_id": WROTE, "text": sender}, headers={"X-Sender": sender}
            )
            assert answer.status_code == 200
        found = await entries(redis)

    assert [one.caller for one in found] == ["anna"]


@pytest.mark.promise("audited")
async def test_an_entry_that_redis_does_not_take_stands_in_the_log() -> None:
    redis = Redis.from_url("redis://127.0.0.1:1/0")
    stream = AuditStream("avito", SEALS, redis, Keys(), ManualClock())
    with capture_logs() as logs:
        await stream.note(Caller("bot"), SEND, {"text": "Здравствуйте"}, "ok", {})
    await redis.aclose()

    [line] = logs
    assert (line["event"], line["operation"], line["result"]) == ("audit_not_stored", "send_message", "ok")
    assert "Здравствуйте" not in str(line)


@pytest.mark.promise("audited")
async def test_an_entry_that_is_moved_twice_is_in_the_log_once(redis_url: str, database_url: str) -> None:
    clock = ManualClock()
    async with connect(redis_url) as redis, new_pool(database_url) as pool:
        keeper = AuditKeeper(pool, redis, Keys(), clock, days=1)
        stream = AuditStream("avito", SEALS, redis, Keys(), clock)
        await stream.note(Caller("bot"), SEND, {"text": "x"}, "ok", {"turn_id": "7"})
        waiting: Any = await redis.xrange(Keys().stream(STREAM))
        assert await keeper.move() == 1
        await redis.xadd(Keys().stream(STREAM), waiting[0][1])
        assert await keeper.move() == 1
        assert await redis.xlen(Keys().stream(STREAM)) == 0
        [row] = await pool.fetch("SELECT caller, operation, result, made FROM audit")
        assert tuple(row.values()) == ("bot", "send_message", "ok", {"turn_id": "7"})
        with pytest.raises(asyncpg.PostgresError, match="is not changed"):
            await pool.execute("UPDATE audit SET result = 'ok'")
        clock.move(2 * 24 * 3600 * 1000)
        await keeper.forget()
        assert await pool.fetchval("SELECT count(*) FROM audit") == 0


@pytest.mark.promise("audited")
async def test_who_manages_reads_the_log_of_the_hub(redis_url: str, database_url: str) -> None:
    async with replica(redis_url, database_url) as url, rest_of(url) as http:
        async with agent_of(url, key=AGENT_KEY) as model:
            await model.call_tool("get_client", {"client_id": "1"})
            await model.call_tool("close_appeal", {"appeal_id": "1"})
        found: list[dict[str, Any]] = []
        while not found:
            found = (await http.get("/api/audit", params={"caller": "bot"})).json()["entries"]
            await asyncio.sleep(0.05)
        assert (await http.get("/api/audit", params={"result": "ok"})).json()["entries"] == []

    [entry] = found
    assert (entry["service"], entry["operation"], entry["result"]) == ("hub", "close_appeal", "not_found")
    assert entry["made"] == {"appeal_id": "1"}
