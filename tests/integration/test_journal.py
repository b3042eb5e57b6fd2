"""What the database writes down by itself: every lease and every attempt that ended, with its times."""

from typing import Any
from uuid import uuid4

from core.messages import OutgoingMessage
from orchestrator.store import outbound
from orchestrator.store.outbound import Failure
from orchestrator.turns import commit_silence, release
from tests.integration.test_resolve_scene import Scene, at, message, scene

LEASES = "SELECT token, agent, began_at, ended_at, outcome FROM turn_leases ORDER BY id"
STEPS = "SELECT attempt, began_at, ended_at, outcome, code, times FROM outbound_steps ORDER BY id"


async def test_every_lease_is_written_down_when_it_ends(database_url: str) -> None:
    """One that ran out, one given back, one that answered."""
    async with scene(database_url) as here:
        await here.resolve(message("1"))
        await here.leased("first")
        here.pass_time(200)
        second = await here.leased("second")
        here.pass_time(10)
        await release(here.pool, second.lease, now=here.now)
        here.pass_time(5)
        third = await here.leased("third")
        assert len(await here.rows(LEASES)) == 2
        here.pass_time(3)
        await here.reply(third)

        assert await here.rows(LEASES) == [
            (1, "first", at(60), at(260), "expired"),
            (2, "second", at(260), at(270), "released"),
            (4, "third", at(275), at(278), "answered"),
        ]


async def test_a_silent_end_is_written_down_too(database_url: str) -> None:
    async with scene(database_url) as here:
        await here.resolve(message("1"))
        turn = await here.leased()
        await commit_silence(here.pool, turn.lease, now=here.now)

        assert [row[-1] for row in await here.rows(LEASES)] == ["closed"]


class Sending:
    """One message of ours, and the attempts to send it."""

    def __init__(self, here: Scene) -> None:
        self.here = here
        self.message = OutgoingMessage(id=uuid4(), channel="avito", external_chat_id="chat-1", text="Да")  # type: ignore[arg-type]  # read by pydantic

    async def accept(self) -> None:
        await outbound.insert_outbound(self.here.pool, self.message, origin="list", now=self.here.now)

    async def begin(self) -> None:
        self.here.pass_time(1)
        assert await outbound.begin_sending(self.here.pool, self.message.id, now=self.here.now)

    async def end(self, mark: Any, code: str, *, counted: bool = True) -> None:
        self.here.pass_time(2)
        failure = Failure(code, "said", counted=counted)
        await mark(self.here.pool, self.message.id, failure, now=self.here.now)

    async def sent(self) -> None:
        self.here.pass_time(2)
        await outbound.mark_sent(self.here.pool, self.message.id, ["v-1"], now=self.here.now)


async def test_every_attempt_is_written_down_with_its_error(database_url: str) -> None:
    async with scene(database_url) as here:
        sending = Sending(here)
        await sending.accept()
        await sending.begin()
        await sending.end(outbound.mark_retry, "vendor_down")
        await sending.begin()
        await sending.begin()  # the worker died
        await sending.end(outbound.mark_unknown, "outcome_unknown")
        await sending.begin()
        await sending.sent()

        assert await here.rows(STEPS) == [
            (1, at(61), at(63), "retry", "vendor_down", 1),
            (2, at(64), at(65), "interrupted", "", 1),
            (3, at(65), at(67), "unknown", "outcome_unknown", 1),
            (4, at(68), at(70), "sent", "", 1),
        ]


async def test_waiting_for_the_vendor_counts_on_in_one_row(database_url: str) -> None:
    """An account that is refused for a day is tried hundreds of times; the journal must not grow with it."""
    async with scene(database_url) as here:
        sending = Sending(here)
        await sending.accept()
        for _ in range(5):
            await sending.begin()
            await sending.end(outbound.mark_retry, "rate_limited", counted=False)
        await sending.begin()
        await sending.end(outbound.mark_failed, "rejected")

        assert await here.rows(STEPS) == [
            (1, at(61), at(75), "waiting", "rate_limited", 5),
            (1, at(76), at(78), "failed", "rejected", 1),
        ]


async def test_receipts_are_written_down(database_url: str) -> None:
    async with scene(database_url) as here:
        await here.resolve(message("1"))
        sending = Sending(here)
        await sending.accept()
        await sending.begin()
        await sending.sent()
        for event in ("delivered", "read"):
            here.pass_time(5)
            await here.resolve(message("v-1", event=event))

        assert [row[2:4] for row in await here.rows(STEPS)] == [
            (at(63), "sent"),
            (at(68), "delivered"),
            (at(73), "read"),
        ]


async def test_the_journal_goes_with_its_turn_and_its_message(database_url: str) -> None:
    """Erasing a client leaves nothing of it."""
    async with scene(database_url) as here:
        await here.resolve(message("1"))
        await here.reply(await here.leased())
        [(reply,)] = await here.rows("SELECT id FROM outbound")
        await outbound.begin_sending(here.pool, reply, now=here.now)
        await outbound.mark_sent(here.pool, reply, ["v"], now=here.now)
        await here.pool.execute("DELETE FROM messages_history; DELETE FROM outbound; DELETE FROM turns")

        assert await here.rows(LEASES) == []
        assert await here.rows(STEPS) == []
