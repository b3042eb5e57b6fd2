"""Every write by a key leaves an entry: with its result, once, and without a customer's word."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import anyio
import asyncpg
import pytest
from mcp import MCPError
from pydantic import BaseModel
from redis.asyncio import Redis
from structlog.testing import capture_logs

from core.audit import STREAM, AuditStream, Entry, ours, written_down
from core.auth import Caller
from core.call import Call
from core.errors import NotPermitted
from core.keys import Keys
from core.operations import READING
from core.permission import permitting, unconfirmed
from core.testing import Posted
from orchestrator.audit import AuditKeeper
from orchestrator.store.pool import new_pool
from orchestrator.store.queries import sql
from tests.integration.chats_fixture import ManualClock
from tests.integration.hub_server import AGENT_KEY, SERVICE_KEY, agent_of, replica, rest_of, served
from tests.integration.intake_fixture import connect
from tests.integration.test_confirmation import AGENT, ANNA, STRANGER, WROTE, House, Person, called_by
from tests.integration.test_confirmation import house as house  # a fixture
from tests.integration.test_resolve_scene import Scene, message
from tests.servers import SEALS
from tests.tool_lists import SERVERS
from tests.unit.test_confirmation import SEND


async def entries(redis: Redis) -> list[Entry]:
    """What waits to be moved."""
    found: Any = await redis.xrange(Keys().stream(STREAM))
    return [Entry.model_validate_json(fields[b"entry"]) for _, fields in found]


async def listed(url: str, count: int, **only: str) -> list[dict[str, Any]]:
    """So many entries of a hub, as soon as they stand in its table."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30), rest_of(url) as http:
        while len(found) < count:
            found = (await http.get("/api/audit", params=only)).json()["entries"]
            await asyncio.sleep(0.05)
    return found


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
async def test_only_the_hub_s_deliveries_are_not_written_down_twice(house: House, redis_url: str) -> None:
    """Whatever else is done with a service's key stands in the log of the channel too."""
    async with connect(redis_url) as redis, house.rest(ANNA) as http:
        await http.post("/api/messages/send", json={"chat_id": WROTE, "text": "Да"})
        http.headers["X-API-Key"] = SERVICE_KEY
        for sender in ("agent", "operator", "service"):
            says = {"X-Sender": sender}
            answer = await http.post(
                "/api/messages/send", json={"chat_id": WROTE, "text": sender}, headers=says
            )
            assert answer.status_code == 200
            await http.post(f"/api/chats/{WROTE}/messages/m1/delete", headers=says)
        found = await entries(redis)

    assert [(one.caller, one.operation) for one in found] == [
        ("anna", "send_message"),
        *[("orchestrator", "delete_message")] * 3,
    ]


@pytest.mark.promise("audited")
async def test_a_service_s_key_leaves_its_trace_at_the_hub(redis_url: str, database_url: str) -> None:
    async with replica(redis_url, database_url) as url, rest_of(url, SERVICE_KEY) as http:
        for sender in ("agent", "operator", "service"):
            await http.post("/api/appeals/1/close", headers={"X-Sender": sender})
        found = await listed(url, 3)

    assert {(one["caller"], one["operation"]) for one in found} == {("orchestrator", "close_appeal")}


@pytest.mark.promise("audited")
async def test_a_token_s_deeds_are_told_from_those_of_its_maker(redis_url: str, database_url: str) -> None:
    """And that it was made, without the token itself."""
    async with new_pool(database_url) as pool:
        await Scene(pool).resolve(message("m1"))
        appeal = await pool.fetchval("SELECT id::text FROM appeals")
    async with replica(redis_url, database_url) as url:
        async with rest_of(url, AGENT_KEY) as http:
            made = (await http.post(f"/api/appeals/{appeal}/token")).json()
        async with rest_of(url, made["token"]) as http:
            await http.post(f"/api/appeals/{appeal}/notes", json={"text": "Звонил"})
        noted, making = await listed(url, 2)

    assert (making["operation"], making["result"], making["by_token"]) == ("make_token", "ok", "")
    assert (making["made"]["appeal_id"], making["made"]["token_id"]) == (appeal, made["token_id"])
    assert made["token"] not in json.dumps(making)
    assert (noted["operation"], noted["result"], noted["caller"]) == ("add_note", "ok", "bot")
    assert (noted["by_token"], noted["token_appeal"]) == (made["token_id"], appeal)


