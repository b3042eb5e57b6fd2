"""What a channel can be asked follows from the parts that it has."""

import base64
from typing import Any, cast

import pytest
from pydantic import BaseModel

from core.capabilities import Capabilities
from core.channel import (
    Channel,
    ChatInfo,
    ChatPage,
    MediaFile,
    MediaLink,
    TokenStatus,
    WebhookStatus,
)
from core.channel_operations import (
    Account,
    BulkResult,
    ChannelOperations,
    SentMessage,
    capabilities_of,
)
from core.errors import ChannelError, Forbidden, NotFound, OutcomeUnknown, RateLimited, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId, MessageId
from core.operations import Operation
from core.sending import Sender, Sent
from core.testing import FAKE_LIMITS, FakeChannel, FakeChannelWithHistory

JPEG = b"\xff\xd8\xff\xe0" + b"0" * 20
PICTURE = MediaFile(JPEG, media_type="image/jpeg", name="image.jpg")
SECOND = AccountId("second")


class FakeSender:
    """Remembers what it was asked to send; fails for the chats that it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | MediaFile, str]] = []
        self.errors: dict[str, ChannelError] = {}

    async def send_text(self, chat_id: ChatId, text: str, idempotency_key: str = "") -> Sent:
        return self._send(chat_id, text, idempotency_key)

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, caption: str = "", idempotency_key: str = ""
    ) -> Sent:
        del caption
        return self._send(chat_id, image, idempotency_key)

    def _send(self, chat_id: ChatId, what: str | MediaFile, key: str) -> Sent:
        if chat_id in self.errors:
            raise self.errors[chat_id]
        duplicate = bool(key) and key in [one[2] for one in self.sent]
        self.sent.append((chat_id, what, key))
        return Sent((MessageId(f"m-{chat_id}"),), duplicate=duplicate)


class OnlyText:
    """A channel with the required part alone."""

    name, account, capabilities = "vk", DEFAULT_ACCOUNT, FAKE_LIMITS

    async def send_text(self, chat_id: ChatId, text: str) -> MessageId:
        raise AssertionError


class Everything(FakeChannelWithHistory):
    """A channel with every part."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, ...]] = []

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        self.asked.append(("list_chats", str(limit), cursor))
        return ChatPage(chats=[ChatInfo(chat_id="c1")], next_cursor="20")

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        return ChatInfo(chat_id=chat_id)

    async def mark_read(self, chat_id: ChatId) -> None:
        self.asked.append(("mark_read", chat_id))

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        self.asked.append(("delete_message", chat_id, message_id))

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        return WebhookStatus(subscribed=True, urls=[url])

    async def webhook_status(self) -> WebhookStatus:
        return WebhookStatus(subscribed=False)

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        self.asked.append(("unsubscribe", url))
        return WebhookStatus(subscribed=False)

    async def token_status(self) -> TokenStatus:
        return TokenStatus(valid=True)

    async def refresh_token(self) -> TokenStatus:
        raise Forbidden("No.")

    async def media_link(self, file_id: str) -> MediaLink:
        return MediaLink(url=f"https://files/{file_id}")


class Desk:
    """The operations over accounts, by name."""

    def __init__(self, *channels: Any, limits: Capabilities = FAKE_LIMITS) -> None:
        names = (DEFAULT_ACCOUNT, SECOND)
        self.senders = [FakeSender() for _ in channels]
        accounts = {
            name: Account(cast(Channel, channel), cast(Sender, sender))
            for name, channel, sender in zip(names, channels, self.senders, strict=False)
        }
        self.fetched: list[str] = []
        listed = ChannelOperations("VK", accounts, limits, self._fetch).all()
        self.operations: dict[str, Operation] = {one.name: one for one in listed}

    async def call(self, name: str, **arguments: Any) -> Any:
        return await self.operations[name].call(arguments)

    async def _fetch(self, url: str) -> MediaFile:
        self.fetched.append(url)
        return PICTURE


def test_a_channel_that_only_sends_has_two_operations() -> None:
    assert set(Desk(OnlyText()).operations) == {"send_message", "send_bulk"}


def test_every_part_brings_its_operations() -> None:
    assert set(Desk(FakeChannel()).operations) == {"send_message", "send_image", "send_bulk"}
    assert set(Desk(Everything()).operations) == {
        "send_message",
        "send_image",
        "send_bulk",
        "list_chats",
        "get_chat",
        "list_messages",
        "mark_read",
        "delete_message",
        "subscribe_webhook",
        "webhook_status",
        "unsubscribe_webhook",
        "token_status",
        "refresh_token",
        "media_link",
    }


def test_the_paths_are_those_of_the_contract() -> None:
    """docs/architecture: the six channels answer alike."""
    routes = {f"{one.method} {one.path}" for one in Desk(Everything()).operations.values()}

    assert routes >= {
        "GET /api/token",
        "POST /api/token/refresh",
        "GET /api/chats",
        "GET /api/chats/{chat_id}",
        "GET /api/chats/{chat_id}/messages",
        "POST /api/messages/send",
        "POST /api/messages/send/image",
        "POST /api/messages/send/bulk",
        "POST /api/webhook/subscribe",
        "GET /api/webhook/status",
        "POST /api/webhook/unsubscribe",
    }


def test_tokens_and_links_are_no_business_of_a_model() -> None:
    hidden = {name for name, one in Desk(Everything()).operations.items() if not one.tool}

    assert hidden == {"token_status", "refresh_token", "media_link"}


