"""The way of a message through every stage, on real engines, by a clock that the test holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.channel import Arrival
from core.deadletters import About, DeadLetters
from core.errors import NotFound, PeerUnreachable, Rejected, VendorDown
from core.keys import Keys
from core.letter_search import LetterSearch
from core.testing import FakeChannel
from orchestrator import turns
from orchestrator.hub_trace import MessageTrace, TraceArguments, TraceDesk
from orchestrator.trace import Asked, Traced, Tracing
from orchestrator.trace_stages import Stage
from orchestrator.turns import LeasedTurn, Reply, commit_reply, commit_silence
from tests.integration.chats_fixture import SECOND, as_bytes, incoming, outgoing_line
from tests.integration.intake_fixture import open_inbox
from tests.integration.test_debounce import Desk
from tests.integration.test_debounce import opened as opened_desk
from tests.integration.test_deliver import Post
from tests.integration.test_resolve_scene import T0, message

KEYS = Keys()
ASKED = Asked("avito", "default", "c1", "m1")
LEASE = 60.0


class OneAccount:
    """What a channel tells of itself: its only account."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def of(self, _: str) -> Any:
        return self

    @property
    def accounts(self) -> tuple[str]:
        return (self.name,)


class Way:
    """A webhook, the orchestrator and a vendor, at one time."""

    def __init__(self, desk: Desk, post: Post, redis_url: str, folder: Path) -> None:
        self.desk, self.post, self.pool = desk, post, desk.here.pool
        self.clock = desk.line.clock
        self._redis_url, self._folder = redis_url, folder
        self.channel = FakeChannel(clock=self.clock)
        self.dead = DeadLetters(desk.line.redis, KEYS, self.clock)
        search = LetterSearch(desk.line.redis, KEYS)
        self.tracing = Tracing(self.pool, desk.line.redis, KEYS, search)
        self.manifests = OneAccount("default")

    def pass_time(self, seconds: float) -> None:
        self.clock.move(round(seconds * SECOND))

    @property
    def now(self) -> Any:
        return T0 + timedelta(milliseconds=self.clock.now_ms() - 1_800_000_000_000)

    async def webhook(self, *arrivals: Arrival) -> None:
        async with open_inbox(self._redis_url, self._folder, clock=self.clock) as inbox:
            await inbox.put(arrivals)

    async def gathered(self) -> None:
        """Collected now; twenty seconds later it is a turn."""
        await self.desk.line.chats.collect(self.clock.now_ms())
        await self.desk.work()

    async def leased(self, agent: str) -> LeasedTurn:
        turn = await turns.lease_next_turn(self.pool, agent=agent, lease_seconds=LEASE, now=self.now)
        assert turn is not None
        return turn

    async def sends(self, *failures: Exception) -> None:
        """An attempt that takes a second."""

        async def meanwhile() -> None:
            self.pass_time(1)

        self.post.channels.meanwhile = meanwhile
        self.post.channels.fail(*failures)
        assert await self.post.work() == 1

    async def receipt(self, event: str, vendor_id: str) -> None:
        await self.desk.write(incoming("", "c1", external_message_id=vendor_id, event=event))
        await self.desk.work()

    async def ask(self, **given: Any) -> MessageTrace:
        """As the hub's tool does."""

        class Parts:
            tracing = self.tracing
            manifests = self.manifests
            channels = frozenset({"avito"})

        [operation] = TraceDesk(Parts()).operations()  # type: ignore[arg-type]  # all that it looks at
        answer = await operation.call(given)
        assert isinstance(answer, MessageTrace)
        return answer


@asynccontextmanager
async def opened(redis_url: str, database_url: str, folder: Path) -> AsyncIterator[Way]:
    async with opened_desk(redis_url, database_url) as desk, outgoing_line(redis_url) as line:
        line.clock = desk.line.clock
        yield Way(desk, Post(line, desk.here), redis_url, folder)


@pytest.fixture
async def way(redis_url: str, database_url: str, tmp_path: Path) -> AsyncIterator[Way]:
    async with opened(redis_url, database_url, tmp_path) as made:
        yield made


def told(stages: list[Stage]) -> list[tuple[Any, ...]]:
    """Seconds since the beginning, the stage, and what it says beside that."""

    def seconds(moment: Any) -> float | None:
        return None if moment is None else (moment - T0).total_seconds()

    return [
        (seconds(one.at), one.stage, seconds(one.until), one.by, one.attempt, one.times, one.code)
        for one in stages
    ]


def stages(traced: Traced) -> list[str]:
    return [stage.stage for stage in traced.stages]


