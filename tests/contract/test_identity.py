"""Who, where and what: ids survive the round trip, our own messages are known, repeats have one key."""

import pytest

from core.channel import KeepsHistory
from core.errors import ChannelError
from core.ids import ChatId
from tests.contract.vendor_side import SIDES, VendorSide, each, those_that_push_their_own, those_with

WORDS = ["Привет", "a\nb", "👩‍👩‍👧 <b>&amp;</b>", "x" * 900, "'; DROP TABLE clients; --"]


@pytest.mark.parametrize(("name", "chat_id"), each("chats"))
async def test_ids_survive_the_round_trip(name: str, chat_id: str) -> None:
    vendor: VendorSide = SIDES[name]()
    asked = vendor.channel.normalize(vendor.push("Здравствуйте", chat_id=chat_id)).arrivals[0].message
    message_id = await vendor.channel.send_text(asked.external_chat_id, "Здравствуйте!")

    assert asked.external_chat_id == chat_id
    assert message_id
    assert vendor.taken == [(chat_id, "Здравствуйте!")]


@those_with("echoes")
@pytest.mark.parametrize("place", range(4))
async def test_the_echo_bears_the_ids_of_the_send(vendor: VendorSide, place: int) -> None:
    chat_id = ChatId(vendor.chats[place])
    message_id = await vendor.channel.send_text(chat_id, "Здравствуйте!")
    echo = vendor.channel.normalize(vendor.push_of(message_id)).arrivals[0]

    assert echo.own
    assert (echo.message.external_chat_id, echo.message.external_message_id) == (chat_id, message_id)


@those_with(KeepsHistory)
async def test_the_history_names_messages_as_send_did(vendor: VendorSide) -> None:
    assert isinstance(vendor.channel, KeepsHistory)
    chat = ChatId(vendor.chats[0])
    message_id = await vendor.channel.send_text(chat, "Готово")

    page = await vendor.channel.list_messages(chat, 10, "")

    assert [(m.message_id, m.direction, m.text_untrusted) for m in page.messages] == [
        (message_id, "out", "Готово")
    ]


@pytest.mark.parametrize(("name", "chat_id"), each("bad_chats"))
async def test_an_id_that_nobody_can_have_reaches_nobody(name: str, chat_id: str) -> None:
    vendor: VendorSide = SIDES[name]()
    with pytest.raises(ChannelError):
        await vendor.channel.send_text(ChatId(chat_id), "x")

    assert vendor.taken == []


def test_a_customers_message_is_not_ours(vendor: VendorSide) -> None:
    theirs = vendor.channel.normalize(vendor.push("Привет", chat_id=vendor.chats[0])).arrivals[0]

    assert (theirs.own, theirs.message.event, theirs.fingerprint) == (False, "message", "")


@those_that_push_their_own()
def test_a_message_of_the_account_itself_is_marked(vendor: VendorSide) -> None:
    pushed = vendor.push("Привет", chat_id=vendor.chats[0], own=True)
    ours = vendor.channel.normalize(pushed).arrivals[0]

    assert (ours.own, ours.message.event) == (True, "operator_message")
    assert ours.fingerprint


def test_a_message_names_its_channel_and_account(vendor: VendorSide) -> None:
    message = vendor.channel.normalize(vendor.push("Привет", chat_id=vendor.chats[0])).arrivals[0].message

    assert (message.channel, message.account) == (vendor.channel.name, vendor.channel.account)


def test_a_repeated_push_has_the_same_key(vendor: VendorSide) -> None:
    push = vendor.push("Привет", chat_id=vendor.chats[0])
    first, second = (vendor.channel.normalize(push) for _ in range(2))

    assert first.arrivals[0].event_key == second.arrivals[0].event_key


@pytest.mark.parametrize(
    "text", ["Привет", "a\nb", "👩‍👩‍👧 <b>&amp;</b>", "x" * 900, "'; DROP TABLE clients; --"]
)
def test_a_customers_words_arrive_as_they_were_written(vendor: VendorSide, text: str) -> None:
    message = vendor.channel.normalize(vendor.push(text, chat_id=vendor.chats[0])).arrivals[0].message

    assert message.text == text
