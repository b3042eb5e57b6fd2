"""A due batch becomes one turn, whatever is in it and however often the work is begun."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.bell import Bell
from core.chats import Lease, Window, Windows
from core.errors import VendorDown
from core.keys import Keys
from core.messages import IncomingMessage
from core.observability import Metrics
from core.pauses import Pauses
from orchestrator.close_now import Gathering
from orchestrator.debounce import Debouncer, by_chat, why_closed
from orchestrator.enrich import Enricher
from orchestrator.pause_news import PauseNews
from orchestrator.resolver import Resolver
from orchestrator.rules import Rules
from tests.integration.chats_fixture import LEASE_MS, SECOND, Line, incoming, incoming_line
from tests.integration.test_enrich import FakeFacts
from tests.integration.test_resolve_scene import Scene, message, scene


class Desk:
    """The incoming queue, its worker and the database behind it."""

    def __init__(self, line: Line, here: Scene) -> None:
        self.line = line
        self.here = here
        self.facts = FakeFacts()
        self.metrics = Metrics()
        self.bell = Bell(line.redis, Keys().bell("turns"))
        self.pauses = Pauses(line.redis, Keys(), line.clock)
        self.pause_news = PauseNews(here.pool, self.pauses, line.clock)
        self.debouncer = Debouncer(
            line.chats,
            resolver=Resolver(here.pool, Rules(), self.pause_news),
            enricher=Enricher(self.facts, self.facts, seconds=0.2),
            turns_bell=self.bell,
            clock=line.clock,
            metrics=self.metrics,
        )
        self.gathering = Gathering(line.chats, self.debouncer, line.clock, self.bell, patience=0.3)

    async def write(self, *messages: Any) -> None:
        """Messages arrive and are collected."""
        await self.line.arrive(*messages)

    async def due(self) -> list[Lease]:
        """What is due after the silence."""
        await self.line.pass_time(20 * SECOND)
        return await self.line.take()

    async def work(self) -> None:
        for lease in await self.due():
            await self.debouncer.work(lease)

    async def turns(self) -> list[tuple[Any, ...]]:
        return await self.here.rows(
            "SELECT t.external_chat_id, t.status, t.closed_by, array_agg(m.message_text ORDER BY m.id) "
            "FROM turns AS t JOIN messages_history AS m ON m.turn_id = t.id "
            "GROUP BY t.id, t.external_chat_id, t.status, t.closed_by ORDER BY t.id"
        )

    def counted(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"eldoleado_{name}_total", labels)


@asynccontextmanager
async def opened(redis_url: str, database_url: str, **options: Any) -> AsyncIterator[Desk]:
    async with incoming_line(redis_url, **options) as line, scene(database_url) as here:
        yield Desk(line, here)


def noise(seed: int) -> str:
    """512 signs that no compression makes shorter."""
    signs = random.Random(seed)  # noqa: S311  # not a secret
    return "".join(chr(signs.randrange(0x10000, 0x20000)) for _ in range(512))


@pytest.fixture
async def desk(redis_url: str, database_url: str) -> AsyncIterator[Desk]:
    async with opened(redis_url, database_url) as made:
        yield made


@pytest.mark.promise("one-turn")
async def test_a_burst_becomes_one_turn_and_the_bell_rings(desk: Desk) -> None:
    await desk.write(incoming("Здравствуйте"), incoming("цена?"))
    ticket = desk.bell.ticket

    await desk.work()

    assert await desk.turns() == [("u2i-1", "ready", "silence", ["Здравствуйте", "цена?"])]
    assert desk.bell.ticket == ticket + 1
    assert desk.counted("turns", outcome="ready") == 1
    assert await desk.line.survey() == (0, set())


async def test_what_asks_nothing_rings_no_bell(desk: Desk) -> None:
    await desk.write(incoming("ок", event="operator_message"))

    await desk.work()

    assert await desk.turns() == []
    assert desk.bell.ticket == 0


async def test_facts_of_the_chat_and_the_link_of_a_voice_note_are_in_the_turn(desk: Desk) -> None:
    await desk.write(incoming(" ", media={"has_voice": True, "voice_file_id": "f1"}))

    await desk.work()

    assert await desk.here.rows("SELECT ad_title, ad_price FROM appeals") == [("iPhone 12", "20 000 ₽")]
    assert await desk.here.value("SELECT media->>'voice_url' FROM messages_history") == "https://voice/f1"
    assert await desk.here.value("SELECT name FROM clients") == "Анна"


@pytest.mark.parametrize("silent", [False, True])
async def test_a_vendor_that_fails_or_is_silent_costs_no_turn(desk: Desk, silent: bool) -> None:
    await desk.write(incoming("слушайте", media={"has_voice": True, "voice_file_id": "f1"}))
    if silent:
        desk.facts.silent = {"chat", "f1"}
    else:
        desk.facts.errors = {"chat": VendorDown(), "f1": VendorDown()}

    await desk.work()

    assert [texts for *_, texts in await desk.turns()] == [["слушайте"]]


@pytest.mark.promise("no-mixing")
async def test_two_chats_under_one_name_in_redis_are_not_mixed(desk: Desk) -> None:
    """`b@c` of the default account and `c` of the account b have the same key there."""
    await desk.write(
        incoming("1", "b@c", external_user_id="one"),
        incoming("2", "c", account="b", external_user_id="two"),
        incoming("3", "b@c", external_user_id="one"),
    )
    [lease] = await desk.due()

    await desk.debouncer.work(lease)

    assert await desk.here.rows(
        "SELECT t.account, t.external_chat_id, count(*), count(DISTINCT m.client_id) FROM turns AS t "
        "JOIN messages_history AS m ON m.turn_id = t.id GROUP BY 1, 2 ORDER BY 1"
    ) == [("b", "c", 1, 1), ("default", "b@c", 2, 1)]
    assert await desk.here.value("SELECT count(*) FROM clients") == 2


@pytest.mark.promise("bad-input")
async def test_what_can_never_be_stored_is_a_dead_letter_and_the_rest_a_turn(desk: Desk) -> None:
    """Ids of 512 rare signs are too long for an index; its neighbours must not suffer."""
    chat = noise(1)
    await desk.write(
        incoming("1", chat), incoming("2", chat, external_message_id=noise(2)), incoming("3", chat)
    )

    await desk.work()

    assert [texts for *_, texts in await desk.turns()] == [["1", "3"]]
    [letter] = await desk.line.letters()
    assert (letter.door, letter.reason) == ("incoming", "unstorable")
    assert IncomingMessage.model_validate_json(letter.raw).text == "2"
    assert desk.counted("dead_letters", door="incoming") == 1
    assert await desk.line.survey() == (0, set())


async def test_something_unreadable_in_the_batch_is_buried_with_the_ack(desk: Desk) -> None:
    await desk.write(incoming("1"))
    await desk.line.redis.rpush(f"{desk.line.keys.items}avito:u2i-1", b'{"channel": "avito"}')

    await desk.work()

    assert [texts for *_, texts in await desk.turns()] == [["1"]]
    [letter] = await desk.line.letters()
    assert (letter.door, letter.reason, letter.raw) == ("incoming", "unreadable", b'{"channel": "avito"}')
    assert desk.counted("dead_letters", door="incoming") == 1


async def test_beginning_again_after_a_crash_changes_nothing(desk: Desk) -> None:
    await desk.write(incoming("1"), incoming("2"))
    [lease] = await desk.due()
    await desk.debouncer.work(lease)

    await desk.debouncer.work(lease)
    await asyncio.gather(*(desk.debouncer.work(lease) for _ in range(3)))

    assert [texts for *_, texts in await desk.turns()] == [["1", "2"]]


async def test_a_worker_whose_lease_ended_trims_nothing_of_the_next_one(desk: Desk) -> None:
    await desk.write(incoming("1"))
    [late] = await desk.due()
    await desk.line.pass_time(LEASE_MS + 1)
    await desk.write(incoming("2"))
    [lease] = await desk.due()

    await desk.debouncer.work(late)
    assert (await desk.line.survey())[0] == 2
    await desk.debouncer.work(lease)

    assert sorted(text for *_, texts in await desk.turns() for text in texts) == ["1", "2"]
    assert (await desk.line.survey())[0] == 0


async def test_a_message_that_comes_meanwhile_stays_for_the_next_batch(desk: Desk) -> None:
    await desk.write(incoming("1"))
    [lease] = await desk.due()
    await desk.write(incoming("2"))

    await desk.debouncer.work(lease)
    await desk.work()

    assert await desk.turns() == [("u2i-1", "ready", "silence", ["1", "2"])]


async def test_the_database_away_leaves_the_batch_for_a_repeat(redis_url: str, database_url: str) -> None:
    async with incoming_line(redis_url) as line:
        async with scene(database_url) as here:
            desk = Desk(line, here)
            await desk.write(incoming("1"))
            [lease] = await desk.due()
        with pytest.raises(Exception, match="closed"):
            await desk.debouncer.work(lease)

        assert (await line.survey())[0] == 1
        assert await line.letters() == []


# --- closing before the silence ---------------------------------------------------------------------------


async def test_a_chat_is_closed_before_its_silence_when_asked(desk: Desk) -> None:
    await desk.write(incoming("1"), incoming("x", "other"))

    await desk.gathering.close_now("avito", "default", "u2i-1")

    assert [(chat, texts) for chat, *_, texts in await desk.turns()] == [("u2i-1", ["1"])]


async def test_closing_a_chat_without_messages_does_nothing(desk: Desk) -> None:
    await desk.gathering.close_now("avito", "default", "nobody")

    assert await desk.turns() == []


async def test_closing_waits_for_the_worker_that_has_the_chat(redis_url: str, database_url: str) -> None:
    """What it resolves must be seen by the reply that asked."""
    async with incoming_line(redis_url) as line, scene(database_url) as here:
        desk = Desk(line, here)
        patient = Gathering(line.chats, desk.debouncer, line.clock, desk.bell)
        await desk.write(incoming("1"))
        [lease] = await desk.due()

        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(patient.close_now("avito", "default", "u2i-1"))
            tasks.create_task(desk.debouncer.work(lease))
            await closing
            resolved = await desk.turns()

    assert [texts for *_, texts in resolved] == [["1"]]


async def test_closing_does_not_wait_for_ever_for_a_worker_that_died(desk: Desk) -> None:
    await desk.write(incoming("1"))
    await desk.due()

    async with asyncio.timeout(5):
        await desk.gathering.close_now("avito", "default", "u2i-1")

    assert await desk.turns() == []


async def test_closing_that_fails_leaves_the_chat_due(redis_url: str, database_url: str) -> None:
    async with incoming_line(redis_url) as line:
        async with scene(database_url) as here:
            desk = Desk(line, here)
            await desk.write(incoming("1"))
        with pytest.raises(Exception, match="closed"):
            await desk.gathering.close_now("avito", "default", "u2i-1")

        [lease] = await line.take()
        assert len(lease.items) == 1


# --- pure -------------------------------------------------------------------------------------------------


def lease_of(count: int = 1, *, opened: int = 0, last: int = 0) -> Lease:
    return Lease("avito:c", 1, 0, opened, last, tuple(b"{}" for _ in range(count)))


@pytest.mark.parametrize(
    ("lease", "window", "closed_by"),
    [
        (lease_of(last=0), Window(20, 300), "silence"),
        (lease_of(last=280_000), Window(20, 300), "silence"),
        (lease_of(last=280_001), Window(20, 300), "longest"),
        (lease_of(3), Window(20, 300, max_count=3), "count"),
        (lease_of(2), Window(20, 300, max_count=3), "silence"),
        (lease_of(), Window(0, 0), "silence"),
    ],
)
def test_what_closed_a_batch(lease: Lease, window: Window, closed_by: str) -> None:
    assert why_closed(lease, Windows(window), []) == closed_by


@pytest.mark.promise("bound")
async def test_a_chat_that_never_pauses_is_closed_by_the_longest_wait(desk: Desk) -> None:
    for number in range(16):
        await desk.write(incoming(str(number)))
        await desk.line.pass_time(19 * SECOND)

    for lease in await desk.line.take():
        await desk.debouncer.work(lease)

    [(_, _, closed_by, texts)] = await desk.turns()
    assert (closed_by, len(texts)) == ("longest", 16)


async def test_a_batch_is_closed_by_count(redis_url: str, database_url: str) -> None:
    async with opened(redis_url, database_url, window=Window(20, 300, max_count=2)) as desk:
        await desk.write(incoming("1"), incoming("2"))
        for lease in await desk.line.take():
            await desk.debouncer.work(lease)

        assert [closed_by for _, _, closed_by, _ in await desk.turns()] == ["count"]


def test_messages_are_parted_by_chat_in_order() -> None:

    given = [message("1"), message("2", chat="chat-2"), message("3"), message("4", account="b")]

    parted = [[one.external_message_id for one in messages] for messages in by_chat(given)]

    assert parted == [["1", "3"], ["2"], ["4"]]