def test_the_manifest_names_the_parts() -> None:
    assert capabilities_of(cast(Channel, OnlyText()))["parts"] == []
    parts = capabilities_of(FakeChannelWithHistory())
    assert parts["parts"] == ["SendsImages", "KeepsHistory"]
    assert parts["text_limit"] == 1000


async def test_a_text_goes_to_the_account_that_was_named() -> None:
    desk = Desk(FakeChannel(), FakeChannel())

    result = await desk.call("send_message", chat_id="c/1", text="да", account="second", idempotency_key="k")

    assert result == SentMessage(message_ids=["m-c/1"])
    assert [sender.sent for sender in desk.senders] == [[], [("c/1", "да", "k")]]


async def test_a_repeat_says_that_it_is_one() -> None:
    desk = Desk(FakeChannel())
    for _ in range(2):
        result = await desk.call("send_message", chat_id="c", text="да", idempotency_key="k")

    assert result.duplicate is True


@pytest.mark.parametrize("name", ["send_message", "send_bulk", "send_image", "list_chats", "webhook_status"])
async def test_an_unknown_account_is_named_with_those_that_exist(name: str) -> None:
    required: dict[str, dict[str, Any]] = {
        "send_message": {"chat_id": "c", "text": "t"},
        "send_bulk": {"chat_ids": ["c"], "text": "t"},
        "send_image": {"chat_id": "c", "image_url": "https://i/1"},
    }
    desk = Desk(Everything(), Everything())

    with pytest.raises(NotFound, match="'third'; known: default, second") as caught:
        await desk.call(name, account="third", **required.get(name, {}))
    assert caught.value.status == 404


async def test_an_account_that_lacks_a_part_says_so() -> None:
    desk = Desk(Everything(), OnlyText())

    with pytest.raises(Rejected, match="'second' cannot do this"):
        await desk.call("list_chats", account="second")


async def test_a_picture_comes_by_address_or_in_base64() -> None:
    desk = Desk(FakeChannel())

    await desk.call("send_image", chat_id="c", image_url="https://i/1.jpg")
    await desk.call("send_image", chat_id="c", image_base64=base64.b64encode(JPEG).decode())

    assert desk.fetched == ["https://i/1.jpg"]
    assert [what for _, what, _ in desk.senders[0].sent] == [PICTURE, PICTURE]


@pytest.mark.parametrize("given", [{}, {"image_url": "https://i/1", "image_base64": "aGk="}])
async def test_a_picture_is_given_in_exactly_one_way(given: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="either image_url or image_base64"):
        await Desk(FakeChannel()).call("send_image", chat_id="c", **given)


@pytest.mark.parametrize("text", ["не base64", base64.b64encode(b"GIF89a").decode(), "A" * 2_000_000])
async def test_what_is_no_picture_for_this_channel_is_refused(text: str) -> None:
    desk = Desk(FakeChannel())

    with pytest.raises(Rejected):
        await desk.call("send_image", chat_id="c", image_base64=text)
    assert desk.senders[0].sent == []


async def test_a_bulk_tells_each_outcome_and_one_failure_stops_nobody() -> None:
    desk = Desk(FakeChannel())
    desk.senders[0].errors = {"b": Forbidden("Blocked."), "d": OutcomeUnknown("No answer.")}

    result = await desk.call("send_bulk", chat_ids=["a", "b", "c", "d", "a"], text="Скидка")

    assert isinstance(result, BulkResult)
    assert (result.sent, result.failed) == (2, 2)
    assert [(one.chat_id, one.message_ids, one.error) for one in result.outcomes] == [
        ("a", ["m-a"], ""),
        ("b", [], "forbidden: Blocked."),
        ("c", ["m-c"], ""),
        ("d", [], "outcome_unknown: No answer."),
    ]


async def test_one_key_of_a_bulk_is_a_key_per_chat() -> None:
    desk = Desk(FakeChannel())

    await desk.call("send_bulk", chat_ids=["a", "b"], text="Скидка", idempotency_key="k")
    await desk.call("send_bulk", chat_ids=["a"], text="Скидка")

    keys = [key for _, _, key in desk.senders[0].sent]
    assert keys == ["k:a", "k:b", ""]


async def test_reading_and_changing_reach_the_channel() -> None:
    channel = Everything()
    desk = Desk(channel)

    page = await desk.call("list_chats", limit=5, cursor="20")
    await desk.call("mark_read", chat_id="c")
    await desk.call("delete_message", chat_id="c", message_id="m")
    await desk.call("unsubscribe_webhook", url="https://us/webhook")
    results: list[BaseModel] = [
        await desk.call("get_chat", chat_id="c"),
        await desk.call("subscribe_webhook", url="https://us/webhook", version="v3"),
        await desk.call("token_status"),
        await desk.call("media_link", file_id="f/1"),
        await desk.call("list_messages", chat_id="c"),
    ]

    assert page.next_cursor == "20"
    assert channel.asked == [
        ("list_chats", "5", "20"),
        ("mark_read", "c"),
        ("delete_message", "c", "m"),
        ("unsubscribe", "https://us/webhook"),
    ]
    assert results[3] == MediaLink(url="https://files/f/1")


async def test_a_failure_of_the_messenger_passes_as_it_is() -> None:
    desk = Desk(Everything())
    desk.senders[0].errors = {"c": RateLimited(retry_after=3)}

    with pytest.raises(Forbidden):
        await desk.call("refresh_token")
    with pytest.raises(RateLimited) as caught:
        await desk.call("send_message", chat_id="c", text="t")
    assert caught.value.retry_after == 3
