"""MAX names a message without its chat: whatever is done to one stays in the chat that was meant."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.errors import NotFound, Rejected
from core.ids import ChatId, MessageId
from mcp_max.channel import MaxChannel
from tests.contract.max_side import ANNA, BOT
from tests.unit.test_max_channel import CHAT, Max, refused, row

OTHERS = MessageId("mid.8")
Touch = Callable[[MaxChannel, ChatId, MessageId], Awaitable[None]]

touches = pytest.mark.parametrize(
    "touch",
    [
        lambda channel, chat, message: channel.edit_message(chat, message, "x"),
        lambda channel, chat, message: channel.delete_message(chat, message),
    ],
    ids=["edit", "delete"],
)


def elsewhere() -> dict[str, Any]:
    """Another customer's message."""
    return row(8) | {"recipient": {"chat_id": 90_011, "chat_type": "dialog", "user_id": BOT}}


@touches
async def test_a_message_of_another_chat_is_not_touched(touch: Touch) -> None:
    vendor = Max()
    vendor.rows = [elsewhere() | {"sender": {"user_id": ANNA + 1, "is_bot": False}}]

    for chat in (CHAT, ChatId(f"user:{ANNA}")):
        with pytest.raises(NotFound):
            await touch(vendor.channel, chat, OTHERS)
    assert {line for line, _, _ in vendor.calls} == {"GET /messages/mid.8"}


@touches
async def test_what_a_customer_wrote_in_a_group_is_not_in_their_dialog(touch: Touch) -> None:
    vendor = Max()
    vendor.rows = [row(8) | {"recipient": {"chat_id": -7, "chat_type": "chat"}}]

    for chat in ("90010", f"user:{ANNA}"):
        with pytest.raises(NotFound):
            await touch(vendor.channel, ChatId(chat), OTHERS)
    await touch(vendor.channel, ChatId("-7"), OTHERS)


@touches
async def test_what_we_may_not_read_is_taken_as_named(touch: Touch) -> None:
    """In groups reading needs a right of its own (§7)."""
    vendor = Max()
    vendor.answers["GET /messages/mid.8"] = [refused(403, "access.denied")]
    await touch(vendor.channel, CHAT, OTHERS)

    assert len(vendor.calls) == 2


@touches
@pytest.mark.parametrize("chat", ["90010", f"user:{ANNA}"])
@pytest.mark.parametrize("own", [True, False])
async def test_a_dialog_may_be_named_by_its_number_or_its_customer(
    touch: Touch, chat: str, *, own: bool
) -> None:
    vendor = Max()
    vendor.rows = [row(8, own=own)]
    await touch(vendor.channel, ChatId(chat), OTHERS)

    assert len(vendor.calls) == 2


@touches
async def test_a_message_without_a_place_is_taken_as_named(touch: Touch) -> None:
    vendor = Max()
    vendor.rows = [row(8) | {"recipient": None}]
    await touch(vendor.channel, CHAT, OTHERS)

    assert len(vendor.calls) == 2


async def test_the_words_of_one_customer_are_not_quoted_to_another() -> None:
    vendor = Max()
    vendor.rows = [elsewhere()]
    await vendor.channel.send_reply(CHAT, "Да", OTHERS)

    assert vendor.sent() == [{"text": "Да"}]


@pytest.mark.parametrize("name", ["bot_started:90010:50100:1763800000000", "\ud800", "x" * 600, ""])
async def test_what_cannot_be_quoted_is_answered_without_a_quote(name: str) -> None:
    """A press of Start is in the turn, too, and has an id of ours."""
    vendor = Max()
    await vendor.channel.send_reply(CHAT, "Да", MessageId(name))

    assert vendor.sent() == [{"text": "Да"}]


async def test_a_quote_that_max_refuses_is_left_out() -> None:
    vendor = Max()
    vendor.answers["POST /messages"] = [refused(400, "proto.payload", "link: no such message")]
    await vendor.channel.send_reply(CHAT, "Да", MessageId("mid.5"))

    assert [body.get("link") for body in vendor.sent()] == [{"type": "reply", "mid": "mid.5"}, None]


async def test_a_text_that_max_refuses_is_refused_without_the_quote_as_well() -> None:
    vendor = Max()
    vendor.answers["POST /messages"] = [refused(400, "proto.payload", "text: size")] * 2

    with pytest.raises(Rejected, match="size"):
        await vendor.channel.send_reply(CHAT, "Да", MessageId("mid.5"))


async def test_half_an_emoji_on_a_button_is_a_replacement_sign() -> None:
    vendor = Max()
    await vendor.channel.send_buttons(CHAT, "Когда?", ["Да \ud83d"])

    [[button]] = vendor.sent()[0]["attachments"][0]["payload"]["buttons"]
    assert (button["text"], button["payload"]) == ("Да �", "Да �")
