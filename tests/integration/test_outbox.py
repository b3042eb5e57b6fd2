"""What we send, from its acceptance to the receipt."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.errors import IdempotencyConflict
from core.messages import OutgoingMessage
from orchestrator.store import outbound, outbox
from orchestrator.store.outbound import Failure
from orchestrator.store.outbox import Window
from orchestrator.turns import Committed
from tests.integration.test_resolve_scene import Scene, message, scene


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=12) as opened:
        yield opened


def outgoing(text: str = "Ваш заказ готов", chat: str = "chat-1", **more: Any) -> OutgoingMessage:
    return OutgoingMessage.model_validate(
        {"channel": "avito", "external_chat_id": chat, "text": text, **more}
    )


async def accepted(here: Scene, message: OutgoingMessage) -> UUID:
    result = await outbound.insert_outbound(here.pool, message, origin="tool", now=here.now)
    assert result.created
    return result.delivery.id


async def sent(here: Scene, delivery_id: UUID, *vendor_ids: str) -> None:
    await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    await outbound.mark_sent(here.pool, delivery_id, vendor_ids, now=here.now)


SENT_ROWS = (
    "SELECT external_message_id, message_text FROM messages_history WHERE direction = 'out' ORDER BY id"
)


async def test_a_message_to_a_known_chat_is_also_history_of_its_case(here: Scene) -> None:
    resolved = await here.resolve(message("1"))
    delivery_id = await accepted(here, outgoing(image_url="https://x/1.jpg"))

    delivery = await outbound.get_delivery(here.pool, delivery_id)
    assert delivery is not None
    assert (delivery.client_id, delivery.appeal_id, delivery.turn_id) == (
        resolved.client_id,
        resolved.appeal_id,
        None,
    )
    assert await here.rows(
        "SELECT message_type, media, appeal_id FROM messages_history WHERE outbound_id = $1", delivery_id
    ) == [("image", {"has_images": True, "images": [{"url": "https://x/1.jpg"}]}, resolved.appeal_id)]


async def test_a_message_to_a_stranger_is_accepted_without_history(here: Scene) -> None:
    delivery_id = await accepted(here, outgoing())

    delivery = await outbound.get_delivery(here.pool, delivery_id)
    assert delivery is not None
    assert (delivery.state, delivery.client_id, delivery.origin) == ("queued", None, "tool")
    assert await here.value("SELECT count(*) FROM messages_history") == 0


async def test_one_id_is_one_delivery_however_often_it_comes(here: Scene) -> None:
    await here.resolve(message("1"))
    twice = outgoing(idempotency_key="order-7")
    results = await asyncio.gather(
        *(outbound.insert_outbound(here.pool, twice, origin="rest", now=here.now) for _ in range(10))
    )

    assert [one.created for one in results].count(True) == 1
    assert len({one.delivery.id for one in results}) == 1
    assert len(await here.rows(SENT_ROWS)) == 1


async def test_an_id_used_for_another_message_is_refused(here: Scene) -> None:
    await accepted(here, outgoing("one", idempotency_key="order-7"))

    for other in (
        outgoing("two", idempotency_key="order-7"),
        outgoing("one", "chat-2", idempotency_key="order-7"),
    ):
        with pytest.raises(IdempotencyConflict):
            await outbound.insert_outbound(here.pool, other, origin="tool", now=here.now)
    assert await here.value("SELECT count(*) FROM outbound") == 1


async def test_the_relay_reads_in_the_order_of_acceptance_and_marks_what_it_pushed(here: Scene) -> None:
    ids = [await accepted(here, outgoing(str(n))) for n in range(5)]

    assert [one.id for one in await outbox.unqueued(here.pool, Window(at_once=3))] == ids[:3]
    await outbox.mark_queued(here.pool, ids[:3], now=here.now)
    assert [one.id for one in await outbox.unqueued(here.pool, Window(at_once=3))] == ids[3:]


async def test_what_redis_lost_is_given_back_to_the_relay(here: Scene) -> None:
    """Also what a sender had begun that died with it: Redis has neither its ticket nor its lease."""
    lost, begun = [await accepted(here, outgoing(str(n))) for n in range(2)]
    await outbox.mark_queued(here.pool, [lost, begun], now=here.now)
    await outbound.begin_sending(here.pool, begun, now=here.now)
    here.pass_time(600)

    assert await outbox.unqueue_stale(here.pool, before=here.now - timedelta(seconds=601)) == 0
    assert await outbox.unqueue_stale(here.pool, before=here.now) == 2
    assert [one.id for one in await outbox.unqueued(here.pool, Window())] == [lost, begun]


async def test_a_sent_message_bears_the_vendors_ids_and_cannot_begin_again(here: Scene) -> None:
    await here.resolve(message("1"))
    delivery_id = await accepted(here, outgoing())
    begun = await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    assert begun is not None
    assert (begun.state, begun.attempts) == ("sending", 1)

    done = await outbound.mark_sent(here.pool, delivery_id, ["v1", "v2"], now=here.now)

    assert done is not None
    assert (done.state, done.vendor_message_ids, done.sent_at) == ("sent", ["v1", "v2"], here.now)
    assert await here.rows(SENT_ROWS) == [("v1", "Ваш заказ готов")]
    assert await outbound.begin_sending(here.pool, delivery_id, now=here.now) is None
    assert await outbound.mark_failed(here.pool, delivery_id, Failure("x", ""), now=here.now) is None


async def test_marking_sent_twice_is_harmless(here: Scene) -> None:
    await here.resolve(message("1"))
    delivery_id = await accepted(here, outgoing())
    await sent(here, delivery_id, "v1")
    await sent(here, delivery_id, "v1")

    assert await here.rows(SENT_ROWS) == [("v1", "Ваш заказ готов")]


async def test_a_send_that_nobody_finished_or_knows_may_be_repeated_and_is_counted(here: Scene) -> None:
    delivery_id = await accepted(here, outgoing())
    await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    again = await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    await outbound.mark_unknown(here.pool, delivery_id, Failure("outcome_unknown", "no answer"), now=here.now)
    third = await outbound.begin_sending(here.pool, delivery_id, now=here.now)

    assert again is not None
    assert third is not None
    assert (again.attempts, third.attempts, third.error_code) == (2, 3, "outcome_unknown")


async def test_failed_unknown_and_retry_keep_their_reason(here: Scene) -> None:
    delivery_id = await accepted(here, outgoing())
    await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    for mark, state in (
        (outbound.mark_retry, "queued"),
        (outbound.mark_unknown, "unknown"),
        (outbound.mark_failed, "failed"),
    ):
        marked = await mark(here.pool, delivery_id, Failure(state, "why"), now=here.now)
        assert marked is not None
        assert (marked.state, marked.error_code, marked.error_detail) == (state, state, "why")
    assert await outbound.begin_sending(here.pool, delivery_id, now=here.now) is None
    await outbound.mark_sent(here.pool, delivery_id, ["v1"], now=here.now)
    delivery = await outbound.get_delivery(here.pool, delivery_id)
    assert delivery is not None
    assert (delivery.state, delivery.error_code, delivery.error_detail) == ("sent", "", "")


@pytest.mark.promise("receipts")
async def test_receipts_move_a_message_forward_only(here: Scene) -> None:
    await here.resolve(message("1"))
    delivery_id = await accepted(here, outgoing())
    await sent(here, delivery_id, "v1", "v2")

    for vendor_id, event, state in (
        ("v9", "read", "sent"),
        ("v2", "delivered", "delivered"),
        ("v2", "read", "read"),
        ("v1", "delivered", "read"),
    ):
        await here.resolve(message(vendor_id, event=event))
        assert await here.state_of(delivery_id) == state
    await outbound.mark_sent(here.pool, delivery_id, ["v1", "v2"], now=here.now)
    assert await here.state_of(delivery_id) == "read"


@pytest.mark.promise("receipts")
@pytest.mark.parametrize(
    ("events", "state"),
    [(["delivered"], "delivered"), (["read"], "read"), (["read", "delivered"], "read")],
)
async def test_a_receipt_that_overtakes_the_vendors_answer_counts(
    here: Scene, events: list[str], state: str
) -> None:
    """The vendor tells of a message before it has told us its id."""
    await here.resolve(message("1"))
    earlier = await accepted(here, outgoing("0"))
    await sent(here, earlier, "v0")
    delivery_id = await accepted(here, outgoing())
    await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    for event in events:
        await here.resolve(message("v1", event=event))
    assert await here.state_of(delivery_id) == "sending"

    await outbound.mark_sent(here.pool, delivery_id, ["v1"], now=here.now)

    assert await here.state_of(delivery_id) == state
    assert await here.state_of(earlier) == ("read" if state == "read" else "sent")
    assert await here.value("SELECT count(*) FROM early_receipts") == 0


@pytest.mark.promise("receipts")
@pytest.mark.parametrize("event", ["delivered", "read"])
async def test_a_message_in_parts_has_arrived_when_its_last_part_has(here: Scene, event: str) -> None:
    delivery_id = await accepted(here, outgoing())
    await sent(here, delivery_id, "v1", "v2", "v3")

    for part in ("v1", "v2"):
        await here.resolve(message(part, event=event))
        assert await here.state_of(delivery_id) == "sent"
    await here.resolve(message("v3", event=event))

    assert await here.state_of(delivery_id) == event


async def test_receipts_of_what_nobody_is_sending_are_not_kept(here: Scene) -> None:
    """An operator's own words; and what was kept for nothing goes after a day."""
    await here.resolve(message("1"))
    await here.resolve(message("theirs", event="delivered"))
    assert await here.value("SELECT count(*) FROM early_receipts") == 0
    delivery_id = await accepted(here, outgoing())
    await outbound.begin_sending(here.pool, delivery_id, now=here.now)
    await here.resolve(message("theirs", event="delivered"))
    here.pass_time(86_401)

    await here.resolve(message("others", event="delivered"))

    assert await here.rows("SELECT external_message_id FROM early_receipts") == [("others",)]


