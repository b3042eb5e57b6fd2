"""What agents can ask of the hub: one turn for one agent, one answer for one turn, and clear refusals."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from core.app import build_app
from core.auth import Caller, KeyRing, current_caller
from core.bell import Bell
from core.chats import Chats, Windows
from core.clock import SystemClock
from core.errors import ChannelError, IdempotencyConflict, NotFound, PeerUnreachable, Rejected, StorageDown
from core.keys import Keys, QueueKeys
from core.messages import IncomingMessage
from core.observability import Metrics
from core.operations import WrongArguments
from orchestrator.app import Orchestrator
from orchestrator.batching import ChatContext
from orchestrator.channels import Channels
from orchestrator.close_now import Gathering
from orchestrator.erasure import Erasure
from orchestrator.gauges import Gauges
from orchestrator.hub import Hub
from orchestrator.hub_parts import HubParts
from orchestrator.manifests import Manifest
from orchestrator.reach import FindsWay, Reach
from orchestrator.settings import OrchestratorSettings
from tests.integration.chats_fixture import SECOND, incoming, incoming_line
from tests.integration.intake_fixture import connect, line_to
from tests.integration.test_debounce import Desk
from tests.integration.test_resolve_scene import Scene, message, scene
from tests.servers import SEALS

KEY = "operator-key-0123456789"
LEASE = 120.0
CHAT = "chat-1"


class FakeMessengers:
    """Servers of Avito and VK; a test may add others, and say which numbers are on WhatsApp."""

    def __init__(self) -> None:
        parts = frozenset({"SendsImages", "SendsDocuments"})
        self.manifests: dict[str, Manifest | None] = {
            "avito": Manifest(parts=parts, accounts=("default", "shop")),
            "vk": Manifest(accounts=("default",)),
        }
        self.numbers: dict[tuple[str, str], str | ChannelError] = {}
        self.looked_up: list[tuple[str, str]] = []

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.manifests)

    async def of(self, channel: str) -> Manifest | None:
        return self.manifests[channel]

    async def chat_of_phone(self, channel: str, account: str, phone: str) -> str:
        self.looked_up.append((account, phone))
        found = self.numbers.get((account, phone), PeerUnreachable())
        if isinstance(found, ChannelError):
            raise found
        return found


class Agents:
    """Agents at the hub, and the customers who write."""

    def __init__(self, desk: Desk, *, gathering: Gathering | None = None, collects: bool = False) -> None:
        self.desk = desk
        self.collects = collects
        self.here: Scene = desk.here
        self.outbox_bell = Bell(desk.line.redis, Keys().bell("outbox"))
        self.messengers = FakeMessengers()
        self.reach = Reach(self.here.pool, self.messengers, self.messengers, desk.line.clock)
        self.hub = self.replica(gathering)
        self._operations = {one.name: one for one in self.hub.operations()}

    def replica(self, gathering: Gathering | None = None, reach: FindsWay | None = None) -> Hub:
        return Hub(
            HubParts(
                pool=self.here.pool,
                clock=self.desk.line.clock,
                turns_bell=self.desk.bell,
                outbox_bell=self.outbox_bell,
                channels=self.messengers.manifests,
                lease_seconds=LEASE,
                gathering=gathering or self.desk.gathering,
                reach=reach or self.reach,
                manifests=self.messengers,
                pause_news=self.desk.pause_news,
                letters=cast(Any, None),  # test_hub_letters.py
                tracing=cast(Any, None),  # test_trace.py
                erasure=Erasure(self.here.pool, self.desk.line.redis, Keys(), self.desk.line.clock),
                collects=self.collects,
            )
        )

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.desk.line.clock.now_ms() / 1000, UTC)

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """As a tool or a route does: validated, and the answer as JSON."""
        answer = await self._operations[name].call(arguments)
        return answer.model_dump(mode="json")

    async def asked_by(self, caller: Caller, name: str, **arguments: Any) -> dict[str, Any]:
        """As `call`, with that caller's key."""
        token = current_caller.set(caller)
        try:
            return await self.call(name, **arguments)
        finally:
            current_caller.reset(token)

    async def customer(self, *texts: str, chat: str = CHAT, vouched: str = "", **more: Any) -> None:
        """A customer has written and been silent: their turn is ready. `vouched`: a phone by the vendor."""
        number = await self.here.value("SELECT count(*) FROM messages_history")
        said: Sequence[IncomingMessage] = [
            message(f"{chat}-{number + place}", text, second=number + place, chat=chat, **more)
            for place, text in enumerate(texts)
        ]
        await self.here.resolve(*said, context=ChatContext(client_phone=vouched))
        await self.desk.bell.ring()

    async def types(self, *texts: str, chat: str = CHAT) -> None:
        """A customer writes and may go on: it is still gathering."""
        await self.desk.write(*(incoming(text, chat, external_user_id="anna") for text in texts))

    async def turn(self, **arguments: Any) -> dict[str, Any]:
        """The next turn, which is there already."""
        turn = await self.call("wait_for_turn", wait_seconds=0, **arguments)
        assert turn["status"] == "turn"
        return turn

    async def none(self) -> bool:
        return bool((await self.call("wait_for_turn", wait_seconds=0))["status"] == "none")

    async def reply(self, turn: dict[str, Any], text: str = "Да", **more: Any) -> dict[str, Any]:
        return await self.call("reply", **lease(turn), text=text, **more)

    async def pass_time(self, seconds: float) -> None:
        await self.desk.line.pass_time(round(seconds * SECOND))

    async def outbound(self) -> list[tuple[Any, ...]]:
        return await self.here.rows("SELECT text, image_url, state FROM outbound ORDER BY seq")


