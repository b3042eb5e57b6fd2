"""Agents that wait: few queries however many they are, in their order, and none takes a turn with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from core.app import ServiceParts, build_app
from core.auth import KeyRing
from core.observability import Metrics
from orchestrator.hub import Hub
from orchestrator.hub_parts import HubParts
from orchestrator.reach import NoWay
from orchestrator.store.pool import new_pool
from orchestrator.turns import LeasedTurn
from orchestrator.waiting import WaitingRoom
from orchestrator.ways import Way
from tests.integration.test_hub import CHAT, KEY, LEASE, Agents, lease, opened, said
from tests.system import _free_port

MANY = 40


class Counted:
    """The queries that PostgreSQL was asked since `begin`."""

    def __init__(self) -> None:
        self.queries: list[str] = []

    def begin(self) -> None:
        self.queries.clear()

    async def watch(self, connection: Any) -> None:
        connection.add_query_logger(self._log)

    def _log(self, record: Any) -> None:
        if "FOR NO KEY UPDATE SKIP LOCKED" in record.query:
            self.queries.append(record.query)


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


@contextlib.asynccontextmanager
async def replica(agents: Agents, database_url: str, counted: Counted) -> AsyncIterator["Waiting"]:
    """A hub of its own process, so to speak: a pool of two connections, every query counted."""
    async with new_pool(database_url, connections=2, setup=counted.watch) as pool:
        yield Waiting(agents, pool)


class Waiting:
    """Many agents that wait at one hub."""

    def __init__(self, agents: Agents, pool: Any) -> None:
        parts = {name: getattr(agents.hub._turns._parts, name) for name in HubParts.__slots__}
        self.pool = pool
        self.bell = agents.desk.bell
        self.hub = Hub(HubParts(**(parts | {"pool": pool})))
        self._wait = next(one for one in self.hub.operations() if one.name == "wait_for_turn")

    def come(self, count: int, *, seconds: int = 20) -> list["asyncio.Task[Any]"]:
        return [asyncio.create_task(self.wait(str(number), seconds)) for number in range(count)]

    async def wait(self, agent: str, seconds: int, **more: Any) -> dict[str, Any]:
        answer = await self._wait.call({"agent": agent, "wait_seconds": seconds, **more})
        return answer.model_dump(mode="json")

    async def seated(self, count: int) -> None:
        """Return when so many wait and nothing is looked for."""
        room = self.hub._turns._room
        await until(lambda: len(room._seats) == count and self.pool.get_idle_size() == self.pool.get_size())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await tick()


async def tick() -> None:
    """What a test cannot be told of, it looks for again after this."""
    await asyncio.sleep(0.005)


async def test_a_bell_costs_one_query_however_many_agents_wait(agents: Agents, database_url: str) -> None:
    """Forty agents that each asked the database at each message would be a thundering herd."""
    counted = Counted()
    async with replica(agents, database_url, counted) as here:
        waiting = here.come(MANY)
        await here.seated(MANY)
        counted.begin()
        await agents.customer("Здравствуйте", chat="a")
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await here.seated(MANY - 1)

        # one for the bell; at most two more when a second of the sweep falls into this test
        assert 1 <= len(counted.queries) <= 3
        here.hub.stop()
        await asyncio.gather(*waiting)


async def test_who_waits_holds_no_connection(agents: Agents, database_url: str) -> None:
    async with replica(agents, database_url, Counted()) as here:
        waiting = here.come(MANY)
        await here.seated(MANY)

        async with here.pool.acquire(timeout=5), here.pool.acquire(timeout=5):
            assert here.pool.get_idle_size() == 0
        here.hub.stop()
        await asyncio.gather(*waiting)


async def test_turns_are_handed_out_in_the_order_in_which_agents_came(
    agents: Agents, database_url: str
) -> None:
    async with replica(agents, database_url, Counted()) as here:
        waiting = here.come(5)
        await here.seated(5)
        for number in range(3):
            await agents.customer("Здравствуйте", chat=f"c{number}")
        await here.seated(2)
        for number in range(3, 5):
            await agents.customer("Здравствуйте", chat=f"c{number}")

        turns = await asyncio.gather(*waiting)

    assert [turn["chat_id"] for turn in turns] == [f"c{number}" for number in range(5)]


@pytest.mark.promise("woken-once")
async def test_several_turns_at_once_go_to_as_many_agents_in_their_order(
    agents: Agents, database_url: str
) -> None:
    counted = Counted()
    async with replica(agents, database_url, counted) as here:
        for number in range(3):
            await agents.customer("Здравствуйте", chat=f"c{number}")
            agents.here.pass_time(1)
        counted.begin()
        turns = await asyncio.gather(*here.come(4, seconds=1))

    assert [turn["chat_id"] for turn in turns] == ["c0", "c1", "c2", ""]
    rows = await agents.here.rows("SELECT leased_by, attempts FROM turns ORDER BY id")
    assert rows == [("0", 1), ("1", 1), ("2", 1)]
    assert len(counted.queries) <= 4


async def test_an_agent_that_goes_away_while_it_waits_takes_no_turn(
    agents: Agents, database_url: str
) -> None:
    async with replica(agents, database_url, Counted()) as here:
        gone, stays = here.come(2)
        await here.seated(2)
        gone.cancel()
        await asyncio.wait([gone])
        await agents.customer("Здравствуйте")

        assert (await stays)["status"] == "turn"
    assert await agents.here.value("SELECT attempts FROM turns") == 1


class SlowReach:
    """Looks for a way until the test lets it go on."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def way(self, client_id: int) -> Way | NoWay:
        self.asked.set()
        await self.go_on.wait()
        return NoWay("nobody looked", passing=True)