async def test_who_has_read_a_message_has_read_those_before_it(here: Scene) -> None:
    """Many vendors name the last one only."""
    ids = [await accepted(here, outgoing(str(number))) for number in range(5)]
    for number in (0, 1, 3, 4):
        await sent(here, ids[number], f"v{number}")
    await outbound.mark_failed(here.pool, ids[2], Failure("rejected", ""), now=here.now)
    await here.resolve(message("v0", event="delivered"))

    await here.resolve(message("v3", event="read"))

    states = [await here.state_of(delivery_id) for delivery_id in ids]
    assert states == ["read", "read", "failed", "read", "sent"]


async def test_who_has_read_an_operators_words_has_read_ours_before_them(here: Scene) -> None:
    """VK names the last message that was read, whoever of us wrote it."""
    await here.resolve(message("1"))
    ids = [await accepted(here, outgoing(str(number))) for number in range(2)]
    await sent(here, ids[0], "v0")
    here.pass_time(120)
    await sent(here, ids[1], "v1")
    await here.resolve(message("by-hand", second=90, event="operator_message", external_user_id="shop"))

    await here.resolve(message("by-hand", second=200, event="read"))

    assert [await here.state_of(delivery_id) for delivery_id in ids] == ["read", "sent"]


async def test_a_message_that_was_replayed_later_was_not_read_with_the_others(here: Scene) -> None:
    """It stands before them in the outbox and after them on the customer's screen."""
    ids = [await accepted(here, outgoing(str(number))) for number in range(2)]
    await sent(here, ids[1], "v1")
    here.pass_time(60)
    await sent(here, ids[0], "v0")

    await here.resolve(message("v1", event="read"))

    assert [await here.state_of(delivery_id) for delivery_id in ids] == ["sent", "read"]