def lease(turn: dict[str, Any]) -> dict[str, str]:
    return {"turn_id": turn["turn_id"], "lease_token": turn["lease_token"]}


def said(turn: dict[str, Any], name: str = "messages") -> list[str]:
    return [one["text_untrusted"] for one in turn[name]]


@asynccontextmanager
async def opened(redis_url: str, database_url: str, *, collects: bool = False) -> AsyncIterator[Agents]:
    async with incoming_line(redis_url) as line, scene(database_url, connections=12) as here:
        yield Agents(Desk(line, here), collects=collects)


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


# --- waiting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 1])
async def test_when_nobody_writes_a_wait_ends_in_time_and_says_so(agents: Agents, seconds: int) -> None:
    started = asyncio.get_running_loop().time()

    answer = await agents.call("wait_for_turn", wait_seconds=seconds)

    took = asyncio.get_running_loop().time() - started
    assert (answer["status"], answer["turn_id"]) == ("none", "")
    assert seconds <= took < seconds + 1
    assert "wait_for_turn" in answer["next_step"]


async def test_a_waiting_agent_is_woken_by_a_turn(agents: Agents) -> None:
    waiting = asyncio.create_task(agents.call("wait_for_turn", wait_seconds=50))
    started = asyncio.get_running_loop().time()
    await agents.customer("Здравствуйте", "цена?")

    turn = await waiting

    assert asyncio.get_running_loop().time() - started < 5
    assert said(turn) == ["Здравствуйте", "цена?"]
    assert (turn["channel"], turn["chat_id"], turn["can_reply"]) == ("avito", CHAT, True)
    assert turn["lease_seconds"] == LEASE


async def test_two_agents_never_get_one_turn(agents: Agents) -> None:
    waiting = [asyncio.create_task(agents.call("wait_for_turn", wait_seconds=2)) for _ in range(8)]
    for number in range(3):
        await agents.customer("Здравствуйте", chat=f"c{number}")

    turns = [turn for turn in await asyncio.gather(*waiting) if turn["status"] == "turn"]

    assert sorted(turn["chat_id"] for turn in turns) == ["c0", "c1", "c2"]
    assert await agents.here.value("SELECT max(attempts) FROM turns") == 1


async def test_of_one_chat_only_one_turn_is_worked_on(agents: Agents) -> None:
    await agents.customer("раз")
    first = await agents.turn()
    await agents.customer("два")

    assert await agents.none()
    await agents.reply(first, force=True)
    assert said(await agents.turn()) == ["два"]


async def test_a_turn_whose_agent_died_is_offered_again_with_another_token(agents: Agents) -> None:
    await agents.customer("Здравствуйте")
    dead = await agents.turn(agent="first")
    await agents.pass_time(LEASE - 1)
    assert await agents.none()
    await agents.pass_time(2)

    again = await agents.turn(agent="second")
    late = await agents.reply(dead)

    assert (again["turn_id"], again["lease_token"] != dead["lease_token"]) == (dead["turn_id"], True)
    assert late["status"] == "stale_lease"
    assert "wait_for_turn" in late["next_step"]
    assert await agents.outbound() == []


