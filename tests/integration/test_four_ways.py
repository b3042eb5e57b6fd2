"""All ways wake their agents at once, at two hubs: each turn goes to one of them, none is left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp import Client
from redis.asyncio import Redis

from core.keys import Keys
from examples.agent.hub import Turn
from examples.webhook_receiver.receiver import Receiver
from tests.integration.hub_server import agent_of, replica, rest_of, served
from tests.integration.intake_fixture import connect
from tests.integration.test_inbox import INBOX, reading, world
from tests.system import _free_port

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
MANY = 60


class Ledger:
    """Which agent had which turn; `all_done` when as many as were written are finished.

    Nobody takes a turn before each of `ways` was told of one: then all of them race.
    """

    def __init__(self, expected: int, ways: frozenset[str] = frozenset()) -> None:
        self.had: list[tuple[str, str]] = []
        self.all_done = asyncio.Event()
        self.race = asyncio.Event()
        self.listening = asyncio.Event()
        self._expected = expected
        self._untold = set(ways)
        self.told("")

    def told(self, way: str) -> None:
        self._untold.discard(way)
        if not self._untold:
            self.race.set()

    def finished(self, way: str, turn_id: str) -> None:
        self.had.append((way, turn_id))
        if len(self.had) >= self._expected:
            self.all_done.set()


class Worker:
    """An agent at one replica: takes turns over REST, finishes them in silence."""

    def __init__(self, way: str, http: httpx.AsyncClient, ledger: Ledger) -> None:
        self.way = way
        self._http = http
        self._ledger = ledger

    async def take(self, turn_id: str = "", *, seconds: int = 0) -> bool:
        """Take a turn, this one or the next, and finish it; False: there was none."""
        await self._ledger.race.wait()
        body = {"wait_seconds": seconds, "agent": self.way, "turn_id": turn_id}
        turn = (await self._http.post("/api/turns/wait", json=body)).raise_for_status().json()
        if turn["status"] != "turn":
            return False
        token = {"lease_token": turn["lease_token"]}
        done = await self._http.post(f"/api/turns/{turn['turn_id']}/skip", json=token)
        assert done.json()["status"] == "closed"
        self._ledger.finished(self.way, turn["turn_id"])
        return True

    def listening(self) -> None:
        self._ledger.listening.set()

    def told(self) -> None:
        self._ledger.told(self.way)


async def polls(worker: Worker) -> None:
    while True:
        await worker.take(seconds=20)


async def listens(worker: Worker, hub: Client) -> None:
    async with hub.listen(resource_subscriptions=[INBOX]) as changes:
        worker.listening()
        async for _ in changes:
            worker.told()
            while await worker.take():
                pass


async def reads(worker: Worker, redis: Redis) -> None:
    """As a member of a consumer group does, beside our Redis."""
    stream, last = Keys().stream("turns"), "0-0"
    while True:
        found: Any = await redis.xread({stream: last}, count=10, block=200)
        for number, fields in found[0][1] if found else []:
            last = number
            worker.told()
            await worker.take(fields[b"turn_id"].decode())


async def hears(worker: Worker, url: str) -> None:
    async with reading(url, **{"Last-Event-ID": "0-0"}) as events:
        while True:
            event = await events.next()
            worker.told()
            await worker.take(event["data"]["turn_id"])


class Woken:
    """The hub of the receiver of the example: takes the turn that the webhook told of."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def take_turn(self, agent: str, turn_id: str) -> Turn | None:
        self._worker.told()
        await self._worker.take(turn_id)
        return None


async def never(_: Turn) -> None:
    raise AssertionError("the turn is finished already")


@asynccontextmanager
async def four_agents(redis_url: str, database_url: str, ledger: Ledger) -> AsyncIterator[None]:
    """Agents of every way, divided between two hubs."""
    port = _free_port()
    settings = {"agent_webhook_url": f"http://127.0.0.1:{port}/wake", "agent_webhook_secret": SECRET}
    async with (
        replica(redis_url, database_url, **settings) as one,
        replica(redis_url, database_url, **settings) as two,
        rest_of(one) as first,
        rest_of(two) as second,
        agent_of(two) as hub,
        connect(redis_url) as redis,
    ):
        woken = Worker("webhook", first, ledger)
        receiver = Receiver(SECRET, Woken(woken), never, name="webhook")
        async with served(receiver.app(), port), asyncio.TaskGroup() as agents:
            at_work = [
                agents.create_task(polls(Worker("poll", first, ledger))),
                agents.create_task(listens(Worker("listen", second, ledger), hub)),
                agents.create_task(reads(Worker("stream", second, ledger), redis)),
                agents.create_task(hears(Worker("events", first, ledger), one)),
            ]
            yield
            for task in at_work:
                task.cancel()


@pytest.mark.promise("woken-once")
@pytest.mark.promise("no-forgotten-turn")
async def test_every_turn_goes_to_one_agent_and_none_is_forgotten(redis_url: str, database_url: str) -> None:
    ledger = Ledger(MANY, frozenset({"listen", "stream", "events", "webhook"}))
    async with world(redis_url, database_url) as here, four_agents(redis_url, database_url, ledger):
        await ledger.listening.wait()
        written = [await here.customer(f"c{number}") for number in range(MANY)]
        async with asyncio.timeout(60):
            await ledger.all_done.wait()

        assert sorted(turn for _, turn in ledger.had) == sorted(written)
        assert await here.here.rows("SELECT DISTINCT status, attempts FROM turns") == [("closed", 1)]


@pytest.mark.promise("woken-once")
async def test_all_who_were_told_of_one_turn_ask_for_it_and_one_has_it(
    redis_url: str, database_url: str
) -> None:
    """Twenty agents at two hubs, by its id and in the queue, at the same moment."""
    ledger = Ledger(1)
    async with (
        world(redis_url, database_url) as here,
        replica(redis_url, database_url) as one,
        replica(redis_url, database_url) as two,
        rest_of(one) as first,
        rest_of(two) as second,
    ):
        turn = await here.customer("a")
        workers = [Worker(str(number), (first, second)[number % 2], ledger) for number in range(20)]
        took = await asyncio.gather(
            *(worker.take(turn if number % 3 else "") for number, worker in enumerate(workers))
        )

    assert sum(took) == 1
    assert [turn_id for _, turn_id in ledger.had] == [turn]