async def test_what_was_delivered_says_nothing_of_what_was_sent_before(here: Scene) -> None:
    ids = [await accepted(here, outgoing(str(number))) for number in range(2)]
    for number, delivery_id in enumerate(ids):
        await sent(here, delivery_id, f"v{number}")

    await here.resolve(message("v1", event="delivered"))

    assert [await here.state_of(delivery_id) for delivery_id in ids] == ["sent", "delivered"]


async def test_ids_that_are_counted_per_chat_do_not_meet(here: Scene) -> None:
    """On Telegram every chat has a message 5."""
    chats = [("c1", "default"), ("c2", "default"), ("c1", "second")]
    ids = [await accepted(here, outgoing("?", chat, account=account)) for chat, account in chats]
    for delivery_id in ids:
        await sent(here, delivery_id, "5")

    await here.resolve(message("5", chat="c1", account="second", event="read"))

    assert [await here.state_of(delivery_id) for delivery_id in ids] == ["sent", "sent", "read"]


async def test_buttons_quotes_and_files_are_kept_with_the_message(here: Scene) -> None:
    await here.resolve(message("1"))
    asked = outgoing("Когда?", buttons=["Утром", "Днём"], reply_to="1")
    voice = outgoing("", file_url="https://f/1", file_kind="voice")
    for one in (asked, voice):
        await accepted(here, one)

    first, second = [await outbound.get_delivery(here.pool, one.id) for one in (asked, voice)]

    assert first is not None
    assert second is not None

    assert (first.buttons, first.reply_to, first.file_kind) == (["Утром", "Днём"], "1", "")
    assert (second.file_url, second.file_kind, second.buttons) == ("https://f/1", "voice", [])
    rows = (
        "SELECT message_type, media, meta, reply_to FROM messages_history WHERE direction = 'out' ORDER BY id"
    )
    assert await here.rows(rows) == [
        ("text", {}, {"buttons": ["Утром", "Днём"]}, "1"),
        ("voice", {"has_voice": True, "voice_url": "https://f/1"}, {}, None),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"buttons": ["Нет"]},
        {"reply_to": "2"},
        {"buttons": (), "file_url": "https://f", "file_kind": "video"},
    ],
)
async def test_an_id_used_with_other_buttons_quotes_or_files_is_refused(
    here: Scene, other: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"idempotency_key": "k", "buttons": ["Да"], "reply_to": "1"}
    await accepted(here, outgoing(**given))

    changed = outgoing(**given | other)
    with pytest.raises(IdempotencyConflict):
        await outbound.insert_outbound(here.pool, changed, origin="tool", now=here.now)