async def test_the_agent_is_known_by_its_own_name_or_its_keys(agents: Agents) -> None:
    for chat, name in (("c1", "own"), ("c2", "")):
        await agents.customer("Здравствуйте", chat=chat)
        token = current_caller.set(Caller("by-key"))
        await agents.turn(**{"agent": name} if name else {})
        current_caller.reset(token)

    rows = await agents.here.rows("SELECT leased_by FROM turns ORDER BY id")
    assert rows == [("own",), ("by-key",)]


# --- replying ---------------------------------------------------------------------------------------------


async def test_a_reply_is_queued_and_rings_the_outbox(agents: Agents) -> None:
    await agents.customer("Цена?")

    answer = await agents.reply(await agents.turn(), "5 000 ₽", image_url="https://i/1")

    assert (answer["status"], agents.outbox_bell.ticket) == ("queued", 1)
    assert await agents.outbound() == [("5 000 ₽", "https://i/1", "queued")]
    delivery = await agents.call("get_delivery", delivery_id=answer["delivery_id"])
    assert (delivery["state"], delivery["chat_id"], delivery["attempts"]) == ("queued", CHAT, 0)
    assert await agents.none()


async def test_a_reply_may_have_buttons_a_quote_or_a_file(agents: Agents) -> None:
    rows = "SELECT buttons, reply_to, file_url, file_kind FROM outbound ORDER BY seq"
    await agents.customer("Когда приехать?")
    turn = await agents.turn()
    await agents.reply(turn, "Когда удобно?", buttons=["Утром", " Днём "], reply_to="chat-1-0")
    await agents.call(
        "send_message", channel="avito", chat_id=CHAT, file_url="https://f", file_kind="document"
    )

    assert await agents.here.rows(rows) == [
        (["Утром", "Днём"], "chat-1-0", "", ""),
        ([], "", "https://f", "document"),
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"buttons": ["x" * 41]}, "1 to 40 characters"),
        ({"file_url": "https://f"}, "go together"),
        ({"file_url": "https://f", "file_kind": "voice"}, "avito carries no files of the kind voice"),
    ],
)
async def test_what_cannot_be_sent_is_refused_in_words_and_the_turn_stays(
    agents: Agents, more: dict[str, Any], words: str
) -> None:
    await agents.customer("Когда?")
    turn = await agents.turn()

    with pytest.raises(Rejected, match=words):
        await agents.reply(turn, "Когда?", **more)
    with pytest.raises(Rejected, match=words):
        await agents.call("send_message", channel="avito", chat_id=CHAT, text="Когда?", **more)

    assert (await agents.reply(turn))["status"] == "queued"


@pytest.mark.promise("one-reply")
async def test_the_same_turn_is_answered_once(agents: Agents) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()

    answers = await asyncio.gather(*(agents.reply(turn, f"ответ {number}") for number in range(5)))

    statuses = sorted(answer["status"] for answer in answers)
    assert statuses == ["already_answered"] * 4 + ["queued"]
    assert len({answer["delivery_id"] for answer in answers}) == 1
    assert len(await agents.outbound()) == 1


async def test_who_waits_when_the_hub_stops_is_told_soon(agents: Agents) -> None:
    """A waiting agent must not hold a stopping process for ten seconds."""
    async with asyncio.timeout(10):
        waiting = asyncio.create_task(agents.call("wait_for_turn", wait_seconds=50))
        await asyncio.wait([waiting], timeout=0.1)
        agents.hub.stop()

        assert (await waiting)["status"] == "none"


async def test_a_turn_that_was_given_back_stands_behind_those_who_waited(agents: Agents) -> None:
    """An agent that refuses one customer must not be shown that one for ever."""
    await agents.types("раз", chat="first")
    await agents.types("два", chat="second")
    await agents.desk.work()
    seen = []
    for _ in range(4):
        turn = await agents.turn()
        seen.append(turn["chat_id"])
        await agents.pass_time(1)
        await agents.call("release_turn", **lease(turn))

    assert seen == ["first", "second", "first", "second"]


