"""AvitoChannel over a client: pages, ads, pictures, webhooks and what is said when Avito refuses."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from core.channel import (
    DeletesMessages,
    HasToken,
    KeepsHistory,
    ListsChats,
    MarksRead,
    MediaFile,
    ResolvesMedia,
    SendsImages,
    Subscribes,
    WebhookRequest,
)
from core.errors import ChannelError, NotFound, Rejected
from core.ids import DEFAULT_ACCOUNT, ChatId, MessageId
from mcp_avito.channel import AvitoChannel
from mcp_avito.client import AvitoClient
from mcp_avito.tools import avito_operations
from tests.contract.avito_side import SETTINGS
from tests.contract.fake_time import FakeTime

ME, ANNA = 701_000_001, 702_000_002
CHAT = ChatId("u2i-A~1")
SECRET = SETTINGS.webhook_secret.get_secret_value()
OURS = f"https://shop.example.test/webhook/avito/default/{SECRET}"
MASKED = "https://shop.example.test/webhook/avito/default/***"

CHAT_BODY = {
    "id": CHAT,
    "updated": 1_763_800_123,
    "users": [{"id": ME, "name": "Мастерская"}, {"id": ANNA, "name": "Анна"}],
    "context": {
        "type": "item",
        "value": {"id": 3_550_001_234, "title": "Ремонт", "price_string": "1 500 ₽", "url": "https://a/1"},
    },
    "last_message": {"id": "m", "type": "text", "content": {"text": "Сколько?"}},
}


class Avito:
    """Answers by path ending; keeps subscriptions; remembers calls."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, Any]] = []
        self.urls: list[str] = []
        settings = SETTINGS.model_copy(update={"user_id": ME})
        client = AvitoClient(settings, timing=FakeTime().timing, transport=httpx.MockTransport(self._answer))
        self.channel = AvitoChannel(client, settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rstrip("/").rpartition("/")[2]
        if name == "token":
            return httpx.Response(200, json={"access_token": "tok"})
        is_json = request.headers.get("content-type") == "application/json"
        body = json.loads(request.content) if is_json else dict(request.url.params)
        self.calls.append((name, body))
        if name in {"webhook", "unsubscribe", "subscriptions"}:
            return httpx.Response(200, json=self._hook(name, body))
        answer = self.answers.get(name, {})
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def _hook(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name == "webhook":
            self.urls.append(body["url"])
        if name == "unsubscribe":
            self.urls.remove(body["url"])
        return {"ok": True, "subscriptions": [{"url": url, "version": "3"} for url in self.urls]}

    def called(self, name: str) -> list[Any]:
        return [body for known, body in self.calls if known == name]


def test_it_has_every_part_that_avito_can_serve() -> None:
    parts = (
        SendsImages,
        ListsChats,
        KeepsHistory,
        MarksRead,
        DeletesMessages,
        Subscribes,
        HasToken,
        ResolvesMedia,
    )

    assert all(isinstance(Avito().channel, part) for part in parts)


async def test_a_chat_shows_the_client_and_the_ad_whatever_the_order_of_users() -> None:
    turned = {**CHAT_BODY, "users": list(reversed(CHAT_BODY["users"]))}  # type: ignore[call-overload]
    page = await Avito(chats={"chats": [CHAT_BODY, turned]}).channel.list_chats(20, "")

    assert page.chats[0] == page.chats[1]
    assert page.chats[0].model_dump() == {
        "chat_id": CHAT,
        "client_name_untrusted": "Анна",
        "client_user_id": str(ANNA),
        "ad_id": "3550001234",
        "ad_title_untrusted": "Ремонт",
        "ad_price_untrusted": "1 500 ₽",
        "ad_url_untrusted": "https://a/1",
        "last_message_untrusted": "Сколько?",
        "updated_at": "2025-11-22T08:28:43+00:00",
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"users": None, "context": None, "last_message": None},
        {"users": [], "context": {"type": "promo", "value": {"id": 1, "title": "x"}}},
        {"users": "no", "context": 7, "last_message": [], "updated": "now"},
        {"users": [{"id": ME}], "context": {"type": "item", "value": None}},
    ],
)
async def test_a_chat_may_lack_everything_but_its_id(broken: dict[str, Any]) -> None:
    chat = await Avito(**{CHAT: {"id": CHAT, **broken}}).channel.get_chat(CHAT)

    assert chat.model_dump(exclude_defaults=True) == {"chat_id": CHAT}