async def test_a_turn_of_an_agent_that_went_away_before_it_heard_of_it_is_offered_at_once(
    agents: Agents, database_url: str
) -> None:
    """It keeps its place: the customer must not wait behind others because an agent's line broke."""
    slow = SlowReach()
    parts = {name: getattr(agents.hub._turns._parts, name) for name in HubParts.__slots__}
    hub = Hub(HubParts(**(parts | {"reach": slow, "channels": frozenset()})))
    wait = next(one for one in hub.operations() if one.name == "wait_for_turn")
    await agents.customer("Здравствуйте", chat="first")
    waiting = asyncio.create_task(wait.call({"agent": "gone"}))
    await slow.asked.wait()
    agents.here.pass_time(5)
    await agents.customer("Здравствуйте", chat="second")
    waiting.cancel()
    await asyncio.wait([waiting])

    turn = await agents.turn(agent="next")

    assert turn["chat_id"] == "first"
    assert await agents.here.rows("SELECT leased_by, status FROM turns ORDER BY id") == [
        ("next", "leased"),
        (None, "ready"),
    ]


@pytest.mark.parametrize("door", ["in the room", "by its id"])
async def test_a_lease_that_is_cut_off_in_the_middle_is_undone(agents: Agents, door: str) -> None:
    """The caller hangs up while the transaction commits: nobody may hold a turn that nobody heard of."""
    await agents.customer("Здравствуйте")
    began, go_on = asyncio.Event(), asyncio.Event()
    desk = agents.hub._turns

    async def slowly(names: Sequence[str]) -> list[LeasedTurn]:
        leased = await desk._lease(names)
        began.set()
        await go_on.wait()
        return leased

    room = WaitingRoom(slowly, desk._put_back, agents.desk.bell)
    waiting = asyncio.create_task(
        room.wait("gone", 20) if door == "in the room" else room.heard(slowly(["gone"]))
    )
    await began.wait()
    waiting.cancel()
    go_on.set()
    await asyncio.wait([waiting])
    await room.close()

    assert (await agents.turn())["chat_id"] == CHAT


async def test_a_turn_that_was_handed_over_to_somebody_who_had_just_gone_is_put_back(agents: Agents) -> None:
    """Cancelled between the hand-over and the moment in which it would have heard."""
    await agents.customer("Здравствуйте")
    desk = agents.hub._turns

    async def none(_: Sequence[str]) -> list[LeasedTurn]:
        return []

    room = WaitingRoom(none, desk._put_back, agents.desk.bell)
    waiting = asyncio.create_task(room.wait("gone", 20))
    await until(lambda: bool(room._seats))
    [turn] = await desk._lease(["gone"])
    room._seats[0].turn.set_result(turn)
    waiting.cancel()
    await asyncio.wait([waiting])
    await room.close()

    assert waiting.cancelled()
    assert await agents.here.rows("SELECT status, leased_by FROM turns") == [("ready", None)]