@pytest.mark.promise("fresh-reply")
async def test_a_reply_that_missed_a_newer_turn_is_refused_with_its_messages(agents: Agents) -> None:
    await agents.customer("Сколько стоит экран?")
    turn = await agents.turn()
    await agents.customer("Ой, батарея")

    refused = await agents.reply(turn, "Экран стоит 7 900 ₽.")
    again = await agents.reply(turn | {"lease_token": refused["lease_token"]}, "Батарея стоит 2 500 ₽.")

    assert (refused["status"], said(refused, "new_messages")) == ("superseded", ["Ой, батарея"])
    assert again["status"] == "queued"
    assert [text for text, *_ in await agents.outbound()] == ["Батарея стоит 2 500 ₽."]
    assert await agents.none()


@pytest.mark.promise("fresh-reply")
async def test_messages_that_are_still_gathering_count_too(agents: Agents) -> None:
    await agents.customer("Сколько стоит экран?")
    turn = await agents.turn()
    await agents.types("Ой, батарея", "а не экран")

    refused = await agents.reply(turn, "Экран стоит 7 900 ₽.")

    assert refused["status"] == "superseded"
    assert said(refused, "new_messages") == ["Ой, батарея", "а не экран"]


async def test_an_agent_that_lost_the_refusal_is_told_again(agents: Agents) -> None:
    await agents.customer("раз")
    turn = await agents.turn()
    await agents.customer("два")

    first, second = await agents.reply(turn), await agents.reply(turn)

    assert first["status"] == second["status"] == "superseded"
    assert said(second, "new_messages") == ["два"]


async def test_a_forced_reply_goes_out_although_the_customer_wrote_on(agents: Agents) -> None:
    await agents.customer("раз")
    turn = await agents.turn()
    await agents.types("два")

    assert (await agents.reply(turn, force=True))["status"] == "queued"
    assert (await agents.desk.line.survey())[0] == 1


@pytest.mark.promise("one-turn")
async def test_a_late_or_repeated_reply_does_not_end_what_the_customer_is_writing(agents: Agents) -> None:
    """Whoever has no lease any more must not cut a burst in two."""
    await agents.customer("раз")
    turn = await agents.turn()
    await agents.reply(turn)
    await agents.types("два,")

    repeated = await agents.reply(turn)
    forged = await agents.reply(turn | {"lease_token": "99.0"})

    assert (repeated["status"], forged["status"]) == ("already_answered", "stale_lease")
    assert (await agents.desk.line.survey())[0] == 1
    assert await agents.none()


@pytest.mark.parametrize("text", ["", "  ", "\u0000"])
async def test_a_reply_without_words_is_refused_and_the_turn_stays(agents: Agents, text: str) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()

    with pytest.raises(Rejected, match="text or an image_url"):
        await agents.reply(turn, text)

    assert (await agents.reply(turn))["status"] == "queued"


async def test_a_picture_address_that_no_database_holds_is_refused(agents: Agents) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()

    with pytest.raises(Rejected):
        await agents.reply(turn, image_url="https://i/\u0000")

    assert (await agents.reply(turn))["status"] == "queued"


async def test_a_channel_without_a_server_can_only_be_skipped(agents: Agents) -> None:
    await agents.customer("Заявка", channel="form")
    turn = await agents.turn()
    assert turn["can_reply"] is False

    with pytest.raises(PeerUnreachable, match="'form' has no way back"):
        await agents.reply(turn)

    skipped = await agents.call("skip_turn", **lease(turn), reason="заявка записана")
    assert (skipped["status"], skipped["delivery_id"]) == ("closed", "")


async def test_without_redis_a_reply_is_refused_as_something_to_repeat(
    redis_url: str, database_url: str
) -> None:
    """What the customer is writing cannot be seen now; nothing goes out past it."""
    async with (
        line_to(redis_url) as line,
        scene(database_url) as here,
        incoming_line(line.url) as queue,
        connect(redis_url) as other,
    ):
        desk = Desk(queue, here)
        desk.bell = Bell(other, "bell:turns")
        agents = Agents(desk)
        await agents.customer("Цена?")
        turn = await agents.turn()
        await line.cut()

        with pytest.raises(StorageDown):
            await agents.reply(turn)

        await line.mend()
        assert (await agents.reply(turn))["status"] == "queued"