@pytest.mark.parametrize(
    ("meta", "rows", "cursor", "expected"),
    [
        ({"has_more": True}, 2, "", "2"),
        ({"has_more": False}, 2, "", ""),
        (None, 2, "", "2"),
        (None, 1, "", ""),
        ({"has_more": True}, 0, "4", ""),
        ({"has_more": True}, 2, "998", "1000"),
        ({"has_more": True}, 2, "999", ""),
    ],
)
async def test_pages_follow_each_other_by_offset(meta: Any, rows: int, cursor: str, expected: str) -> None:
    avito = Avito(chats={"chats": [{"id": str(row)} for row in range(rows)], "meta": meta})

    page = await avito.channel.list_chats(2, cursor)

    assert page.next_cursor == expected
    assert avito.calls[0][1]["offset"] == (cursor or "0")


@pytest.mark.parametrize("cursor", ["-1", "1001", "x", "٣", "9" * 5000, "1.5"])
async def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        await Avito().channel.list_messages(CHAT, 20, cursor)


@pytest.mark.parametrize(("limit", "asked"), [(0, "1"), (50, "50"), (500, "100")])
async def test_a_page_is_as_large_as_avito_allows(limit: int, asked: str) -> None:
    avito = Avito(messages=[])

    await avito.channel.list_messages(CHAT, limit, "")

    assert avito.calls[0][1]["limit"] == asked


async def test_read_means_the_business_for_incoming_and_the_client_for_outgoing() -> None:
    """§10.18: `is_read` is about the asking account, `read` about the other side."""
    rows = [
        {"id": "1", "direction": "in", "type": "text", "is_read": True, "read": None},
        {"id": "2", "direction": "in", "type": "text", "is_read": False, "read": 1_763_800_150},
        {"id": "3", "direction": "out", "type": "text", "is_read": True, "read": None},
        {"id": "4", "direction": "out", "type": "text", "is_read": True, "read": 1_763_800_150},
        {"id": "5", "author_id": ME, "type": "novelty", "content": None},
    ]
    page = await Avito(messages={"messages": rows}).channel.list_messages(CHAT, 20, "")

    assert [message.read for message in page.messages] == [True, False, False, True, False]
    assert [message.direction for message in page.messages] == ["in", "in", "out", "out", "out"]


async def test_the_history_shows_pictures_and_voice_notes() -> None:
    rows = [
        {
            "id": "1",
            "type": "image",
            "content": {"image": {"sizes": {"1x1": "https://i/1", "2x2": "https://i/2"}}},
        },
        {"id": "2", "type": "voice", "content": {"voice": {"voice_id": "v-1"}}},
        {"id": "3", "type": "link", "content": {"link": {"text": "вот", "url": "https://l"}}},
    ]
    page = await Avito(messages=rows).channel.list_messages(CHAT, 20, "")

    shown = [(m.image_url, m.voice_file_id, m.text_untrusted) for m in page.messages]
    assert shown == [("https://i/2", "", ""), ("", "v-1", ""), ("", "", "вот https://l")]


async def test_our_own_words_stand_in_the_history_as_we_sent_them() -> None:
    """The sender looks for a lost message by its words, also when Avito made a link of them."""
    link = {"link": {"text": "адрес example.test", "url": "https://example.test/"}}
    rows = [{"id": "1", "direction": "out", "type": "link", "content": link, "created": 1_763_800_123}]
    page = await Avito(messages=rows).channel.list_messages(CHAT, 20, "")

    assert page.messages[0].text_untrusted == "адрес example.test"


async def test_a_message_without_a_time_has_that_of_its_neighbour() -> None:
    rows = [
        {"id": "1"},
        {"id": "2", "created": 1_763_800_123},
        {"id": "3", "created": "?"},
        {"id": "4", "created": 5},
    ]
    page = await Avito(messages=rows).channel.list_messages(CHAT, 20, "")

    times = [message.sent_at for message in page.messages]
    assert times == ["2025-11-22T08:28:43+00:00"] * 3 + ["1970-01-01T00:00:05+00:00"]