async def test_when_the_database_fails_everybody_who_waits_is_told(agents: Agents, database_url: str) -> None:
    async with replica(agents, database_url, Counted()) as here:
        waiting = here.come(3)
        await here.seated(3)
        await here.pool.close()
        await here.bell.ring()

        failed = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(error) for error in failed] == [asyncpg.InterfaceError] * 3


# --- one turn by its id -----------------------------------------------------------------------------------


async def test_an_agent_may_take_the_turn_that_it_was_told_of(agents: Agents) -> None:
    for chat in ("first", "second"):
        await agents.customer("Здравствуйте", chat=chat)
        agents.here.pass_time(1)
    told = str(await agents.here.value("SELECT max(id) FROM turns"))

    turn = await agents.turn(turn_id=told)

    assert (turn["turn_id"], turn["chat_id"]) == (told, "second")


@pytest.mark.parametrize("fate", ["leased", "answered", "unknown"])
async def test_a_turn_that_another_has_is_refused_at_once(agents: Agents, fate: str) -> None:
    await agents.customer("Здравствуйте")
    turn = await agents.turn()
    if fate == "answered":
        await agents.reply(turn)
    told = "999" if fate == "unknown" else turn["turn_id"]

    async with asyncio.timeout(5):
        answer = await agents.call("wait_for_turn", wait_seconds=50, turn_id=told)

    assert (answer["status"], answer["turn_id"]) == ("none", "")
    assert "Call wait_for_turn without it" in answer["next_step"]


async def test_a_turn_behind_another_one_of_its_chat_is_waited_for(agents: Agents) -> None:
    await agents.customer("раз")
    first = await agents.turn()
    await agents.customer("два")
    told = str(await agents.here.value("SELECT max(id) FROM turns"))
    waiting = asyncio.create_task(agents.call("wait_for_turn", wait_seconds=20, turn_id=told))
    await asyncio.wait([waiting], timeout=0.05)
    await agents.reply(first, force=True)

    assert said(await waiting) == ["два"]


async def test_an_ended_lease_is_taken_by_its_turns_id(agents: Agents) -> None:
    await agents.customer("Здравствуйте")
    dead = await agents.turn()
    await agents.pass_time(LEASE + 1)

    again = await agents.turn(turn_id=dead["turn_id"])

    assert lease(again) != lease(dead)


# --- over a real line -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def served(agents: Agents) -> AsyncIterator[str]:
    """The hub over HTTP; its address."""

    async def nothing() -> dict[str, Any]:
        return {}

    parts = ServiceParts(
        name="hub",
        title="Hub",
        instructions="",
        operations=agents.hub.operations(),
        keys=KeyRing.parse(SecretStr(f"agent={KEY}")),
        metrics=Metrics(),
        health=nothing,
        info=nothing,
        lifespan=contextlib.nullcontext,
    )
    port = _free_port()
    server = uvicorn.Server(uvicorn.Config(build_app(parts), port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        agents.hub.stop()
        server.should_exit = True
        await serving


CALLS = {
    "rest": ("/api/turns/wait", {}, {"wait_seconds": 50}),
    "legacy": (
        "/mcp",
        {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "wait_for_turn", "arguments": {"wait_seconds": 50}},
        },
    ),
    "modern": (
        "/mcp",
        {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": "wait_for_turn",
        },
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": "wait_for_turn",
                "arguments": {"wait_seconds": 50},
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                },
            },
        },
    ),
}


@pytest.mark.parametrize("door", CALLS)
async def test_a_line_that_breaks_while_the_agent_waits_costs_no_turn(agents: Agents, door: str) -> None:
    """The process of an agent dies; the next turn must go to one that lives."""
    path, headers, body = CALLS[door]
    room = agents.hub._turns._room
    async with served(agents) as url:
        async with httpx.AsyncClient(timeout=30, headers={"X-API-Key": KEY, **headers}) as http:
            calling = asyncio.create_task(http.post(url + path, json=body))
            await until(lambda: bool(room._seats) or calling.done())
            assert not calling.done(), calling.result().text
            calling.cancel()
            await asyncio.wait([calling])
        await until(lambda: not room._seats)

        await agents.customer("Здравствуйте")
        turn = await agents.turn(agent="alive")

    assert said(turn) == ["Здравствуйте"]
    assert await agents.here.rows("SELECT attempts, leased_by FROM turns") == [(1, "alive")]