@pytest.mark.promise("audited")
async def test_exactly_the_writes_and_what_gives_away_leave_an_entry() -> None:
    """A caller who may do nothing tries every operation of every server."""
    nobody = Caller("nobody", scopes=frozenset())
    for parts in SERVERS.values():
        every, kept = parts().operations, Kept()
        for one in every:
            with called_by(nobody), pytest.raises(NotPermitted):
                await permitting(one, unconfirmed, audit=kept).run()
        wanted = {one.name for one in every if one.risk not in READING} - {"wait_for_turn"}
        wanted |= {one.name for one in every} & {"make_token", "export_client"}
        assert (set(kept.taken()), kept.results) == (wanted, {"forbidden"})


class Kept:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str, dict[str, str]]] = []

    async def note(self, call: Call, result: str, made: Mapping[str, str]) -> None:
        self.noted.append((call.operation.name, result, dict(made)))

    @property
    def results(self) -> set[str]:
        return {result for _, result, _ in self.noted}

    def taken(self) -> list[str]:
        """The operations of which there is an entry, once each."""
        names = [name for name, _, _ in self.noted]
        assert len(names) == len(set(names))
        return names


@pytest.mark.promise("audited")
@pytest.mark.parametrize(("age", "result"), [("auto", "cut_off"), ("legacy", "ok")])
async def test_a_caller_who_hangs_up_hides_nothing(
    house: House, redis_url: str, age: str, result: str
) -> None:
    """The customer has the message, so the log has its entry."""
    taken, answers = asyncio.Event(), asyncio.Event()

    async def held(_: Posted) -> None:
        taken.set()
        await answers.wait()

    house.messenger.before_answer = held
    async with connect(redis_url) as redis, served(house.replicas[0]) as url:
        async with agent_of(url, key=AGENT, age=age) as model:
            given = {"chat_id": WROTE, "text": "Да"}
            call = asyncio.create_task(model.call_tool("send_message", given))
            await taken.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            if age == "legacy":  # a stateless server of 2025 does not hear that its client has gone
                answers.set()
            await redis.xread({Keys().stream(STREAM): 0}, block=20_000)
            answers.set()
        [found] = await entries(redis)

    assert (found.operation, found.result) == ("send_message", result)
    assert house.done == [(WROTE, "Да")]


@pytest.mark.promise("audited")
async def test_an_entry_is_stored_in_a_scope_that_is_cancelled(redis_url: str) -> None:
    """As the MCP server cancels what its client has left; every later await in it ends, also of a connect."""
    async with connect(redis_url) as redis, connect(redis_url) as unused:
        stream = AuditStream("avito", SEALS, unused, keys=Keys(), clock=ManualClock())
        with anyio.CancelScope() as scope:

            async def left() -> BaseModel:
                scope.cancel()
                return await asyncio.Future()

            await written_down(stream, Call(Caller("bot"), SEND, {}), left)
        [found] = await entries(redis)

    assert (scope.cancelled_caught, found.result) == (True, "cut_off")


@pytest.mark.promise("audited")
async def test_a_bulk_is_written_down_when_it_is_accepted(redis_url: str, database_url: str) -> None:
    """Whoever stays to see it sent, and hangs up, has begun it all the same."""
    given = {"channel": "avito", "chat_ids": ["chat-1"], "text": "Всем", "wait_seconds": 50}
    async with new_pool(database_url) as pool:
        await Scene(pool).resolve(message("m1"))
        async with replica(redis_url, database_url, away="avito") as url, agent_of(url) as model:
            call = asyncio.create_task(model.call_tool("send_bulk", given))
            [early] = await listed(url, 1)
            assert not call.done()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        bulk_id = await pool.fetchval("SELECT id::text FROM bulks")
        rows = await pool.fetchval("SELECT count(*) FROM audit")

    assert (early["operation"], early["result"], early["made"]) == ("send_bulk", "ok", {"bulk_id": bulk_id})
    async with connect(redis_url) as redis:
        assert (rows, await entries(redis)) == (1, [])


