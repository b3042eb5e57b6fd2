"""What a channel can be asked follows from the parts that it has."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any, cast

import httpx
import pytest
from pydantic import BaseModel
from starlette.applications import Starlette

from core import channel as contract
from core.api import api_routes
from core.capabilities import Capabilities, MediaKind
from core.channel import Channel, ChatInfo, ChatPage, MediaFile, MediaLink
from core.channel_operations import PARTS, Account, ChannelOperations, capabilities_of
from core.errors import (
    ChannelError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
)
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId, MessageId
from core.observability import Metrics
from core.operations import Operation, WrongArguments
from core.operations_sending import BulkResult, SentMessage
from core.progress import progress_to
from core.sending import Sender, Sent
from core.testing import (
    FAKE_LIMITS,
    FAKE_RICH_LIMITS,
    FakeChannel,
    FakeChannelWithEverything,
    FakeChannelWithFiles,
    FakeChannelWithHistory,
)

JPEG = b"\xff\xd8\xff\xe0" + b"0" * 20
PICTURE = MediaFile(JPEG, media_type="image/jpeg", name="image.jpg")
SECOND = AccountId("second")


class FakeSender:
    """Remembers what it was asked to send; fails for the chats that it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | MediaFile, str]] = []
        self.beside: list[tuple[Any, ...]] = []
        self.speakers: list[str] = []
        self.errors: dict[str, ChannelError] = {}

    async def send_text(
        self,
        chat_id: ChatId,
        text: str,
        key: str = "",
        *,
        buttons: Sequence[str] = (),
        reply_to: str = "",
        speaker: str = "",
    ) -> Sent:
        self.beside.append((*buttons, reply_to))
        self.speakers.append(speaker)
        return self._send(chat_id, text, key)

    async def send_file(
        self,
        chat_id: ChatId,
        kind: MediaKind,
        file: MediaFile,
        caption: str = "",
        key: str = "",
        *,
        speaker: str = "",
    ) -> Sent:
        self.beside.append((kind, caption))
        self.speakers.append(speaker)
        return self._send(chat_id, file, key)

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


class Remembered:
    """Our own list of chats."""

    async def list_chats(self, account: AccountId, limit: int, cursor: str) -> ChatPage:
        return ChatPage(chats=[ChatInfo(chat_id=f"{account} {limit}")], next_cursor=cursor)

    async def get_chat(self, account: AccountId, chat_id: ChatId) -> ChatInfo:
        return ChatInfo(chat_id=f"{account} {chat_id}")


class Links:
    """Addresses of ours."""

    def link(self, account: AccountId, file_id: str) -> MediaLink:
        return MediaLink(url=f"https://us/{account}/{file_id}", expires_in=3600)


class Desk:
    """The operations over accounts, by name."""

    def __init__(
        self,
        *channels: Any,
        limits: Capabilities | None = None,
        names: Sequence[AccountId] = (DEFAULT_ACCOUNT, SECOND),
        **more: Any,
    ) -> None:
        self.senders = [FakeSender() for _ in channels]
        accounts = {
            name: Account(cast(Channel, channel), cast(Sender, sender))
            for name, channel, sender in zip(names, channels, self.senders, strict=False)
        }
        self.fetched: list[tuple[str, str, str]] = []
        limits = limits or channels[0].capabilities
        listed = ChannelOperations("VK", accounts, limits, self._fetch, **more).all()
        self.operations: dict[str, Operation] = {one.name: one for one in listed}

    async def call(self, name: str, **arguments: Any) -> Any:
        return await self.operations[name].call(arguments)

    def asks_for(self, name: str) -> set[str]:
        return set(self.operations[name].signature.parameters)

    async def _fetch(self, url: str, kind: MediaKind, name: str) -> MediaFile:
        self.fetched.append((url, kind, name))
        return PICTURE


def test_a_channel_that_only_sends_has_these_operations() -> None:
    assert set(Desk(OnlyText()).operations) == {"send_message", "send_bulk", "channel_capabilities"}


def test_every_part_brings_its_operations() -> None:
    assert set(Desk(FakeChannel()).operations) == {
        "send_message",
        "send_image",
        "send_bulk",
        "channel_capabilities",
    }
    assert set(Desk(FakeChannelWithEverything()).operations) == {
        "send_message",
        "send_image",
        "send_file",
        "send_bulk",
        "list_chats",
        "get_chat",
        "list_messages",
        "mark_read",
        "show_typing",
        "get_profile",
        "find_chat",
        "edit_message",
        "delete_message",
        "react",
        "subscribe_webhook",
        "webhook_status",
        "unsubscribe_webhook",
        "token_status",
        "refresh_token",
        "media_link",
        "read_conversation",
        "channel_capabilities",
    }