# --- keeping and giving back ------------------------------------------------------------------------------


async def test_a_skipped_turn_is_done(agents: Agents) -> None:
    await agents.customer("спасибо")
    turn = await agents.turn()

    first = await agents.call("skip_turn", **lease(turn), reason="\u0000нечего сказать")
    second = await agents.call("skip_turn", **lease(turn))

    assert first["status"] == second["status"] == "closed"
    assert await agents.none()
    assert await agents.outbound() == []


async def test_a_skip_that_missed_a_message_is_refused_with_it(agents: Agents) -> None:
    await agents.customer("спасибо")
    turn = await agents.turn()
    await agents.customer("и ещё вопрос")

    refused = await agents.call("skip_turn", **lease(turn))

    assert (refused["status"], said(refused, "new_messages")) == ("superseded", ["и ещё вопрос"])


async def test_an_answered_turn_cannot_be_skipped(agents: Agents) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()
    answered = await agents.reply(turn)

    skipped = await agents.call("skip_turn", **lease(turn))

    assert (skipped["status"], skipped["delivery_id"]) == ("already_answered", answered["delivery_id"])


async def test_an_extended_turn_is_offered_to_nobody(agents: Agents) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()
    await agents.pass_time(LEASE - 1)

    assert (await agents.call("extend_turn", **lease(turn)))["status"] == "extended"

    await agents.pass_time(LEASE - 1)
    assert await agents.none()
    await agents.pass_time(2)
    assert (await agents.turn())["turn_id"] == turn["turn_id"]


async def test_a_released_turn_wakes_the_next_agent(agents: Agents) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()
    waiting = asyncio.create_task(agents.call("wait_for_turn", wait_seconds=50))

    released = await agents.call("release_turn", **lease(turn))

    assert released["status"] == "released"
    assert (await waiting)["turn_id"] == turn["turn_id"]


@pytest.mark.parametrize("name", ["reply", "skip_turn", "extend_turn", "release_turn"])
async def test_whoever_has_no_lease_changes_nothing(agents: Agents, name: str) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()
    text = {"text": "Да"} if name == "reply" else {}

    answer = await agents.call(name, **lease(turn) | {"lease_token": "99.1"}, **text)
    huge = await agents.call(name, **lease(turn) | {"lease_token": "9" * 50}, **text)

    assert answer["status"] == huge["status"] == "stale_lease"
    assert (await agents.reply(turn))["status"] == "queued"


@pytest.mark.parametrize("name", ["reply", "skip_turn", "extend_turn", "release_turn"])
@pytest.mark.parametrize("token", ["x", "1.x", "-1.0", "1;DROP"])
async def test_a_token_that_is_none_is_refused_by_name(agents: Agents, name: str, token: str) -> None:
    text = {"text": "Да"} if name == "reply" else {}

    with pytest.raises(Rejected, match="lease_token"):
        await agents.call(name, turn_id="1", lease_token=token, **text)


async def test_a_turn_that_is_not_there_is_told(agents: Agents) -> None:
    with pytest.raises(NotFound, match="no turn 404"):
        await agents.call("reply", turn_id="404", lease_token="1.0", text="Да")
    for name in ("skip_turn", "extend_turn", "release_turn"):
        assert (await agents.call(name, turn_id="404", lease_token="1.0"))["status"] == "stale_lease"


@pytest.mark.parametrize("bad", ["", "x", "-1", "1 ", "9" * 19, "1.5", "\u0000"])
@pytest.mark.parametrize(
    ("name", "field"), [("reply", "turn_id"), ("get_appeal", "appeal_id"), ("close_appeal", "appeal_id")]
)
async def test_an_id_that_is_none_is_refused_by_field(
    agents: Agents, name: str, field: str, bad: str
) -> None:
    more = {"lease_token": "1.0"} if name == "reply" else {}

    with pytest.raises(WrongArguments, match=field):
        await agents.call(name, **{field: bad}, **more)


# --- appeals ----------------------------------------------------------------------------------------------