@pytest.mark.promise("audited")
async def test_a_failure_of_another_make_is_an_internal_error() -> None:
    kept = Kept()

    async def fails() -> BaseModel:
        raise MCPError(-32602, "of the SDK")

    with pytest.raises(MCPError):
        await written_down(kept, Call(Caller("bot"), SEND, {}), fails)
    assert kept.noted == [("send_message", "internal_error", {})]


@pytest.mark.promise("audited")
async def test_an_entry_that_redis_does_not_take_stands_in_the_log() -> None:
    redis = Redis.from_url("redis://127.0.0.1:1/0")
    stream = AuditStream("avito", SEALS, redis, keys=Keys(), clock=ManualClock())
    with capture_logs() as logs:
        await stream.note(Call(Caller("bot"), SEND, {"text": "Здравствуйте"}), "ok", {})
    await redis.aclose()

    [line] = logs
    assert (line["event"], line["operation"], line["result"]) == ("audit_not_stored", "send_message", "ok")
    assert "Здравствуйте" not in str(line)


@pytest.mark.promise("audited")
async def test_what_cannot_be_written_down_changes_no_answer(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        stream = AuditStream("avito", SEALS, redis, keys=Keys(), clock=ManualClock())
        with capture_logs() as logs:
            await stream.note(Call(Caller("oauth:\ud83d"), SEND, {}), "ok", {})

    [line] = logs
    assert (line["event"], line["caller"]) == ("audit_not_stored", "oauth:\ud83d")


@pytest.mark.promise("audited")
async def test_an_entry_that_no_table_can_hold_keeps_back_no_other(redis_url: str, database_url: str) -> None:
    async with connect(redis_url) as redis, new_pool(database_url) as pool:
        stream = AuditStream("avito", SEALS, redis, keys=Keys(), clock=ManualClock())
        for name in ("bot", "oauth:a\0b", "anna"):
            await stream.note(Call(Caller(name), SEND, {}), "ok", {})
        with capture_logs() as logs:
            assert await AuditKeeper(pool, redis, Keys(), ManualClock(), days=1).move() == 3
        rows = await pool.fetch("SELECT caller FROM audit ORDER BY seq")
        assert await entries(redis) == []

    assert [row["caller"] for row in rows] == ["bot", "anna"]
    [line] = logs
    assert (line["event"], line["caller"]) == ("audit_not_stored", "oauth:a\0b")


@pytest.mark.promise("audited")
async def test_an_entry_that_is_moved_twice_is_in_the_log_once(redis_url: str, database_url: str) -> None:
    clock = ManualClock()
    async with connect(redis_url) as redis, new_pool(database_url) as pool:
        keeper = AuditKeeper(pool, redis, Keys(), clock, days=1)
        stream = AuditStream("avito", SEALS, redis, keys=Keys(), clock=clock)
        await stream.note(Call(Caller("bot"), SEND, {"text": "x"}), "ok", {"turn_id": "7"})
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
        found = await listed(url, 1, caller="bot")
        assert (await http.get("/api/audit", params={"result": "ok"})).json()["entries"] == []

        longest = f"oauth:{'x' * 255}"
        assert (await http.get("/api/audit", params={"caller": longest})).json()["entries"] == []

    [entry] = found
    assert (entry["service"], entry["operation"], entry["result"]) == ("hub", "close_appeal", "not_found")
    assert entry["made"] == {"appeal_id": "1"}


@pytest.mark.parametrize(
    ("sought", "index"),
    [
        ("'anna', '', ''", "audit_caller"),
        ("'', 'pause', ''", "audit_operation"),
        ("'', '', 'x'", "audit_result"),
    ],
)
async def test_what_is_rare_is_found_without_reading_the_whole_log(
    database_url: str, sought: str, index: str
) -> None:
    async with new_pool(database_url) as pool, pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO audit (id, at, service, caller, role, operation, arguments, result)"
            " SELECT gen_random_uuid(), now(), 'hub', 'bot', 'agent', 'reply', '', 'ok'"
            " FROM generate_series(1, 20000)"
        )
        await connection.execute("ANALYZE audit")
        await connection.execute(f"PREPARE find AS {sql('list_audit')}")
        for _ in range(8):  # after five PostgreSQL may change to a plan for any arguments
            plan = await connection.fetch(f"EXPLAIN EXECUTE find({sought}, 0, 20)")
            assert index in str(plan)