async def test_a_receipt_of_another_chat_is_not_ours(here: Scene) -> None:
    delivery_id = await accepted(here, outgoing())
    await sent(here, delivery_id, "v1")
    await here.resolve(message("v1", chat="chat-2", event="read"))

    assert await here.state_of(delivery_id) == "sent"


async def test_our_echo_taken_for_an_operator_before_its_id_was_known_is_forgotten(here: Scene) -> None:
    await here.resolve(message("1"))
    delivery_id = await accepted(here, outgoing())
    await here.resolve(message("v1", event="operator_message"), message("v2", event="operator_message"))
    await sent(here, delivery_id, "v1", "v2")

    assert await here.rows(SENT_ROWS) == [("v1", "Ваш заказ готов")]


async def test_our_echo_taken_for_an_operator_afterwards_is_not_stored(here: Scene) -> None:
    await here.resolve(message("1"))
    await sent(here, await accepted(here, outgoing()), "v1", "v2")
    await here.resolve(*(message(name, event="operator_message") for name in ("v1", "v2", "v3")))

    assert await here.rows(SENT_ROWS) == [("v1", "Ваш заказ готов"), ("v3", "text of v3")]


async def test_echoes_and_the_vendors_answer_at_once_do_not_conflict(here: Scene) -> None:
    await here.resolve(message("1"))
    ids = [await accepted(here, outgoing(f"text {n}")) for n in range(10)]

    await asyncio.gather(
        *(sent(here, delivery_id, f"v{n}") for n, delivery_id in enumerate(ids)),
        *(here.resolve(message(f"v{n}", event="operator_message")) for n in range(10)),
    )

    assert await here.rows(SENT_ROWS) == [(f"v{n}", f"text {n}") for n in range(10)]


async def test_a_reply_travels_the_same_way(here: Scene) -> None:
    await here.resolve(message("1"))
    committed = await here.reply(await here.leased(), "Да")
    assert isinstance(committed, Committed)
    [waiting] = await outbox.unqueued(here.pool, Window())
    assert waiting.id == committed.outbound_id

    pushed = outgoing("Да", id=waiting.id)
    known = await outbound.insert_outbound(here.pool, pushed, origin="list", now=here.now)

    assert (known.created, known.delivery.origin) == (False, "reply")
    assert await here.rows(SENT_ROWS) == [(None, "Да")]


async def test_an_unknown_delivery_is_none_everywhere(here: Scene) -> None:
    stranger = uuid4()

    assert await outbound.get_delivery(here.pool, stranger) is None
    assert await outbound.begin_sending(here.pool, stranger, now=here.now) is None
    assert await outbound.mark_sent(here.pool, stranger, ["v1"], now=here.now) is None
    assert await outbound.mark_retry(here.pool, stranger, Failure(""), now=here.now) is None
