"""The life of a case: every arrow of docs/appeals.md is walked, and what is not drawn is refused."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from core.bell import Bell
from core.errors import StateConflict
from core.keys import Keys
from orchestrator import ways
from orchestrator.appeal_changes import (
    Marks,
    Step,
    add_note,
    close_appeal,
    journal_of,
    mark,
    notes_of,
    step_to,
)
from orchestrator.appeal_states import ARROWS, STATUSES, TAKE_OVERS
from orchestrator.appeals import find_appeal
from orchestrator.clients import chat_key
from orchestrator.clockwork import Clockwork
from orchestrator.hand_off import hand_off
from orchestrator.pauses import Grounds, put_pause, renewed
from orchestrator.rules import Rules
from orchestrator.store.queries import sql
from orchestrator.takeover import give_back, take_over
from orchestrator.turns import Committed, LeasedTurn, commit_silence, lease_next_turns
from orchestrator.ways import Way
from tests.integration.chats_fixture import ManualClock
from tests.integration.intake_fixture import connect
from tests.integration.test_resolve_scene import LEASE_SECONDS, Scene, message, scene

DOC = Path(__file__).parent.parent.parent / "docs" / "appeals.md"
RULES = Rules()
HOUR, DAY = 3600.0, 24 * 3600.0
#: What somebody asks for; all else happens by itself or is the customer's.
ASKED = ("open", "wait_for_client", "snooze", "resolve", "resume", *TAKE_OVERS, "agent_replies")


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=12) as opened:
        yield opened


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect(redis_url) as opened:
        yield opened


def drawn() -> dict[tuple[str, str], str]:
    """The arrows of the drawing: {(from, event): to}; "" is where a case begins."""
    arrows: dict[tuple[str, str], str] = {}
    for start, end, events in re.findall(r"^ +(\S+) --> (\w+): (.+)$", DOC.read_text("utf-8"), re.MULTILINE):
        for event in events.split(", "):
            arrows["" if start == "[*]" else start, event.strip()] = end
    return arrows


def clockwork(here: Scene, redis: Redis, rules: Rules = RULES) -> Clockwork:
    clock = ManualClock(round(here.now.timestamp() * 1000))
    return Clockwork(here.pool, rules, turns_bell=Bell(redis, Keys().bell("turns")), clock=clock)


class Case:
    """A case of a client of its own, with a turn that an agent works on."""

    def __init__(self, here: Scene, redis: Redis, name: str) -> None:
        self.here = here
        self.redis = redis
        self.name = name
        self.said = 0
        self.id = 0
        self.turn_id: int | None = None
        self.turn: LeasedTurn | None = None

    @property
    def chat(self) -> tuple[str, str, str]:
        return ("avito", "default", f"chat-{self.name}")

    async def writes(self, event: str = "message") -> None:
        self.said += 1
        second = (self.here.now - message("0").timestamp).total_seconds()
        told = message(
            f"{self.name}-{self.said}",
            second=second,
            chat=self.chat[2],
            external_user_id=f"user-{self.name}",
            event=event,
        )
        resolved = await self.here.resolve(told)
        self.id = resolved.appeal_id or self.id
        self.turn_id = resolved.turn_id

    async def status(self) -> str:
        appeal = await find_appeal(self.here.pool, self.id)
        assert appeal is not None
        return appeal.status

    async def put_into(self, state: str, event: str) -> None:
        """Bring the case into a state; the turn stays leased where nobody takes it."""
        if event == "customer_writes_in_pause" and state != "handed_off":
            await self.paused_quietly()
        if not state:
            return
        await self.writes()
        assert self.id
        leased = await lease_next_turns(
            self.here.pool, ["ai"], lease_seconds=LEASE_SECONDS, now=self.here.now, turn_id=self.turn_id
        )
        self.turn = leased[0] if leased else None
        if event == "inactivity" and self.turn is not None:
            await commit_silence(self.here.pool, self.turn.lease, now=self.here.now)
        if state == "handed_off" or (state == "resolved" and event in ("resume", "pause_ends")):
            await self.take_over("command")
        if event == "customer_writes_in_pause":
            await self.here.pool.execute("UPDATE appeals SET status = 'open' WHERE id = $1", self.id)
        steps = {"waiting_client": "wait_for_client", "snoozed": "snooze", "resolved": "resolve"}
        if state in steps:
            await self.asks(steps[state])
        if event == "customer_writes_in_pause" and state == "handed_off":
            await self.here.pool.execute("UPDATE appeals SET status = 'handed_off' WHERE id = $1", self.id)
        assert await self.status() == state

    async def paused_quietly(self) -> None:
        """A person has the conversation from before there was a case."""
        async with self.here.pool.acquire() as connection:
            grounds = Grounds("command", until=self.here.now + timedelta(days=1))
            await put_pause(connection, renewed(None, self.chat, grounds, self.here.now))

    async def take_over(self, cause: Any) -> None:
        grounds = Grounds(cause, "anna", "asked for a person", until=self.here.now + timedelta(hours=1))
        async with self.here.pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("lock_keys"), [chat_key(*self.chat)])
            await take_over(connection, self.chat, grounds, self.here.now)

    async def asks(self, event: str) -> None:
        until = self.here.now + timedelta(hours=1) if event == "snooze" else None
        step = Step(event, "anna", "why not", until)  # type: ignore[arg-type]  # read from the drawing
        await step_to(self.here.pool, self.id, step, self.here.now)

    async def do(self, event: str) -> None:
        """Make the event happen; StateConflict when it is refused."""
        happens = {
            "customer_writes": self._write_after_a_pause,
            "customer_writes_in_pause": self.writes,
            "agent_replies": self._reply,
            "hand_off": self._hand_off,
            "resume": self._resume,
            "goes_on_elsewhere": self._go_on_elsewhere,
        }
        if event in happens:
            await happens[event]()
        elif event == "operator_writes":
            await self.writes("operator_message")
        elif event == "pause":
            await self.take_over("command")
        elif event in ("wake", "pause_ends", "inactivity"):
            self.here.pass_time(15 * DAY if event == "inactivity" else 2 * HOUR)
            await clockwork(self.here, self.redis).sweep()
        else:
            await self.asks(event)

    async def _write_after_a_pause(self) -> None:
        if self.id and await self.status() == "handed_off":
            self.here.pass_time(2 * HOUR)  # the pause is over, and nobody has noticed yet
        await self.writes()

    async def _hand_off(self) -> None:
        assert self.turn is not None
        lease, now = self.turn.lease, self.here.now
        await hand_off(self.here.pool, lease, reason="why", by="ai", rules=RULES, now=now)

    async def _reply(self) -> None:
        assert self.turn is not None
        if not isinstance(outcome := await self.here.reply(self.turn), Committed):
            raise StateConflict(f"The reply was refused: {outcome}.")

    async def _resume(self) -> None:
        async with self.here.pool.acquire() as connection, connection.transaction():
            if await give_back(connection, self.chat, by="anna", now=self.here.now) is None:
                raise StateConflict("This conversation is not paused.")

    async def _go_on_elsewhere(self) -> None:
        client = await self.here.value("SELECT client_id FROM appeals WHERE id = $1", self.id)
        there = f"there-{self.name}"
        await self.here.resolve(message(there, chat=there, external_user_id=there, channel="whatsapp"))
        for table, column in (
            ("appeals", "external_chat_id"),
            ("messages_history", "external_chat_id"),
            ("identities", "external_user_id"),
        ):
            query = f"UPDATE {table} SET client_id = $1 WHERE {column} = $2"  # noqa: S608  # names of ours
            await self.here.pool.execute(query, client, there)
        async with self.here.pool.acquire() as connection, connection.transaction():
            way = Way("whatsapp", "default", there)
            await ways.go(connection, way, client_id=client, appeal_id=self.id, now=self.here.now)


def test_the_drawing_and_the_program_have_the_same_arrows() -> None:
    inside = {arrow: to for arrow, to in drawn().items() if arrow[0]}

    assert inside == ARROWS
    assert {event for state, event in drawn() if not state} == {"customer_writes", "customer_writes_in_pause"}


@pytest.mark.promise("appeal-states")
async def test_every_arrow_of_the_drawing_is_walked_and_journaled(here: Scene, redis: Redis) -> None:
    for number, ((state, event), to) in enumerate(drawn().items()):
        case = Case(here, redis, str(number))
        await case.put_into(state, event)
        before = len(await journal_of(here.pool, case.id))

        await case.do(event)

        assert await case.status() == to, f"{state or '[*]'} --> {to}: {event}"
        journal = await journal_of(here.pool, case.id)
        if state == to:
            assert len(journal) in (before, before + 1)
        else:
            assert (journal[-1].from_status, journal[-1].to_status) == (state, to)
            assert journal[-1].event == event
            assert journal[-1].actor
            assert journal[-1].at == here.now


@pytest.mark.promise("appeal-states")
async def test_what_is_not_drawn_is_refused_and_changes_nothing(here: Scene, redis: Redis) -> None:
    arrows = drawn()
    missing = [(state, event) for state in STATUSES for event in ASKED if (state, event) not in arrows]
    assert ("handed_off", "agent_replies") in missing
    for number, (state, event) in enumerate(missing):
        case = Case(here, redis, str(number))
        await case.put_into(state, event)

        with pytest.raises(StateConflict) as refused:
            await case.do(event)

        assert await case.status() == state, f"{state}: {event}"
        assert event == "agent_replies" or state in str(refused.value) or "not paused" in str(refused.value)


@pytest.mark.promise("one-open-appeal")
async def test_three_photos_forwarded_at_once_open_one_case(here: Scene) -> None:
    """Three photos forwarded at once that open three conversations (chatwoot#14058); here are twenty."""
    photo = {"has_images": True, "images": [{"url": "https://i/1"}]}
    resolved = await asyncio.gather(
        *(here.resolve(message(str(n), chat=f"chat-{n}", media=photo)) for n in range(20))
    )

    assert len({one.appeal_id for one in resolved}) == 1
    assert await here.value("SELECT count(*) FROM appeals") == 1


@pytest.mark.promise("one-open-appeal")
async def test_closing_reopening_and_writing_at_once_never_make_two_open_cases(here: Scene) -> None:
    first = await here.resolve(message("0"))
    appeal = first.appeal_id or 0

    async def close() -> None:
        await close_appeal(here.pool, appeal, reason="", now=here.now)

    moves: list[Any] = []
    for number in range(1, 9):
        moves += [here.resolve(message(str(number), chat=f"c{number}")), close()]
    await asyncio.gather(*moves)

    assert await here.value("SELECT count(*) FROM appeals") == 1, "a message soon after the end reopens"


@pytest.mark.promise("reopened")
@pytest.mark.parametrize(("later", "same"), [(3 * DAY - 1, True), (3 * DAY, False)])
async def test_a_message_within_the_window_opens_the_same_case_again(
    here: Scene, later: float, same: bool
) -> None:
    first = await here.resolve(message("1"))
    await close_appeal(here.pool, first.appeal_id or 0, reason="sold", now=here.now, by="anna")
    here.pass_time(later)
    second = await here.resolve(message("2"))

    appeal = await find_appeal(here.pool, second.appeal_id or 0)
    assert appeal is not None
    assert (second.appeal_id == first.appeal_id) is same
    assert (appeal.status, appeal.closed_at, appeal.close_reason) == ("open", None, "")
    assert (appeal.reopened_at, appeal.reopen_count) == ((here.now, 1) if same else (None, 0))


async def test_the_latest_of_several_ended_cases_is_reopened(here: Scene) -> None:
    ids = []
    for number in range(2):
        ids.append((await here.resolve(message(str(number)))).appeal_id or 0)
        await close_appeal(here.pool, ids[-1], reason="", now=here.now)
        here.pass_time(4 * DAY)
    here.pass_time(-2 * DAY)

    assert (await here.resolve(message("9"))).appeal_id == ids[1]


async def test_an_old_case_cannot_be_reopened_by_hand_beside_a_newer_one(here: Scene) -> None:
    first = await here.resolve(message("1"))
    await close_appeal(here.pool, first.appeal_id or 0, reason="", now=here.now)
    here.pass_time(4 * DAY)
    await here.resolve(message("2"))

    with pytest.raises(StateConflict, match="another open appeal"):
        await step_to(here.pool, first.appeal_id or 0, Step("open", "anna"), here.now)


@pytest.mark.promise("auto-close")
async def test_a_case_at_rest_is_closed_once_by_any_of_several_replicas(here: Scene, redis: Redis) -> None:
    rested = await here.resolve(message("1", chat="rested", external_user_id="u1"))
    await here.reply(await here.leased())
    here.pass_time(DAY)
    moved = await here.resolve(message("1", chat="moved", external_user_id="u2"))
    await here.reply(await here.leased())
    here.pass_time(-DAY)
    unanswered = await here.resolve(message("1", chat="unanswered", external_user_id="u3"))
    here.pass_time(14 * DAY - 1)
    await clockwork(here, redis).sweep()
    assert await here.value("SELECT count(*) FROM appeals WHERE closed_at IS NULL") == 3

    here.pass_time(1)
    await asyncio.gather(*(clockwork(here, redis).sweep() for _ in range(5)))

    closed = await here.rows("SELECT id, close_reason FROM appeals WHERE closed_at IS NOT NULL")
    assert closed == [(rested.appeal_id, "inactivity")]
    assert {moved.appeal_id, unanswered.appeal_id}.isdisjoint({rested.appeal_id})
    entries = [one.event for one in await journal_of(here.pool, rested.appeal_id or 0)]
    assert entries == ["customer_writes", "agent_replies", "inactivity"]


async def test_a_deployment_may_never_close_by_itself(here: Scene, redis: Redis) -> None:
    await here.resolve(message("1"))
    await here.reply(await here.leased())
    here.pass_time(1000 * DAY)

    await clockwork(here, redis, Rules(auto_close_after=None)).sweep()

    assert await here.value("SELECT status FROM appeals") == "waiting_client"


async def test_a_snooze_that_was_put_off_does_not_wake(here: Scene, redis: Redis) -> None:
    case = Case(here, redis, "1")
    await case.put_into("snoozed", "")
    here.pass_time(0.5 * HOUR)
    await case.asks("snooze")
    here.pass_time(0.75 * HOUR)
    await clockwork(here, redis).sweep()
    assert await case.status() == "snoozed"

    here.pass_time(0.25 * HOUR)
    await clockwork(here, redis).sweep()
    assert await case.status() == "open"


async def test_a_reply_leaves_the_case_open_while_another_turn_of_it_waits(here: Scene) -> None:
    first = await here.resolve(message("1"))
    leased = await here.leased()
    await here.resolve(message("2", chat="chat-2"))
    await here.reply(leased)
    assert await here.value("SELECT status FROM appeals WHERE id = $1", first.appeal_id) == "open"

    await here.reply(await here.leased())
    assert await here.value("SELECT status FROM appeals WHERE id = $1", first.appeal_id) == "waiting_client"


async def test_tags_are_a_small_set_and_priorities_have_names(here: Scene) -> None:
    appeal = (await here.resolve(message("1"))).appeal_id or 0
    await mark(here.pool, appeal, Marks(add_tags=["Refund", " vip ", "refund", ""]), here.now)
    await mark(here.pool, appeal, Marks("urgent", [f"t{n}" for n in range(30)], ["vip"]), here.now)

    known = await find_appeal(here.pool, appeal)

    assert known is not None
    assert (known.priority, known.tags[:2], len(known.tags)) == ("urgent", ["refund", "t0"], 20)


@pytest.mark.promise("appeal-states")
async def test_notes_are_kept_and_never_sent(here: Scene) -> None:
    appeal = (await here.resolve(message("1"))).appeal_id or 0
    await add_note(here.pool, appeal, author="anna", text="rude\x00 client", now=here.now)

    [note] = await notes_of(here.pool, appeal)

    assert (note.author, note.text) == ("anna", "rude client")
    assert await here.value("SELECT count(*) FROM outbound") == 0
    assert await here.value("SELECT count(*) FROM messages_history WHERE direction = 'out'") == 0
    assert await add_note(here.pool, 404, author="anna", text="x", now=here.now) is None


async def test_the_select_of_the_contract_tells_every_status(here: Scene, redis: Redis) -> None:
    for number, state in enumerate(STATUSES):
        await Case(here, redis, str(number)).put_into(state, "")

    rows = await here.rows("SELECT id, channel, external_chat_id, status FROM appeals ORDER BY id")

    assert [row[1:] for row in rows] == [("avito", f"chat-{n}", state) for n, state in enumerate(STATUSES)]