async def test_a_closed_appeal_is_opened_again_by_a_message_soon_after(agents: Agents) -> None:
    await agents.customer("Первый вопрос")
    first = await agents.turn()
    await agents.reply(first)

    closed = await agents.call("close_appeal", appeal_id=first["appeal_id"], reason="готово")
    again = await agents.call("close_appeal", appeal_id=first["appeal_id"])
    await agents.customer("Второй вопрос")
    second = await agents.turn()

    assert closed["status"] == again["status"] == "resolved"
    assert second["appeal_id"] == first["appeal_id"]
    assert second["client_id"] == first["client_id"]
    told = await agents.here.rows("SELECT reason FROM appeal_events WHERE to_status = 'resolved'")
    assert told == [("готово",)]


async def test_an_appeal_shows_who_said_what(agents: Agents) -> None:
    await agents.customer("Цена?")
    turn = await agents.turn()
    await agents.reply(turn, "5 000 ₽")

    appeal = await agents.call("get_appeal", appeal_id=turn["appeal_id"])

    assert [(one["sender"], one["text_untrusted"]) for one in appeal["messages"]] == [
        ("customer", "Цена?"),
        ("agent", "5 000 ₽"),
    ]


@pytest.mark.parametrize("name", ["get_appeal", "close_appeal"])
async def test_an_appeal_that_is_not_there_is_told(agents: Agents, name: str) -> None:
    with pytest.raises(NotFound, match="no appeal 404"):
        await agents.call(name, appeal_id="404")


async def test_appeals_are_listed_page_by_page(agents: Agents) -> None:
    for number in range(5):
        await agents.customer("?", chat=f"c{number}", external_user_id=f"u{number}")
    first = await agents.call("list_appeals", limit=3)
    rest = await agents.call("list_appeals", limit=3, cursor=first["next_cursor"])

    listed = [one["chat_id"] for one in first["appeals"] + rest["appeals"]]
    assert sorted(listed) == [f"c{number}" for number in range(5)]
    assert rest["next_cursor"] == ""


async def test_appeals_are_chosen_by_state_and_channel(agents: Agents) -> None:
    await agents.customer("?", chat="c1")
    await agents.customer("?", chat="c2", channel="vk", external_user_id="v")
    done = await agents.turn()
    await agents.call("close_appeal", appeal_id=done["appeal_id"])

    async def chats(**chosen: Any) -> set[str]:
        return {one["chat_id"] for one in (await agents.call("list_appeals", **chosen))["appeals"]}

    assert await chats() == {"c2"}
    assert await chats(status="resolved") == {"c1"}
    assert await chats(status="all") == {"c1", "c2"}
    assert await chats(status="all", channel="vk") == {"c2"}
    assert await chats(channel="nothing") == set()
    with pytest.raises(Rejected, match="channel"):
        await chats(channel="\u0000")