async def test_a_history_without_any_time_counts_as_new() -> None:
    page = await Avito(messages=[{"id": "1"}]).channel.list_messages(CHAT, 20, "")

    assert page.messages[0].sent_at.startswith("9999-")


SINCE = datetime.fromtimestamp(1_763_800_000, UTC)
ASKED = {
    "id": "m1",
    "type": "text",
    "author_id": ANNA,
    "created": 1_763_800_123,
    "content": {"text": "Цена?"},
}


async def test_what_no_push_brought_is_found_in_the_history_as_the_push_would_have_told_it() -> None:
    """The key is the push's own, so that the inbox knows what came already."""
    answered = {**ASKED, "id": "m2", "author_id": ME, "created": 1_763_800_130, "content": {"text": "1 500"}}
    avito = Avito(chats={"chats": [CHAT_BODY]}, messages=[answered, ASKED])
    found = await avito.channel.arrivals_since(SINCE, [])

    assert [(one.event_key, one.own, one.message.event, one.message.text) for one in found] == [
        ("m1:text", False, "message", "Цена?"),
        ("m2:text", True, "operator_message", "1 500"),
    ]
    pushed = avito.channel.normalize(
        {
            "payload": {
                "type": "message",
                "value": {**ASKED, "chat_id": CHAT, "user_id": ME, "chat_type": "u2i", "item_id": 3550001234},
            },
        }
    ).arrivals[0]
    same = {"event_key", "message", "fingerprint"}
    assert {name: getattr(found[0], name) for name in same - {"message"}} == {
        name: getattr(pushed, name) for name in same - {"message"}
    }
    assert found[0].message.model_copy(update={"meta": pushed.message.meta}) == pushed.message
    assert found[0].message.meta.ad_id == pushed.message.meta.ad_id == "3550001234"


async def test_chats_and_messages_from_before_are_left_alone() -> None:
    old = {**ASKED, "id": "m0", "created": 1_763_700_000}
    quiet = {**CHAT_BODY, "id": "u2i-quiet", "updated": 1_763_700_000}
    avito = Avito(chats={"chats": [CHAT_BODY, quiet]}, messages=[ASKED, old])

    assert [one.event_key for one in await avito.channel.arrivals_since(SINCE, [])] == ["m1:text"]
    assert len(avito.called("messages")) == 1


async def test_rows_that_cannot_be_read_hide_no_other() -> None:
    rows = [{"id": "x", "type": "hologram", "created": 1_763_800_200}, "nonsense", {"id": "y"}, ASKED]
    avito = Avito(chats={"chats": [CHAT_BODY]}, messages=rows)

    assert [one.event_key for one in await avito.channel.arrivals_since(SINCE, [])] == ["m1:text"]


async def test_avitos_own_chat_is_no_customer_in_the_history_either() -> None:
    own = {**CHAT_BODY, "context": None, "users": [{"id": ME, "name": "Мастерская"}]}
    avito = Avito(chats={"chats": [own]}, messages=[ASKED])

    assert [one.message.event for one in await avito.channel.arrivals_since(SINCE, [])] == ["notice"]


async def test_a_picture_is_uploaded_and_then_sent() -> None:
    avito = Avito(uploadImages={"77.a": {}}, image={"id": "cc02"})

    assert await avito.channel.send_image(CHAT, MediaFile(b"\x89PNG", "image/png", "a.png")) == "cc02"
    assert avito.called("image") == [{"image_id": "77.a"}]


@pytest.mark.parametrize(
    "image", [MediaFile(b"RIFF", "image/webp", "a.webp"), MediaFile(bytes(24 * 1024 * 1024 + 1))]
)
async def test_a_picture_that_avito_would_refuse_is_not_uploaded(image: MediaFile) -> None:
    avito = Avito()

    with pytest.raises(Rejected):
        await avito.channel.send_image(CHAT, image)
    assert avito.calls == []


async def test_a_voice_note_has_a_link_for_an_hour() -> None:
    link = await Avito(getVoiceFiles={"voices_urls": {"v-1": "https://v/1"}}).channel.media_link("v-1")

    assert (link.url, link.expires_in) == ("https://v/1", 3_600)