async def answered(way: Way) -> None:
    """A message from the webhook to the customer's eyes, with everything that may happen on the way."""
    arrival = way.channel.arrival("m1", "c1", "Цена?")
    for _ in range(3):
        await way.webhook(arrival)
        way.pass_time(1)
    await way.gathered()
    way.pass_time(1)
    await way.leased("first")
    way.pass_time(66)
    turn = await way.leased("second")
    way.pass_time(10)
    await commit_reply(way.pool, turn.lease, Reply("Да"), now=way.now)
    way.pass_time(1)
    await way.sends(VendorDown())
    await way.post.line.pass_time(3 * SECOND)
    await way.sends()
    for event in ("delivered", "read"):
        way.pass_time(4)
        await way.receipt(event, "v-Да")


@pytest.mark.promise("trace")
async def test_a_trace_tells_every_stage_with_its_time(way: Way) -> None:
    await answered(way)

    traced = await way.tracing.of_message(ASKED)

    assert told(traced.stages) == [
        (0, "received", None, "", 0, 3, ""),
        (3, "gathered", 23, "", 0, 1, ""),
        (23, "resolved", None, "", 0, 1, ""),
        (23, "turn_opened", None, "", 0, 1, ""),
        (24, "leased", 90, "first", 0, 1, ""),
        (90, "lease_expired", None, "first", 0, 1, ""),
        (90, "leased", 100, "second", 0, 1, ""),
        (100, "answered", None, "second", 0, 1, ""),
        (100, "accepted", None, "reply", 0, 1, ""),
        (101, "queued", None, "", 0, 1, ""),
        (101, "sending", 102, "", 1, 1, ""),
        (102, "retry", None, "", 1, 1, "vendor_down"),
        (105, "sending", 106, "", 2, 1, ""),
        (106, "sent", None, "", 2, 1, ""),
        (130, "delivered", None, "", 2, 1, ""),
        (154, "read", None, "", 2, 1, ""),
    ]
    assert traced.repeats == 2
    assert traced.now == []
    assert traced.letters == []
    assert next(one.detail for one in traced.stages if one.stage == "sent") == "v-Да"


@pytest.mark.promise("trace")
async def test_the_same_way_is_told_by_turn_by_delivery_and_by_our_own_message(way: Way) -> None:
    await answered(way)
    by_message = await way.tracing.of_message(ASKED)
    [delivery] = by_message.deliveries
    assert by_message.turn_id is not None

    for same in (
        await way.tracing.of_turn(by_message.turn_id),
        await way.tracing.of_delivery(delivery),
        await way.tracing.of_message(Asked("avito", "default", "c1", "v-Да")),
    ):
        assert told(same.stages) == told(by_message.stages)


@pytest.mark.promise("trace")
async def test_a_message_that_still_waits_says_for_what(way: Way) -> None:
    await way.webhook(way.channel.arrival("m1", "c1", "Цена?"))
    on_the_queue = await way.tracing.of_message(ASKED)
    way.pass_time(2)
    await way.desk.line.chats.collect(way.clock.now_ms())
    gathering = await way.tracing.of_message(ASKED)
    await way.desk.work()
    ready = await way.tracing.of_message(ASKED)
    turn = await way.leased("anna")
    leased = await way.tracing.of_message(ASKED)
    await commit_reply(way.pool, turn.lease, Reply("Да"), now=way.now)
    queued = await way.tracing.of_message(ASKED)

    assert told(on_the_queue.stages)[1][:2] == (0, "stored")
    assert on_the_queue.now == ["It waits to be collected."]
    assert told(gathering.stages)[1][:3] == (0, "gathering", 22)
    assert gathering.now == ["It is being gathered until 2027-01-15 08:00:22 UTC."]
    assert ready.now == ["The turn waits for an agent."]
    assert leased.now == ["anna has the turn until 2027-01-15 08:01:22 UTC."]
    assert stages(leased)[-1] == "leased"
    assert queued.now == [f"Delivery {queued.deliveries[0]} is queued after 0 attempts."]


@pytest.mark.promise("trace")
async def test_a_message_in_the_dead_letters_is_found_there(way: Way) -> None:
    """By the ids that a webhook's body holds, and by what a letter says it is about."""
    about = as_bytes(incoming("Цена?", "c1", external_message_id="m1") | {"timestamp": "yesterday"})
    mine = await way.dead.bury("incoming", "unreadable", "", about)
    body = b'{"odd": {"message_id": "m1", "chat": "c1"}}'
    hook = await way.dead.bury("webhook:avito", "unknown_payload", "", body)
    await way.dead.bury("incoming", "unreadable", "", about.replace(b'"m1"', b'"m11"'))
    await way.dead.bury("webhook:avito", "unknown_payload", "", b'{"message_id": "m12", "chat": "c1"}')
    await way.dead.bury("webhook:vk", "unknown_payload", "", body)

    traced = await way.tracing.of_message(ASKED)
    assert [head.letter.id for head in traced.letters] == [mine, hook]
    assert stages(traced) == []