@pytest.mark.parametrize("cursor", ["x", "|", "2026-11-22|", "|5", "2026-11-22T00:00:00|x", "\u0000|1"])
async def test_a_cursor_that_is_none_is_refused_by_name(agents: Agents, cursor: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        await agents.call("list_appeals", cursor=cursor)


# --- writing outside a turn -------------------------------------------------------------------------------


async def test_a_message_outside_a_turn_is_queued(agents: Agents) -> None:
    answer = await agents.call("send_message", channel="avito", chat_id="c/1 {x}", text="Готово", account="b")

    assert (answer["status"], agents.outbox_bell.ticket) == ("queued", 1)
    delivery = await agents.call("get_delivery", delivery_id=answer["delivery_id"])
    assert (delivery["chat_id"], delivery["account"], delivery["state"]) == ("c/1 {x}", "b", "queued")


async def test_a_repeated_key_is_one_message_and_without_one_there_are_two(agents: Agents) -> None:
    message = {"channel": "avito", "chat_id": CHAT, "text": "Готово"}

    keyed = [await agents.call("send_message", **message, idempotency_key="k") for _ in range(2)]
    loose = [await agents.call("send_message", **message) for _ in range(2)]

    assert [one["status"] for one in keyed] == ["queued", "duplicate"]
    assert keyed[0]["delivery_id"] == keyed[1]["delivery_id"]
    assert [one["status"] for one in loose] == ["queued", "queued"]
    assert len(await agents.outbound()) == 3


@pytest.mark.parametrize("other", [{"text": "Нет"}, {"chat_id": "c2"}])
async def test_a_key_stands_for_one_message_only(agents: Agents, other: dict[str, str]) -> None:
    message = {"channel": "avito", "chat_id": CHAT, "text": "Да", "idempotency_key": "k"}
    await agents.call("send_message", **message)

    with pytest.raises(IdempotencyConflict) as caught:
        await agents.call("send_message", **message | other)
    assert caught.value.code == "idempotency_conflict"
    assert len(await agents.outbound()) == 1


async def test_the_same_key_on_another_channel_or_account_is_another_message(agents: Agents) -> None:
    message = {"chat_id": CHAT, "text": "Да", "idempotency_key": "k"}
    places = [{"channel": "avito"}, {"channel": "vk"}, {"channel": "avito", "account": "b"}]

    answers = [await agents.call("send_message", **message, **place) for place in places]

    assert [one["status"] for one in answers] == ["queued"] * 3


@pytest.mark.parametrize("channel", ["form", "pager", "", "\u0000"])
async def test_a_channel_that_cannot_be_written_to_is_named_with_those_that_can(
    agents: Agents, channel: str
) -> None:
    with pytest.raises(Rejected, match="known: avito, vk"):
        await agents.call("send_message", channel=channel, chat_id="c", text="Да")


@pytest.mark.parametrize("wrong", [{"text": " "}, {"account": "Не счёт"}, {"chat_id": "\u0000"}])
async def test_a_message_that_cannot_be_one_is_refused(agents: Agents, wrong: dict[str, str]) -> None:
    message = {"channel": "avito", "chat_id": CHAT, "text": "Да"}

    with pytest.raises(Rejected):
        await agents.call("send_message", **message | wrong)
    assert await agents.outbound() == []


@pytest.mark.parametrize("delivery", ["", "x", "\u0000", "00000000-0000-0000-0000-000000000000"])
async def test_a_delivery_that_is_not_there_is_told(agents: Agents, delivery: str) -> None:
    with pytest.raises(NotFound, match="no such delivery"):
        await agents.call("get_delivery", delivery_id=delivery)


# --- the whole service, in this process -------------------------------------------------------------------


class Vendor:
    """The server of Avito: it takes what it is sent and knows each chat's customer."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/info":
            accounts = {"default": {"vendor_up": True}}
            return httpx.Response(200, json={"capabilities": {"parts": ["ShowsChats"]}, "accounts": accounts})
        if request.method == "GET":
            chat_id = unquote(request.url.raw_path.decode().rpartition("/")[2].partition("?")[0])
            return httpx.Response(200, json={"chat_id": chat_id, "client_name_untrusted": "Анна"})
        self.taken.append(json.loads(request.content))
        return httpx.Response(200, json={"message_ids": [f"m{len(self.taken)}"]})


class House:
    """An orchestrator that runs, its operator's door, and the vendor behind it."""

    def __init__(self, vendor: Vendor, http: httpx.AsyncClient, redis: Redis, metrics: Metrics) -> None:
        self.vendor = vendor
        self.http = http
        self.redis = redis
        self.metrics = metrics

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)

    async def turn(self) -> dict[str, Any]:
        answer = (await self.post("/api/turns/wait", {"wait_seconds": 20})).json()
        assert answer["status"] == "turn"
        return dict(answer)

    async def delivery(self, delivery_id: str, state: str) -> dict[str, Any]:
        """The delivery, once it is in that state; asked again and again over the same door."""
        async with asyncio.timeout(20):
            while True:
                found = (await self.http.get(f"/api/deliveries/{delivery_id}")).json()
                if found["state"] == state:
                    return dict(found)


@asynccontextmanager
async def house(redis_url: str, database_url: str, **more: Any) -> AsyncIterator[House]:
    settings = OrchestratorSettings(
        database_url=SecretStr(database_url),
        channel_api_key=SecretStr("x" * 20),
        **{"silence_seconds": 0.01, "longest_seconds": 1, **more},
    )
    vendor = Vendor()
    async with (
        scene(database_url) as here,
        connect(redis_url) as redis,
        httpx.AsyncClient(transport=httpx.MockTransport(vendor.handle)) as to_vendor,
    ):
        orchestrator = Orchestrator(
            settings,
            redis=redis,
            pool=here.pool,
            channels=Channels({"avito": "http://avito.test"}, to_vendor),
            clock=SystemClock(),
            keys=Keys(),
        )
        ring = KeyRing.parse(SecretStr(f"operator={KEY}"))
        app = build_app(orchestrator.parts(ring, state_keys=SEALS))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8780", headers={"X-API-Key": KEY}, timeout=60
            ) as http,
        ):
            yield House(vendor, http, redis, orchestrator.metrics)