def test_the_paths_are_those_of_the_contract() -> None:
    """docs/architecture: the six channels answer alike."""
    routes = {f"{one.method} {one.path}" for one in Desk(FakeChannelWithEverything()).operations.values()}

    assert routes >= {
        "GET /api/token",
        "POST /api/token/refresh",
        "GET /api/chats",
        "GET /api/chats/{chat_id}",
        "GET /api/chats/{chat_id}/messages",
        "POST /api/chats/find",
        "POST /api/chats/{chat_id}/read",
        "POST /api/chats/{chat_id}/typing",
        "POST /api/chats/{chat_id}/messages/{message_id}/edit",
        "POST /api/chats/{chat_id}/messages/{message_id}/delete",
        "POST /api/chats/{chat_id}/messages/{message_id}/react",
        "GET /api/users/{user_id}",
        "POST /api/messages/send",
        "POST /api/messages/send/image",
        "POST /api/messages/send/file",
        "POST /api/messages/send/bulk",
        "POST /api/webhook/subscribe",
        "GET /api/webhook/status",
        "POST /api/webhook/unsubscribe",
    }


def test_tokens_and_links_are_no_business_of_a_model() -> None:
    hidden = {name for name, one in Desk(FakeChannelWithEverything()).operations.items() if not one.tool}

    seen_as_resources = {"read_conversation", "channel_capabilities"}
    assert hidden == {"token_status", "refresh_token", "media_link"} | seen_as_resources


def test_the_manifest_names_the_parts() -> None:
    assert capabilities_of(cast(Channel, OnlyText()))["parts"] == []
    parts = capabilities_of(FakeChannelWithHistory())
    assert parts["parts"] == ["SendsImages", "KeepsHistory"]
    assert parts["text_limit"] == 1000


def test_no_part_of_the_contract_is_forgotten() -> None:
    """Every optional Protocol of core/channel.py is in the manifest of /info."""
    optional = {
        name
        for name, one in vars(contract).items()
        if getattr(one, "_is_runtime_protocol", False) and one.__module__ == contract.__name__
    }

    assert {part.__name__ for part in PARTS} == optional


def test_buttons_are_for_every_channel_and_quotes_where_there_are_some() -> None:
    """Without buttons of the vendor the labels are numbered lines; a quote has no stand-in."""
    plain, rich = Desk(FakeChannel()), Desk(FakeChannelWithEverything())

    assert plain.asks_for("send_message") == {"chat_id", "text", "buttons", "idempotency_key", "account"}
    assert rich.asks_for("send_message") == plain.asks_for("send_message") | {"reply_to"}


async def test_send_file_knows_only_the_kinds_of_the_channel() -> None:
    media = {kind: limit for kind, limit in FAKE_RICH_LIMITS.media.items() if kind in ("image", "voice")}
    desk = Desk(FakeChannelWithEverything(capabilities=FAKE_LIMITS.model_copy(update={"media": media})))

    with pytest.raises(WrongArguments) as caught:
        await desk.call("send_file", chat_id="c", kind="video", file_url="https://f/1.mp4")
    assert [error["loc"] for error in caught.value.error.errors()] == [("kind",)]
    await desk.call("send_file", chat_id="c", kind="voice", file_url="https://f/1.ogg")
    assert desk.senders[0].beside == [("voice", "")]


async def test_words_beside_the_text_reach_the_sender() -> None:
    desk = Desk(FakeChannelWithEverything())

    await desk.call("send_message", chat_id="c", text="Когда?", buttons=["Сегодня", "Завтра"], reply_to="m1")
    await desk.call("send_message", chat_id="c", text="да")

    assert desk.senders[0].beside == [("Сегодня", "Завтра", "m1"), ("",)]


async def test_a_file_comes_by_address_or_in_base64_with_its_name() -> None:
    desk = Desk(FakeChannelWithEverything())
    text = base64.b64encode(b"%PDF-1.4").decode()
    call = {"chat_id": "c", "kind": "document", "file_name": "Прайс.pdf", "caption": "Вот"}

    await desk.call("send_file", **call, file_url="https://f/1")
    sent = await desk.call("send_file", **call, file_base64=text, idempotency_key="k")

    assert sent == SentMessage(message_ids=["m-c"])
    assert desk.fetched == [("https://f/1", "document", "Прайс.pdf")]
    assert desk.senders[0].sent[1] == ("c", MediaFile(b"%PDF-1.4", "application/pdf", "Прайс.pdf"), "k")
    assert desk.senders[0].beside == [("document", "Вот")] * 2