@pytest.mark.promise("trace")
@pytest.mark.promise("no-mixing")
async def test_letters_of_another_account_are_not_those_of_the_message(way: Way) -> None:
    """Chats and messages of two accounts may have the same ids."""
    said = incoming("Цена?", "c1", external_message_id="m1") | {"timestamp": "yesterday"}
    body = b'{"odd": {"message_id": "m1", "chat": "c1"}}'
    hook = ("webhook:avito", "unknown_payload", "", body)
    shop = await way.dead.bury("incoming", "unreadable", "", as_bytes(said | {"account": "shop"}))
    of_shop = await way.dead.bury(*hook, About(channel="avito", account="shop"))
    of_both = await way.dead.bury(*hook, About(channel="avito", account="default,shop"))
    of_nobody = await way.dead.bury(*hook, About(channel="avito"))

    here = await way.tracing.of_message(ASKED)
    there = await way.tracing.of_message(replace(ASKED, account="shop"))

    assert {head.letter.id for head in here.letters} == {of_both, of_nobody}
    assert {head.letter.id for head in there.letters} == {shop, of_shop, of_both, of_nobody}


@pytest.mark.promise("trace")
async def test_the_only_account_is_meant_where_none_is_named(way: Way) -> None:
    """As at every other desk."""
    way.manifests.name = "shop"
    said = incoming("Цена?", "c1", external_message_id="m1") | {"timestamp": "yesterday"}
    letter = await way.dead.bury("incoming", "unreadable", "", as_bytes(said | {"account": "shop"}))

    trace = await way.ask(channel="avito", chat_id="c1", message_id="m1")

    assert [one.letter_id for one in trace.dead_letters] == [letter]


@pytest.mark.promise("trace")
async def test_a_reply_that_failed_leads_to_its_letter_also_after_an_edit(way: Way) -> None:
    await way.webhook(way.channel.arrival("m1", "c1", "Цена?"))
    await way.gathered()
    turn = await way.leased("anna")
    await commit_reply(way.pool, turn.lease, Reply("Да"), now=way.now)
    await way.sends(PeerUnreachable())

    traced = await way.tracing.of_message(ASKED)
    [head] = traced.letters
    assert (head.letter.door, head.letter.reason) == ("outgoing", "peer_unreachable")
    assert told(traced.stages)[-1][1] == "failed"
    assert traced.now == [f"Delivery {traced.deliveries[0]} failed (peer_unreachable): see the dead letters."]

    found = await way.dead.find(head.letter.id)
    assert found is not None
    await way.dead.edit(found, b"{}", by="anna", message="another id")
    assert [one.letter.id for one in (await way.tracing.of_message(ASKED)).letters] == [head.letter.id]


@pytest.mark.promise("trace")
async def test_silence_edits_and_deletes_are_told(way: Way) -> None:
    await way.webhook(way.channel.arrival("m1", "c1", "Цена?"))
    await way.gathered()
    turn = await way.leased("anna")
    for event, second in (("edit", 30), ("delete", 40)):
        await way.desk.here.resolve(message("m1", "Почём?", second=second, chat="c1", event=event))
    way.pass_time(60)
    await commit_silence(way.pool, turn.lease, seen=turns.Seen(force=True), now=way.now)

    traced = await way.tracing.of_message(ASKED)
    assert [stage[:2] for stage in told(traced.stages)][-3:] == [
        (30, "edited"),
        (40, "deleted"),
        (80, "skipped"),
    ]
    assert traced.now == []


async def test_the_hub_answers_by_any_name_of_the_message(way: Way) -> None:
    await answered(way)
    trace = await way.ask(channel="avito", chat_id="c1", message_id="m1")
    assert trace.stages[0].at == "2027-01-15T08:00:00.000Z"
    assert trace.stages[0].times == 3
    assert await way.ask(turn_id=trace.turn_id) == trace
    assert await way.ask(delivery_id=trace.delivery_ids[0]) == trace


@pytest.mark.parametrize(
    "given",
    [
        {"channel": "avito", "chat_id": "c1", "message_id": "nothing"},
        {"turn_id": "77"},
        {"delivery_id": "00000000-0000-0000-0000-000000000077"},
        {"delivery_id": "none"},
    ],
)
async def test_what_nobody_knows_is_not_found(way: Way, given: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        await way.ask(**given)


async def test_half_a_name_is_refused(way: Way) -> None:
    with pytest.raises(Rejected, match="Name a delivery_id"):
        await way.ask(channel="avito", chat_id="c1")
    assert TraceArguments().account == "default"