async def test_a_message_goes_all_the_way_and_the_answer_back(redis_url: str, database_url: str) -> None:
    chat = "peer 77/{a}:b@c"
    async with house(redis_url, database_url) as here:
        await here.redis.rpush(Keys().incoming.source, json.dumps(incoming("Цена?", chat)))
        turn = await here.turn()
        answer = (
            await here.post(f"/api/turns/{turn['turn_id']}/reply", {**_token(turn), "text": "5"})
        ).json()
        delivery = await here.delivery(answer["delivery_id"], "sent")

        assert (turn["chat_id"], said(turn), turn["client_name_untrusted"]) == (chat, ["Цена?"], "Анна")
        assert delivery["vendor_message_ids"] == ["m1"]
        assert here.vendor.taken == [
            {"chat_id": chat, "account": "default", "text": "5", "idempotency_key": answer["delivery_id"]}
        ]


async def test_refusals_reach_a_rest_client_with_their_codes(redis_url: str, database_url: str) -> None:
    message = {"channel": "avito", "chat_id": "c", "text": "Да"}
    async with house(redis_url, database_url) as here:
        first = await here.post("/api/messages/send", message, **{"Idempotency-Key": "k"})
        again = await here.post("/api/messages/send", message, **{"Idempotency-Key": "k"})
        conflict = await here.post(
            "/api/messages/send", message | {"text": "Нет"}, **{"Idempotency-Key": "k"}
        )
        unknown = await here.post("/api/messages/send", message | {"channel": "vk"})
        bad_token = await here.post("/api/turns/1/reply", {"lease_token": "x", "text": "Да"})
        nothing = await here.http.get("/api/appeals/404")
        wrong = await here.http.get("/api/appeals/x")

        assert (first.json()["status"], again.json()["status"]) == ("queued", "duplicate")
        refusals = [(one.status_code, one.json()["code"]) for one in (conflict, unknown, bad_token, nothing)]
        assert refusals == [
            (409, "idempotency_conflict"),
            (422, "rejected"),
            (422, "rejected"),
            (404, "not_found"),
        ]
        assert [error["field"] for error in wrong.json()["errors"]] == ["appeal_id"]


async def test_the_service_tells_how_it_is_set_and_how_deep_its_queues_are(
    redis_url: str, database_url: str
) -> None:
    async with house(redis_url, database_url) as here:
        await here.redis.hset(Keys().incoming.dead, "letter", "{}")
        lanes = {"incoming": _chats(here.redis, Keys().incoming, IncomingMessage)}
        await Gauges(here.metrics, lanes).measure()

        info = (await here.http.get("/info")).json()
        metrics = (await here.http.get("/metrics")).text
        health = (await here.http.get("/health", headers={"X-API-Key": ""})).json()

        assert health == {"status": "ok", "service": "orchestrator"}
        assert (info["channels"], info["silence_seconds"]) == (["avito"], 0.01)
        assert set(info["queues"]["incoming"]) >= {"source", "taken", "pending", "live_chats", "dead"}
        assert 'eldoleado_queue_depth{place="dead",queue="incoming"} 1.0' in metrics


async def test_the_service_ends_at_once_when_a_waiting_agent_hung_up(
    redis_url: str, database_url: str
) -> None:
    async with asyncio.timeout(20), house(redis_url, database_url) as here:
        waiting = asyncio.create_task(here.post("/api/turns/wait", {"wait_seconds": 50}))
        await asyncio.wait([waiting], timeout=0.1)
        waiting.cancel()


def _token(turn: dict[str, Any]) -> dict[str, str]:
    return {"lease_token": turn["lease_token"]}


def _chats(redis: Redis, keys: QueueKeys, model: type[IncomingMessage]) -> Chats[IncomingMessage]:
    return Chats(redis, keys, windows=Windows(), lease_ms=1000, model=model)