@pytest.mark.parametrize("given", [{}, {"file_url": "https://f/1", "file_base64": "aGk="}])
async def test_a_file_is_given_in_exactly_one_way(given: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="either file_url or file_base64"):
        await Desk(FakeChannelWithEverything()).call("send_file", chat_id="c", kind="voice", **given)


@pytest.mark.parametrize("given", ["", "default", "shop"])
async def test_the_only_account_needs_no_name(given: str) -> None:
    desk = Desk(FakeChannel(), names=[AccountId("shop")])

    await desk.call("send_message", chat_id="c", text="да", account=given)

    assert len(desk.senders[0].sent) == 1


async def test_among_several_accounts_the_default_must_exist() -> None:
    desk = Desk(FakeChannel(), FakeChannel(), names=[AccountId("shop"), SECOND])

    with pytest.raises(NotFound, match="'default'; known: shop, second"):
        await desk.call("send_message", chat_id="c", text="да")


async def test_our_own_list_answers_where_the_vendor_lists_no_chats() -> None:
    desk = Desk(FakeChannel(), names=[AccountId("shop")], remembered=Remembered())

    page = await desk.call("list_chats", limit=5, cursor="7")
    chat = await desk.call("get_chat", chat_id="c")

    assert (page.chats[0].chat_id, page.next_cursor, chat.chat_id) == ("shop 5", "7", "shop c")


async def test_the_vendors_own_list_goes_before_ours() -> None:
    desk = Desk(FakeChannelWithEverything(), remembered=Remembered())

    assert (await desk.call("list_chats")).chats[0].chat_id == "c1"
    assert (await desk.call("get_chat", chat_id="c")).chat_id == "c"


async def test_files_behind_our_token_have_an_address_of_ours() -> None:
    desk = Desk(FakeChannelWithFiles(), links=Links())

    link = await desk.call("media_link", file_id="f1", account="")

    assert link == MediaLink(url="https://us/default/f1", expires_in=3600)
    assert "media_link" not in Desk(FakeChannel(), links=Links()).operations


class SometimesLinked(FakeChannelWithFiles):
    """A messenger that has links for some files and bytes for others."""

    async def media_link(self, file_id: str) -> MediaLink:
        if file_id == "linked":
            return MediaLink(url="https://vendor/linked")
        raise NotFound(channel=self.name)


async def test_a_file_without_a_link_is_passed_on_by_us() -> None:
    desk = Desk(SometimesLinked(), links=Links())

    assert (await desk.call("media_link", file_id="linked")).url == "https://vendor/linked"
    assert (await desk.call("media_link", file_id="f1")).url == "https://us/default/f1"


@pytest.mark.parametrize("phone", ["79990001122", "+7 999 000", "+", "+0123456789", "+1234567890123456", ""])
async def test_a_number_that_is_none_is_refused_by_field(phone: str) -> None:
    with pytest.raises(WrongArguments) as caught:
        await Desk(FakeChannelWithEverything()).call("find_chat", phone=phone)
    assert [error["loc"] for error in caught.value.error.errors()] == [("phone",)]


async def test_over_http_the_wrong_field_is_named() -> None:
    desk = Desk(FakeChannelWithEverything())
    app = Starlette(routes=[*api_routes(list(desk.operations.values()), Metrics())])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://us") as client:
        answer = await client.post("/api/chats/find", json={"phone": "8 999 000-11-22"})
        missing = await client.post("/api/chats/find/me", json={})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "phone")
    assert missing.status_code == 404


def test_a_channel_with_one_kind_of_file_names_it_as_every_host_understands() -> None:
    media = {"document": FAKE_RICH_LIMITS.media["document"]}
    limits = FAKE_LIMITS.model_copy(update={"media": media})
    desk = Desk(FakeChannelWithEverything(capabilities=limits))

    schema = desk.operations["send_file"].arguments.model_json_schema()

    assert schema["properties"]["kind"]["enum"] == ["document"]
    assert "const" not in schema["properties"]["kind"]
    assert "send_image" not in desk.operations


async def test_a_chat_is_found_by_its_phone() -> None:
    channel = FakeChannelWithEverything()
    channel.phones["+79990001122"] = ChatId("c7")
    desk = Desk(channel)

    assert (await desk.call("find_chat", phone="+79990001122")).chat_id == "c7"
    with pytest.raises(PeerUnreachable):
        await desk.call("find_chat", phone="+79990001123")


