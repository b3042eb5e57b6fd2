"""A batch becomes history, an appeal and a turn, in one transaction that may be repeated."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.messages import IncomingMessage
from orchestrator.store.errors import Unstorable
from orchestrator.store.resolve import resolve_batch, resolve_batches
from orchestrator.turns import get_turn, release
from tests.integration.test_resolve_scene import Scene, at, batch, message, scene


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=12) as opened:
        yield opened


HISTORY = (
    "SELECT external_message_id, event, direction, sender, turn_id IS NOT NULL "
    "FROM messages_history ORDER BY id"
)


async def test_a_burst_is_one_ready_turn_with_its_messages_in_order(here: Scene) -> None:
    resolved = await here.resolve(
        message("2", "b", second=2), message("1", "a", second=1), message("3", "c", second=3)
    )

    assert (resolved.new_messages, resolved.ready) == (3, True)
    assert await here.texts_of_turn(resolved.turn_id) == ["a", "b", "c"]
    turn = await get_turn(here.pool, resolved.turn_id or 0)
    assert turn is not None
    assert (turn.status, turn.first_at, turn.last_at, turn.closed_by) == ("ready", at(1), at(3), "silence")
    assert turn.latest_message_id == await here.value("SELECT max(id) FROM messages_history")


async def test_a_batch_resolved_twice_changes_nothing(here: Scene) -> None:
    messages = [
        message("1"),
        message("2", event="operator_message"),
        message("3", event="edit"),
        message("4", event="delete"),
        message("5", "👍", event="reaction"),
        message("6", event="read"),
    ]
    first = await here.resolve(*messages)
    before = await here.rows("SELECT * FROM messages_history ORDER BY id")
    again = await here.resolve(*messages)

    assert (again.turn_id, again.ready, again.new_messages) == (first.turn_id, first.ready, 0)
    assert again.client_id == first.client_id
    assert await here.rows("SELECT * FROM messages_history ORDER BY id") == before
    assert await here.value("SELECT count(*) FROM turns") == 1


async def test_a_repeat_after_the_appeal_was_closed_opens_nothing(here: Scene) -> None:
    await here.resolve(message("1"))
    await here.reply(await here.leased())
    await here.pool.execute("UPDATE appeals SET status = 'resolved', closed_at = now()")

    again = await here.resolve(message("1"))

    assert (again.ready, again.appeal_id, again.new_messages) == (False, None, 0)
    assert await here.value("SELECT count(*) FROM appeals") == 1


async def test_a_grown_batch_adds_only_what_is_new(here: Scene) -> None:
    """A worker died between the database and the queue, and the customer wrote on."""
    first = await here.resolve(message("1"))
    grown = await here.resolve(message("1"), message("2", second=5))

    assert (grown.turn_id, grown.new_messages) == (first.turn_id, 1)
    assert await here.texts_of_turn(first.turn_id) == ["text of 1", "text of 2"]


async def test_messages_that_follow_join_the_turn_that_waits(here: Scene) -> None:
    first = await here.resolve(message("1"))
    second = await here.resolve(message("2", second=30))

    assert second.turn_id == first.turn_id
    turn = await get_turn(here.pool, first.turn_id or 0)
    assert turn is not None
    assert (turn.first_at, turn.last_at) == (at(0), at(30))


async def test_messages_that_come_while_an_agent_works_are_a_turn_of_their_own(here: Scene) -> None:
    first = await here.resolve(message("1"))
    await here.leased()
    second = await here.resolve(message("2", second=30))

    assert second.turn_id != first.turn_id
    assert second.ready
    assert await here.lease("agent-2") is None


async def test_one_batch_resolved_by_many_workers_at_once_is_stored_once(here: Scene) -> None:
    messages = [message(str(n), second=n) for n in range(5)]
    resolved = await asyncio.gather(*(here.resolve(*messages) for _ in range(10)))

    assert len({one.turn_id for one in resolved}) == 1
    assert sum(one.new_messages for one in resolved) == 5
    assert await here.value("SELECT count(*) FROM messages_history") == 5


async def test_messages_of_a_chat_at_once_are_one_turn(here: Scene) -> None:
    resolved = await asyncio.gather(*(here.resolve(message(str(n))) for n in range(12)))

    assert len({one.turn_id for one in resolved}) == 1
    assert (
        await here.value("SELECT count(*) FROM messages_history WHERE turn_id = $1", resolved[0].turn_id)
        == 12
    )


async def test_what_an_operator_or_the_vendor_says_is_history_without_a_turn(here: Scene) -> None:
    resolved = await here.resolve(
        message("1", event="operator_message", external_user_id="shop"),
        message("2", second=1, event="notice"),
    )

    assert (resolved.turn_id, resolved.appeal_id, resolved.ready) == (None, None, False)
    assert await here.rows(HISTORY) == [
        ("1", "operator_message", "out", "operator", False),
        ("2", "notice", "in", "system", False),
    ]


async def test_a_pressed_button_asks_like_a_message(here: Scene) -> None:
    assert (await here.resolve(message("1", event="postback"))).ready


async def test_an_edit_changes_the_text_of_a_known_message(here: Scene) -> None:
    resolved = await here.resolve(message("1", "old"))
    edited = await here.resolve(message("1", "new", second=5, event="edit"))

    assert (edited.turn_id, edited.new_messages) == (resolved.turn_id, 0)
    assert await here.texts_of_turn(resolved.turn_id) == ["new"]
    assert await here.rows("SELECT edited_at, meta->>'original_text' FROM messages_history") == [
        (at(5), "old")
    ]


async def test_an_older_edit_that_comes_late_changes_nothing(here: Scene) -> None:
    resolved = await here.resolve(message("1", "old"))
    await here.resolve(message("1", "newest", second=9, event="edit"))
    await here.resolve(message("1", "newer", second=5, event="edit"))

    assert await here.texts_of_turn(resolved.turn_id) == ["newest"]


async def test_an_edit_gathered_with_a_message_that_was_stored_before_is_applied(here: Scene) -> None:
    """The first attempt stored the message and died; the batch comes again, with its edit in it."""
    resolved = await here.resolve(message("1", "old"), message("2"))
    await here.resolve(
        message("1", "old"),
        message("2"),
        message("1", "new", second=5, event="edit"),
        message("2", second=5, event="delete"),
    )

    assert await here.texts_of_turn(resolved.turn_id) == ["new", "text of 2"]
    assert await here.value("SELECT deleted_at FROM messages_history WHERE external_message_id = '2'") == at(
        5
    )


async def test_an_edit_of_a_message_that_nobody_saw_is_a_message_and_the_late_original_is_not(
    here: Scene,
) -> None:
    resolved = await here.resolve(message("1", "new", event="edit"))
    late = await here.resolve(message("1", "old"))

    assert (resolved.new_messages, late.new_messages) == (1, 0)
    assert await here.texts_of_turn(resolved.turn_id) == ["new"]


async def test_a_delete_marks_the_message_and_closes_a_turn_left_empty(here: Scene) -> None:
    resolved = await here.resolve(message("1"), message("2"))
    one = await here.resolve(message("1", second=5, event="delete"))
    both = await here.resolve(message("2", second=6, event="delete"))

    assert (one.ready, both.ready) == (True, False)
    turn = await get_turn(here.pool, resolved.turn_id or 0)
    assert turn is not None
    assert turn.status == "closed"
    assert await here.lease() is None


async def test_a_delete_that_comes_before_its_message_keeps_it_from_being_answered(here: Scene) -> None:
    await here.resolve(message("1", event="delete"))
    late = await here.resolve(message("1"))

    assert (late.turn_id, late.new_messages) == (None, 0)
    assert await here.rows(HISTORY) == [("1", "delete", "in", "customer", False)]


async def test_a_message_deleted_before_its_batch_closed_is_history_only(here: Scene) -> None:
    resolved = await here.resolve(message("1"), message("1", second=3, event="delete"))

    assert (resolved.turn_id, resolved.new_messages) == (None, 0)
    assert await here.value("SELECT deleted_at FROM messages_history") == at(3)


async def test_a_reaction_is_noted_on_its_message(here: Scene) -> None:
    await here.resolve(message("1"))
    await here.resolve(message("r-1", "👍", event="reaction", reply_to="1"))

    assert await here.rows("SELECT external_message_id, meta->>'reaction' FROM messages_history") == [
        ("1", "👍")
    ]


async def test_a_reaction_that_is_taken_back_is_gone(here: Scene) -> None:
    await here.resolve(message("1"))
    await here.resolve(message("1", "👍", second=1, event="reaction"))
    await here.resolve(message("1", second=2, event="reaction").model_copy(update={"text": ""}))

    assert await here.value("SELECT meta->>'reaction' FROM messages_history") == ""


@pytest.mark.parametrize("event", ["delete", "reaction"])
async def test_what_the_business_did_to_an_unknown_message_is_not_the_customers_deed(
    here: Scene, event: str
) -> None:
    await here.resolve(message("1"))
    await here.resolve(message("unknown", "👍", second=1, event=event, own=True))

    assert await here.rows("SELECT event, direction, sender FROM messages_history ORDER BY id") == [
        ("message", "in", "customer"),
        (event, "out", "operator"),
    ]


async def test_receipts_of_strangers_make_nobody(here: Scene) -> None:
    resolved = await here.resolve(message("1", event="read"))

    assert (resolved.client_id, resolved.turn_id) == (None, None)
    assert await here.value("SELECT count(*) FROM clients") == 0


async def test_everything_about_a_message_is_kept(here: Scene) -> None:
    await here.resolve(
        message(
            "1",
            "Ж" * 100_000,
            media={"has_voice": True, "voice_url": "https://x/v.ogg", "voice_seconds": 3.5},
            meta={"ad_channel": "avito", "ad_id": "42", "raw": {"a": [1, "б\u0000", {"\u0000k": "\\u0000"}]}},
            reply_to="0",
        )
    )

    [row] = await here.pool.fetch("SELECT *, length(message_text) FROM messages_history")
    assert row["media"] == {"has_voice": True, "voice_url": "https://x/v.ogg", "voice_seconds": 3.5}
    assert row["meta"] == {"ad_channel": "avito", "ad_id": "42", "raw": {"a": [1, "б", {"k": "\\u0000"}]}}
    assert (row["message_type"], row["reply_to"], row["length"]) == ("voice", "0", 100_000)


def _noise(seed: int) -> str:
    """As long as an id may be, in letters of four bytes, and not to be compressed."""
    return "".join(chr(letter) for letter in Random(seed).choices(range(0x10000, 0x20000), k=512))  # noqa: S311 -- not a secret


@pytest.mark.parametrize(
    "poison",
    [
        message("9", meta={"raw": {"half": "\ud83d"}}),
        message(_noise(1), chat=_noise(2)),
    ],
    ids=["half an emoji", "ids too long for the index"],
)
async def test_what_postgresql_cannot_hold_is_refused_by_name_and_nothing_is_stored(
    here: Scene, poison: IncomingMessage
) -> None:
    with pytest.raises(Unstorable):
        await here.resolve(message("1", chat=poison.external_chat_id), poison)

    assert await here.value("SELECT count(*) FROM clients") == 0
    assert (await here.resolve(message("1"))).ready


async def test_ids_with_spaces_slashes_and_braces_are_just_ids(here: Scene) -> None:
    strange = ["a b", "a/b", "{a}", "a|b", "a'b\";--", "%s$1", "Я"]
    resolved = [await here.resolve(message(name, chat=name, external_user_id=name)) for name in strange]

    assert len({one.client_id for one in resolved}) == len(strange)
    assert await here.rows("SELECT external_chat_id FROM appeals ORDER BY id") == [
        (name,) for name in strange
    ]


async def test_many_chats_are_resolved_in_one_transaction_as_if_alone(here: Scene) -> None:
    batches = [
        batch(message("1", chat=f"c{n}", external_user_id=f"u{n % 3}"), message("2", chat=f"c{n}"))
        for n in range(30)
    ]
    resolved = await resolve_batches(here.pool, batches, now=here.now)

    assert await here.value("SELECT count(*) FROM clients") == 3
    assert await here.value("SELECT count(*) FROM appeals") == 3
    assert len({one.turn_id for one in resolved}) == 30
    assert [one.client_id for one in resolved[:3]] == [one.client_id for one in resolved[3:6]]
    assert all((one.new_messages, one.ready) == (2, True) for one in resolved)
    again = await resolve_batches(here.pool, batches, now=here.now)
    assert [one.turn_id for one in again] == [one.turn_id for one in resolved]
    assert await here.value("SELECT count(*) FROM messages_history") == 60


async def test_one_bad_batch_stops_its_group_and_the_others_go_through_alone(here: Scene) -> None:
    good, bad = batch(message("1")), batch(message("1", chat="c2", meta={"raw": {"half": "\ud83d"}}))
    with pytest.raises(Unstorable):
        await resolve_batches(here.pool, [good, bad], now=here.now)

    assert (await resolve_batch(here.pool, good, now=here.now)).ready


async def test_groups_that_share_chats_and_clients_wait_for_each_other_and_never_in_a_circle(
    here: Scene,
) -> None:
    orders = [list(range(12)), list(range(11, -1, -1)), [*range(6, 12), *range(6)]] * 4
    await asyncio.gather(
        *(
            resolve_batches(
                here.pool,
                [batch(message(f"{worker}-{n}", chat=f"c{n}", external_user_id=f"u{n % 5}")) for n in order],
                now=here.now,
            )
            for worker, order in enumerate(orders)
        )
    )

    assert await here.value("SELECT count(*) FROM messages_history") == 12 * 12
    assert await here.value("SELECT count(*) FROM turns") == 12
    assert await here.value("SELECT count(*) FROM clients") == 5


async def test_two_batches_of_one_chat_are_not_one_group(here: Scene) -> None:
    with pytest.raises(ValueError, match="two batches are of one chat"):
        await resolve_batches(here.pool, [batch(message("1")), batch(message("2"))], now=here.now)


events = st.sampled_from(["message", "message", "edit", "delete", "operator_message", "reaction"])
arrivals = st.lists(st.tuples(st.sampled_from("1234"), events, st.integers(0, 9)), min_size=1, max_size=6)
moves = st.lists(st.one_of(arrivals, st.sampled_from(["lease", "reply", "release", "repeat"])), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves)
def test_whatever_happens_a_message_is_in_one_turn_and_a_turn_has_one_reply(
    database_url: str, story: list[list[tuple[str, str, int]] | str]
) -> None:
    asyncio.run(_play(database_url, story))


async def _play(database_url: str, story: list[list[tuple[str, str, int]] | str]) -> None:
    async with scene(database_url, connections=2) as here:
        await here.pool.execute(
            "TRUNCATE clients, identities, appeals, turns, messages_history, outbound CASCADE"
        )
        lease, last = None, [message("1")]
        for move in story:
            here.pass_time(10)
            if isinstance(move, list):
                last = [message(number, second=second, event=event) for number, event, second in move]
                await here.resolve(*last)
            elif move == "repeat":
                await here.resolve(*last)
            elif move == "lease":
                lease = await here.lease() or lease
            elif lease is not None:
                await (
                    here.reply(lease) if move == "reply" else release(here.pool, lease.lease, now=here.now)
                )
        await _check(here)


async def _check(here: Scene) -> None:
    """A question that stands is in a turn that stands; one open case; no turn answered twice."""
    homeless = """
        SELECT count(*) FROM messages_history AS m LEFT JOIN turns AS t ON t.id = m.turn_id
        WHERE m.direction = 'in' AND m.event = 'message' AND m.deleted_at IS NULL
            AND (t.id IS NULL OR t.status = 'merged')
    """
    answered = "SELECT count(*) FROM turns WHERE status = 'answered'"
    assert await here.value(homeless) == 0
    assert await here.value("SELECT count(*) FROM appeals WHERE closed_at IS NULL") <= 1
    assert await here.value(answered) == await here.value("SELECT count(DISTINCT turn_id) FROM outbound")
    assert await here.value("SELECT count(*) FROM clients") <= 1