@pytest.mark.parametrize("answer", [{"voices_urls": {}}, {"voices_urls": None}, {"voices_urls": {"v-1": 5}}])
async def test_an_unknown_voice_note_is_not_found(answer: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="voice note"):
        await Avito(getVoiceFiles=answer).channel.media_link("v-1")


@pytest.mark.parametrize("status", [400, 404])
async def test_a_late_deletion_names_the_rule(status: int) -> None:
    refusal = httpx.Response(status, json={"error": {"code": status, "message": "too late"}})

    with pytest.raises(ChannelError, match=r"too late”\. Avito deletes only our own .* one hour"):
        await Avito(m1=refusal).channel.delete_message(CHAT, MessageId("m1"))


async def test_a_customer_is_blocked_with_reason_and_ad() -> None:
    avito = Avito()
    operation = avito_operations({DEFAULT_ACCOUNT: avito.channel})[0]

    await operation.call({"user_id": ANNA, "reason": "spam", "item_id": 5})
    await operation.call({"user_id": ANNA})

    assert avito.called("blacklist") == [
        {"users": [{"user_id": ANNA, "context": {"reason_id": 1, "item_id": 5}}]},
        {"users": [{"user_id": ANNA, "context": {"reason_id": 4}}]},
    ]


async def test_blocking_on_an_unknown_account_or_for_no_reason_is_refused() -> None:
    avito = Avito()
    operation = avito_operations({DEFAULT_ACCOUNT: avito.channel})[0]

    with pytest.raises(NotFound):
        await operation.call({"user_id": ANNA, "account": "other"})
    with pytest.raises(Rejected):
        await avito.channel.blacklist(ANNA, "boredom")


@pytest.mark.parametrize(
    "given",
    [
        "https://shop.example.test",
        "https://shop.example.test/",
        "https://shop.example.test/webhook/avito",
        "https://shop.example.test/webhook/avito/default",
        "https://shop.example.test/webhook/avito/default/",
        OURS,
    ],
)
async def test_the_secret_is_added_to_the_address_and_never_shown(given: str) -> None:
    avito = Avito()

    status = await avito.channel.subscribe_webhook(given)

    assert avito.urls == [OURS]
    assert status.model_dump() == {"subscribed": True, "urls": [MASKED]}


async def test_subscribing_again_asks_avito_for_nothing_new() -> None:
    avito = Avito()
    for _ in range(2):
        await avito.channel.subscribe_webhook(OURS)

    assert len(avito.called("webhook")) == 1


@pytest.mark.parametrize("given", ["shop.example.test", "ftp://shop.example.test", "https://", "http://["])
async def test_an_address_that_nobody_can_call_is_refused(given: str) -> None:
    avito = Avito()

    with pytest.raises(Rejected, match="address"):
        await avito.channel.subscribe_webhook(given)
    assert avito.calls == []


async def test_addresses_of_others_are_hidden_and_are_not_ours() -> None:
    avito = Avito()
    avito.urls = [
        "https://user:pw@crm.example.test/hooks/s3cret?key=s3cret",
        "https://old.example.test/webhook/avito/default/s3cret",
        "http://[",
    ]

    status = await avito.channel.webhook_status()

    assert not status.subscribed
    assert status.urls == [
        "https://crm.example.test/***",
        "https://old.example.test/webhook/avito/default/***",
        "***",
    ]


@pytest.mark.parametrize("given", [OURS, MASKED, "https://shop.example.test"])
async def test_a_subscription_ends_by_any_of_its_names(given: str) -> None:
    avito = Avito()
    avito.urls = ["https://crm.example.test/hook", OURS]

    status = await avito.channel.unsubscribe_webhook(given)

    assert avito.urls == ["https://crm.example.test/hook"]
    assert not status.subscribed


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "x", "\ud800", "пароль"])
def test_any_other_secret_is_refused(secret: str) -> None:
    assert not Avito().channel.verify(WebhookRequest(b"{}", {}, secret))


def test_a_push_for_another_account_is_kept_apart() -> None:
    value = {
        "id": "m",
        "chat_id": CHAT,
        "type": "text",
        "user_id": 5,
        "author_id": 6,
        "content": {"text": "x"},
    }

    result = Avito().channel.normalize({"payload": {"type": "message", "value": {**value, "created": 1}}})

    assert result.unknown == "other_account"