@pytest.mark.parametrize(("text", "reason"), [("я" * 1_001, "longer than.*1000 characters"), (" ", "empty")])
async def test_an_edit_is_one_message(text: str, reason: str) -> None:
    channel = FakeChannelWithEverything()

    with pytest.raises(Rejected, match=reason):
        await Desk(channel).call("edit_message", chat_id="c", message_id="m", text=text)
    assert channel.asked == []


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
    desk = Desk(FakeChannelWithEverything(), FakeChannelWithEverything())

    with pytest.raises(NotFound, match="'third'; known: default, second") as caught:
        await desk.call(name, account="third", **required.get(name, {}))
    assert caught.value.status == 404


async def test_an_account_that_lacks_a_part_says_so() -> None:
    desk = Desk(FakeChannelWithEverything(), OnlyText())

    with pytest.raises(Rejected, match="'second' cannot do this"):
        await desk.call("list_chats", account="second")


async def test_a_picture_comes_by_address_or_in_base64() -> None:
    desk = Desk(FakeChannel())

    await desk.call("send_image", chat_id="c", image_url="https://i/1.jpg")
    await desk.call("send_image", chat_id="c", image_base64=base64.b64encode(JPEG).decode())

    assert desk.fetched == [("https://i/1.jpg", "image", "")]
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
    assert [(one.chat_id, one.message_ids, one.error_untrusted) for one in result.outcomes] == [
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


@pytest.mark.promise("progress")
async def test_a_bulk_tells_its_progress_after_each_chat() -> None:
    desk, told = Desk(FakeChannel()), []

    async def hear(done: float, total: float | None, words: str | None) -> None:
        told.append((done, total, [chat for chat, _, _ in desk.senders[0].sent]))

    with progress_to(hear):
        await desk.call("send_bulk", chat_ids=["a", "b", "a"], text="Скидка")

    assert told == [(1, 2, ["a"]), (2, 2, ["a", "b"])]


@pytest.mark.promise("progress")
async def test_a_bulk_whose_caller_goes_away_writes_to_nobody_more() -> None:
    desk = Desk(FakeChannel())
    heard = asyncio.Event()

    async def hear(*_: Any) -> None:
        heard.set()
        await asyncio.Event().wait()  # the caller reads no further

    with progress_to(hear):
        call = desk.call("send_bulk", chat_ids=["a", "b"], text="Скидка", idempotency_key="k")
        bulk = asyncio.ensure_future(call)
    await heard.wait()
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk

    assert [chat for chat, _, _ in desk.senders[0].sent] == ["a"]


async def test_reading_and_changing_reach_the_channel() -> None:
    channel = FakeChannelWithEverything()
    desk = Desk(channel)

    page = await desk.call("list_chats", limit=5, cursor="20")
    for name, more in {
        "mark_read": {},
        "show_typing": {},
        "edit_message": {"message_id": "m", "text": "Нет"},
        "delete_message": {"message_id": "m"},
        "react": {"message_id": "m", "emoji": "👍"},
    }.items():
        assert (await desk.call(name, chat_id="c", **more)).ok
    await desk.call("unsubscribe_webhook", url="https://us/webhook")
    results: list[BaseModel] = [
        await desk.call("get_chat", chat_id="c"),
        await desk.call("subscribe_webhook", url="https://us/webhook", version="v3"),
        await desk.call("token_status"),
        await desk.call("media_link", file_id="f/1"),
        await desk.call("list_messages", chat_id="c"),
        await desk.call("get_profile", user_id="u"),
    ]

    assert page.next_cursor == "20"
    assert channel.asked == [
        ("list_chats", "5", "20"),
        ("mark_read", "c"),
        ("show_typing", "c"),
        ("edit_message", "c", "m", "Нет"),
        ("delete_message", "c", "m"),
        ("react", "c", "m", "👍"),
        ("unsubscribe_webhook", "https://us/webhook"),
        ("subscribe_webhook", "https://us/webhook"),
    ]
    assert results[3] == MediaLink(url="https://files/f/1")


async def test_a_failure_of_the_messenger_passes_as_it_is() -> None:
    desk = Desk(FakeChannel())
    desk.senders[0].errors = {"c": RateLimited(retry_after=3)}

    with pytest.raises(RateLimited) as caught:
        await desk.call("send_message", chat_id="c", text="t")
    assert caught.value.retry_after == 3
