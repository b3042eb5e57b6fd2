"""A turn is worked on by one agent and answered at most once, having seen everything."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from orchestrator.appeal_changes import close_appeal
from orchestrator.store.outbound import begin_sending, mark_sent
from orchestrator.turns import (
    AlreadyAnswered,
    Committed,
    Lease,
    Reply,
    Seen,
    StaleLease,
    Superseded,
    commit_reply,
    commit_silence,
    extend,
    get_turn,
    release,
    turn_view,
)
from tests.integration.test_resolve_scene import LEASE_SECONDS, Scene, at, message, scene


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=20) as opened:
        yield opened


async def status_of(here: Scene, turn_id: int | None) -> str:
    turn = await get_turn(here.pool, turn_id or 0)
    assert turn is not None
    return turn.status


async def test_the_oldest_turn_is_offered_first(here: Scene) -> None:
    resolved = [await here.resolve(message("1", chat=f"c{n}")) for n in range(3)]

    offered = [(await here.leased()).turn.id for _ in range(3)]

    assert offered == [one.turn_id for one in resolved]
    assert await here.lease() is None


async def test_twenty_agents_never_get_one_turn_twice(here: Scene) -> None:
    for n in range(10):
        await here.resolve(message("1", chat=f"c{n}"))

    leased = await asyncio.gather(*(here.lease(f"agent-{n}") for n in range(20)))
    rest = [await here.lease() for _ in range(10)]

    ids = [one.turn.id for one in [*leased, *rest] if one is not None]
    assert len(ids) == len(set(ids)) == 10


async def test_two_turns_of_a_chat_are_never_worked_on_at_once(here: Scene) -> None:
    await here.resolve(message("1"))
    first = await here.leased()
    waiting = await here.resolve(message("2"))
    assert await asyncio.gather(*(here.lease(f"agent-{n}") for n in range(10))) == [None] * 10

    await here.reply(first, seen=Seen(force=True))

    assert (await here.leased("agent-2")).turn.id == waiting.turn_id


async def test_a_lease_that_ran_out_is_offered_again_and_the_old_one_can_do_nothing(here: Scene) -> None:
    await here.resolve(message("1"))
    old = await here.leased("slow")
    here.pass_time(LEASE_SECONDS - 1)
    assert await here.lease("quick") is None
    here.pass_time(1)
    new = await here.leased("quick")

    assert (new.turn.id, new.turn.attempts) == (old.turn.id, 2)
    assert new.lease.token > old.lease.token
    assert await here.reply(old) == StaleLease()
    assert await commit_silence(here.pool, old.lease, now=here.now) == StaleLease()
    assert await extend(here.pool, old.lease, lease_seconds=60, now=here.now) is None
    assert not await release(here.pool, old.lease, now=here.now)
    assert isinstance(await here.reply(new), Committed)


async def test_a_lease_that_ran_out_and_was_not_taken_may_still_commit(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    here.pass_time(LEASE_SECONDS * 10)

    assert isinstance(await here.reply(leased), Committed)


async def test_an_extended_lease_ends_later_and_never_earlier(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    here.pass_time(100)

    assert await extend(here.pool, leased.lease, lease_seconds=120, now=here.now) == at(60 + 220)
    assert await extend(here.pool, leased.lease, lease_seconds=1, now=here.now) == at(60 + 220)
    here.pass_time(119)
    assert await here.lease("other") is None


async def test_a_released_turn_is_offered_again_with_what_came_meanwhile(here: Scene) -> None:
    await here.resolve(message("1"))
    first = await here.leased()
    newer = await here.resolve(message("2", second=9))

    assert await release(here.pool, first.lease, now=here.now)
    assert await here.reply(first) == StaleLease()
    again = await here.leased("agent-2")

    assert again.turn.id == first.turn.id
    assert await here.texts_of_turn(again.turn.id) == ["text of 1", "text of 2"]
    assert await status_of(here, newer.turn_id) == "merged"
    assert (await get_turn(here.pool, again.turn.id)) == again.turn


async def test_a_turn_offered_again_after_a_crash_has_what_came_meanwhile(here: Scene) -> None:
    await here.resolve(message("1"))
    await here.leased()
    await here.resolve(message("2", second=9))
    here.pass_time(LEASE_SECONDS)

    again = await here.leased("agent-2")

    assert await here.texts_of_turn(again.turn.id) == ["text of 1", "text of 2"]
    newest = "SELECT max(greatest(id, change_id)) FROM messages_history"
    assert again.turn.latest_message_id == await here.value(newest)
    assert isinstance(await here.reply(again), Committed)
    assert await here.lease() is None


async def test_a_reply_is_the_turns_end_an_outbox_row_and_a_history_row(here: Scene) -> None:
    resolved = await here.resolve(message("1"))
    leased = await here.leased()
    outbound_id = uuid4()

    assert await here.reply(leased, "Да, продаётся", outbound_id=outbound_id) == Committed(outbound_id)

    turn = await get_turn(here.pool, leased.turn.id)
    assert turn is not None
    assert (turn.status, turn.outbound_id, turn.committed_at) == ("answered", outbound_id, here.now)
    assert await here.rows(
        "SELECT id, origin, turn_id, appeal_id, client_id, channel, external_chat_id, text, state "
        "FROM outbound"
    ) == [
        (
            outbound_id,
            "reply",
            turn.id,
            resolved.appeal_id,
            resolved.client_id,
            "avito",
            "chat-1",
            "Да, продаётся",
            "queued",
        )
    ]
    assert await here.rows(
        "SELECT direction, sender, message_text, appeal_id, turn_id, external_message_id, outbound_id "
        "FROM messages_history WHERE direction = 'out'"
    ) == [("out", "agent", "Да, продаётся", resolved.appeal_id, None, None, outbound_id)]
    assert await here.lease() is None


async def test_a_reply_repeated_is_the_same_delivery(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    first = await here.reply(leased, "Да")
    assert isinstance(first, Committed)

    assert await here.reply(leased, "Да") == AlreadyAnswered(first.outbound_id, same=True)
    assert await here.reply(leased, "Нет") == AlreadyAnswered(first.outbound_id, same=False)
    assert await here.reply(leased, "Да", image_url="https://x/1.jpg") == AlreadyAnswered(
        first.outbound_id, same=False
    )
    assert await here.value("SELECT count(*) FROM outbound") == 1


async def test_twenty_commits_at_once_are_one_reply(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()

    outcomes = await asyncio.gather(*(here.reply(leased, f"reply {n}") for n in range(20)))

    committed = [one for one in outcomes if isinstance(one, Committed)]
    assert len(committed) == 1
    assert outcomes.count(AlreadyAnswered(committed[0].outbound_id, same=False)) == 19
    assert await here.value("SELECT count(*) FROM outbound") == 1


async def test_a_reply_that_has_not_seen_the_newest_message_is_refused_with_it(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    newer = await here.resolve(message("2", "И ещё вопрос", second=30))

    outcome = await here.reply(leased)

    assert isinstance(outcome, Superseded)
    assert [one.text for one in outcome.new_messages] == ["И ещё вопрос"]
    assert await here.value("SELECT count(*) FROM outbound") == 0
    assert await status_of(here, newer.turn_id) == "merged"
    turn = await get_turn(here.pool, leased.turn.id)
    assert turn is not None
    assert (turn.status, turn.last_at) == ("leased", at(30))
    assert isinstance(await here.reply(leased), Committed)
    assert await here.lease() is None


async def test_a_refusal_that_was_lost_on_the_way_is_told_again(here: Scene) -> None:
    """The agent says what it has seen, so repeating an unanswered call cannot slip by."""
    await here.resolve(message("1"))
    leased = await here.leased()
    seen = Seen(leased.turn.latest_message_id)
    await here.resolve(message("2", second=30))

    first = await here.reply(leased, seen=seen)
    again = await here.reply(leased, seen=seen)

    assert isinstance(first, Superseded)
    assert first == again
    assert isinstance(await here.reply(leased, seen=Seen(first.latest)), Committed)


async def test_a_forced_reply_goes_out_and_the_newer_turn_stays(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    newer = await here.resolve(message("2"))

    assert isinstance(await here.reply(leased, seen=Seen(force=True)), Committed)
    assert await status_of(here, newer.turn_id) == "ready"
    assert (await here.leased()).turn.id == newer.turn_id


async def test_a_newer_message_that_was_deleted_again_does_not_refuse_a_reply(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    await here.resolve(message("2"))
    await here.resolve(message("2", second=5, event="delete"))

    assert isinstance(await here.reply(leased), Committed)


async def test_a_message_of_another_chat_does_not_refuse_a_reply(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    await here.resolve(message("2", chat="chat-2"))
    await here.resolve(message("3", account="second"))

    assert isinstance(await here.reply(leased), Committed)


async def test_silence_is_an_answer_under_the_same_rules(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    await here.resolve(message("2"))

    assert isinstance(await commit_silence(here.pool, leased.lease, now=here.now), Superseded)
    assert await commit_silence(here.pool, leased.lease, now=here.now) == Committed(None)
    assert await commit_silence(here.pool, leased.lease, now=here.now) == Committed(None)
    assert await here.reply(leased) == AlreadyAnswered(None, same=False)
    assert await status_of(here, leased.turn.id) == "closed"
    assert await here.lease() is None


async def test_an_answered_turn_cannot_be_closed_in_silence(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    committed = await here.reply(leased)
    assert isinstance(committed, Committed)

    outcome = await commit_silence(here.pool, leased.lease, now=here.now)

    assert outcome == AlreadyAnswered(committed.outbound_id, same=False)


async def test_a_made_up_lease_commits_nothing(here: Scene) -> None:
    resolved = await here.resolve(message("1"))
    turn_id = resolved.turn_id or 0
    for lease in (Lease(404, 1), Lease(turn_id, 0), Lease(turn_id, 1), Lease(turn_id, 10**60)):
        assert await extend(here.pool, lease, lease_seconds=1, now=here.now) is None
        assert await commit_reply(here.pool, lease, Reply("Да"), now=here.now) == StaleLease()
    assert await here.value("SELECT count(*) FROM outbound") == 0


async def test_an_agent_that_claims_to_have_seen_the_future_is_taken_at_its_word(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased("a\x00gent \ud83d")

    assert leased.turn.leased_by == "agent \ufffd"
    assert isinstance(await here.reply(leased, seen=Seen(10**60)), Committed)


@pytest.mark.parametrize("text", ["", "  ", "x" * 20_001])
async def test_a_reply_that_cannot_be_sent_is_refused_and_the_turn_stays_leased(
    here: Scene, text: str
) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()

    with pytest.raises(ValidationError):
        await here.reply(leased, text)

    assert await status_of(here, leased.turn.id) == "leased"


async def test_replies_and_messages_at_once_never_leave_a_message_without_a_turn(here: Scene) -> None:
    await here.resolve(message("0"))
    leased = await here.leased()

    async def write(n: int) -> None:
        await here.resolve(message(str(n), second=n))

    outcomes = await asyncio.gather(
        *(here.reply(leased, f"r{n}") for n in range(6)),
        *(write(n) for n in range(1, 7)),
        return_exceptions=True,
    )

    assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert await here.value("SELECT count(*) FROM outbound") <= 1
    lost = "SELECT count(*) FROM messages_history m LEFT JOIN turns t ON t.id = m.turn_id "
    assert await here.value(lost + "WHERE m.direction = 'in' AND (t.id IS NULL OR t.status = 'merged')") == 0


async def test_leases_releases_and_messages_at_once_end_without_a_circle(here: Scene) -> None:
    for n in range(4):
        await here.resolve(message("0", chat=f"c{n}"))

    async def agent(number: int) -> int:
        done = 0
        for step in range(12):
            leased = await here.lease(f"agent-{number}")
            if leased is None:
                continue
            if (number + step) % 3 == 0:
                await release(here.pool, leased.lease, now=here.now)
            else:
                done += isinstance(await here.reply(leased), Committed)
        return done

    async def customer(number: int) -> None:
        for step in range(12):
            await here.resolve(message(f"{number}-{step}", chat=f"c{step % 4}"))

    await asyncio.gather(*(agent(n) for n in range(8)), *(customer(n) for n in range(4)))

    assert await here.value("SELECT count(*) FROM messages_history WHERE direction = 'in'") == 52
    replies = await here.value("SELECT count(*) FROM outbound")
    assert replies == await here.value("SELECT count(*) FROM turns WHERE status = 'answered'")


async def test_a_turn_shows_its_client_its_case_and_what_was_said_before_and_beside(here: Scene) -> None:
    await here.resolve(message("1", "Здравствуйте"))
    committed = await here.reply(await here.leased(), "Добрый день")
    assert isinstance(committed, Committed)
    assert committed.outbound_id is not None
    await mark_sent(here.pool, committed.outbound_id, ["v1"], now=here.now)
    await here.resolve(message("2", "Цена?", second=30))
    leased = await here.leased()
    await here.resolve(message("3", "от хозяина", second=40, event="operator_message"))
    await here.resolve(message("4", "ещё", second=50))

    view = await turn_view(here.pool, leased.turn.id)

    assert view is not None
    assert isinstance(committed, Committed)
    assert [one.text for one in view.messages] == ["Цена?"]
    assert [(one.sender, one.text, one.delivery_state) for one in view.history] == [
        ("customer", "Здравствуйте", ""),
        ("agent", "Добрый день", "sent"),
        ("operator", "от хозяина", ""),
    ]
    assert (view.client.avito_id, view.appeal.id) == ("anna", leased.turn.appeal_id)
    assert isinstance(view.history[1].outbound_id, UUID)


async def test_the_history_beside_a_turn_is_short_and_ends_with_the_latest(here: Scene) -> None:
    await here.resolve(*(message(str(n), second=n) for n in range(30)))
    await here.reply(await here.leased())
    await here.resolve(message("new", second=99))

    view = await turn_view(here.pool, (await here.leased()).turn.id, last=5)

    assert view is not None
    assert [one.text for one in view.history] == [
        "text of 26",
        "text of 27",
        "text of 28",
        "text of 29",
        "Да",
    ]
    assert await turn_view(here.pool, 404) is None


async def test_a_turn_goes_with_the_case_of_its_latest_message(here: Scene) -> None:
    first = await here.resolve(message("1"))
    await close_appeal(here.pool, first.appeal_id or 0, reason="", now=here.now)
    second = await here.resolve(message("2"))

    assert second.turn_id == first.turn_id
    assert (await here.leased()).turn.appeal_id == second.appeal_id


async def test_a_quoted_message_is_shown_with_its_words_when_it_is_known(here: Scene) -> None:
    await here.resolve(message("1", "Сколько?"), message("2", "x", second=1))
    await here.resolve(message("2", second=2, event="delete"))
    committed = await here.reply(await here.leased(), "5 000 ₽ за экран")
    assert isinstance(committed, Committed)
    assert committed.outbound_id is not None
    await mark_sent(here.pool, committed.outbound_id, ["v1", "v2"], now=here.now)
    quoted = {"3": "1", "4": "v1", "5": "v2", "6": "2", "7": "unknown", "8": None}
    await here.resolve(*(message(name, second=30, reply_to=of) for name, of in quoted.items()))
    await here.resolve(message("1", chat="chat-2", second=40, reply_to="v1"))

    view = await turn_view(here.pool, (await here.leased()).turn.id)
    other = await turn_view(here.pool, (await here.leased()).turn.id)

    assert view is not None
    assert [one.quoted for one in view.messages] == [
        "Сколько?",
        "5 000 ₽ за экран",
        "5 000 ₽ за экран",
        "[deleted]",
        "",
        "",
    ]
    assert other is not None
    assert [one.quoted for one in other.messages] == [""]


async def test_a_replica_of_yesterday_works_on_beside_a_newer_schema(here: Scene) -> None:
    """Replicas are replaced one by one: the next version's columns are there before its program."""
    for table in ("turns", "outbound"):
        await here.pool.execute(f"ALTER TABLE {table} ADD COLUMN of_tomorrow text")
    await here.resolve(message("1"))

    outcome = await here.reply(await here.leased(), "Да")

    assert isinstance(outcome, Committed)
    assert outcome.outbound_id is not None
    assert await begin_sending(here.pool, outcome.outbound_id, now=here.now) is not None
