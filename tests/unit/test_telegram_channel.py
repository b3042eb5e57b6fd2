"""TelegramChannel over a client: parts, ids, files, buttons, the webhook's address and health."""

import json
from typing import Any

import httpx
import pytest

from core import channel as contract
from core.channel import MediaFile, WebhookRequest
from core.errors import ChannelError, NotFound, PeerUnreachable, Rejected
from core.ids import AccountId, ChatId, MessageId, UserId
from core.messages import IncomingMessage
from mcp_telegram.channel import CALLBACK_BYTES, UPDATES, TelegramChannel
from mcp_telegram.client import TelegramClient
from mcp_telegram.tools import telegram_operations
from tests.contract.fake_time import FakeTime
from tests.contract.telegram_side import SECRET, SETTINGS, TOKEN, refusal

CHAT, BUSINESS = ChatId("900000001"), ChatId("bcAAAAexample:900000002")
GROUP = ChatId("-1002000000000")
SITE = "https://shop.example.test"
OURS = f"{SITE}/webhook/telegram/shop"
PNG = b"\x89PNG\r\n\x1a\n"


class Telegram:
    """Answers by method; keeps the webhook; remembers calls."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.webhook: dict[str, Any] = {"url": "", "pending_update_count": 0}
        self.time = FakeTime()
        network = httpx.MockTransport(self._answer)
        client = TelegramClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = TelegramChannel(client, SETTINGS, account=AccountId("shop"))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/file/"):
            return httpx.Response(200, content=self.answers["file"])
        method = request.url.path.rpartition("/")[2]
        is_json = request.headers.get("content-type") == "application/json"
        body = json.loads(request.content) if is_json else {"sent": request.content}
        self.calls.append((method, body))
        answer = self.answers.get(method)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json={"ok": True, "result": self._result(method, body, answer)})

    def _result(self, method: str, body: dict[str, Any], answer: Any) -> Any:
        if method == "setWebhook":
            self.webhook |= {"url": body["url"], "allowed_updates": body["allowed_updates"]}
        if method == "deleteWebhook":
            self.webhook = {"url": "", "pending_update_count": 0}
        if method == "getWebhookInfo":
            return self.webhook
        if answer is None and method.startswith("send"):
            return {"message_id": 17, "chat": {"id": body.get("chat_id", 900_000_001)}}
        return True if answer is None else answer

    def called(self, name: str) -> list[dict[str, Any]]:
        return [body for known, body in self.calls if known == name]


def refused(status: int, words: str) -> httpx.Response:
    return httpx.Response(status, json=refusal(status, words))


def test_it_has_every_part_that_telegram_can_serve_and_no_other() -> None:
    has = {"SendsImages", "SendsVoice", "SendsVideos", "SendsDocuments", "SendsButtons", "SendsReplies"}
    has |= {"EditsMessages", "DeletesMessages", "ShowsTyping", "Reacts", "KnowsProfiles", "ShowsChats"}
    has |= {"Subscribes", "OpensFiles", "AnswersPresses", "TellsTroubles"}
    lacks = {"OpensChats", "ListsChats", "KeepsHistory", "MarksRead", "HasToken", "ResolvesMedia"}
    lacks |= {"ShakesHands", "Sweeps"}
    channel = Telegram().channel

    assert {name for name in has | lacks if isinstance(channel, getattr(contract, name))} == has


@pytest.mark.parametrize("chat", [CHAT, BUSINESS, GROUP])
async def test_a_message_is_named_by_its_chat_too(chat: ChatId) -> None:
    assert await Telegram().channel.send_text(chat, "Да") == f"{chat}:17"


@pytest.mark.parametrize("message", ["17", "900000002:17", f"{BUSINESS}:17", "900000001:", "900000001:x", ""])
async def test_a_message_of_another_chat_is_not_touched(message: str) -> None:
    telegram = Telegram()
    channel, named = telegram.channel, MessageId(message)
    for doing in (
        channel.edit_message(CHAT, named, "x"),
        channel.delete_message(CHAT, named),
        channel.react(CHAT, named, "👍"),
        channel.mark_message_read(BUSINESS, MessageId(f"x{message}")),
    ):
        with pytest.raises(NotFound):
            await doing
    assert telegram.calls == []


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("image", MediaFile(b"x" * (10 * 1024 * 1024 + 1), "image/jpeg")),
        ("image", MediaFile(b"BM", "image/bmp")),
        ("voice", MediaFile(b"x" * (1024 * 1024 + 1), "audio/ogg")),
        ("voice", MediaFile(b"fLaC", "audio/flac")),
        ("video", MediaFile(b"x" * (50 * 1024 * 1024 + 1), "video/mp4")),
        ("document", MediaFile(b"x" * (50 * 1024 * 1024 + 1), "text/plain")),
    ],
    ids=lambda one: one if isinstance(one, str) else one.media_type,
)
async def test_a_file_that_telegram_would_refuse_is_not_uploaded(kind: str, file: MediaFile) -> None:
    telegram = Telegram()

    with pytest.raises(Rejected):
        await getattr(telegram.channel, f"send_{kind}")(CHAT, file)
    assert telegram.calls == []


async def test_a_reply_falls_back_to_plain_when_it_is_refused() -> None:
    """Telegram sends it without its target by itself; an older server may not know how."""
    telegram = Telegram(sendMessage=refused(400, "Bad Request: message to be replied not found"))

    with pytest.raises(Rejected):
        await telegram.channel.send_reply(CHAT, "Да", MessageId("900000001:11"))
    first, second = telegram.called("sendMessage")
    assert first["reply_parameters"]["message_id"] == 11
    assert "reply_parameters" not in second


@pytest.mark.parametrize(
    "named", ["press:438", f"{CHAT}:member:5", "17", "900000002:17", f"{BUSINESS}:17", f"{CHAT}:x", ""]
)
async def test_what_cannot_be_quoted_is_answered_without_a_quote(named: str) -> None:
    """A press and a notice are in the turn as well; and nobody sees another chat's words."""
    telegram = Telegram()

    assert await telegram.channel.send_reply(CHAT, "Да", MessageId(named)) == f"{CHAT}:17"
    assert telegram.calls == [("sendMessage", {"chat_id": 900_000_001, "text": "Да"})]


async def test_every_button_fits_and_can_be_told_from_the_others() -> None:
    telegram = Telegram()
    labels = ["Да", "Ж" * 40 + "1", "Ж" * 40 + "2", "👩🏽‍🔧" * 9, "\ud83d"]
    await telegram.channel.send_buttons(CHAT, "Когда?", labels)

    [body] = telegram.called("sendMessage")
    buttons = [row[0] for row in body["reply_markup"]["inline_keyboard"]]
    assert [one["text"] for one in buttons][:4] == labels[:4]
    assert all(1 <= len(one["callback_data"].encode()) <= CALLBACK_BYTES for one in buttons)
    assert len({one["callback_data"] for one in buttons}) == len(labels)


async def test_an_unchanged_edit_is_no_error() -> None:
    same = refused(400, "Bad Request: message is not modified: exactly the same")
    await Telegram(editMessageText=same).channel.edit_message(CHAT, MessageId("900000001:17"), "x")

    gone = refused(400, "Bad Request: message to edit not found")
    with pytest.raises(NotFound):
        await Telegram(editMessageText=gone).channel.edit_message(CHAT, MessageId("900000001:17"), "x")


async def test_a_business_message_is_deleted_through_its_connection() -> None:
    telegram = Telegram()
    await telegram.channel.delete_message(BUSINESS, MessageId(f"{BUSINESS}:17"))
    await telegram.channel.delete_message(CHAT, MessageId("900000001:17"))

    assert [name for name, _ in telegram.calls] == ["deleteBusinessMessages", "deleteMessage"]


async def test_no_reaction_goes_astray_into_the_bots_own_chat() -> None:
    telegram = Telegram()

    with pytest.raises(Rejected, match="own chats"):
        await telegram.channel.react(BUSINESS, MessageId(f"{BUSINESS}:17"), "👍")
    assert telegram.calls == []


@pytest.mark.parametrize("late", [True, False])
async def test_a_stored_press_is_answered_and_a_late_one_is_no_trouble(*, late: bool) -> None:
    said = refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    telegram = Telegram(answerCallbackQuery=said if late else None)
    update = {"id": "438", "from": {"id": 1}, "message": {"message_id": 16, "chat": {"id": 1}}, "data": "Да"}
    arrival = telegram.channel.normalize({"update_id": 1, "callback_query": update}).arrivals[0]
    stored = IncomingMessage.model_validate_json(arrival.message.model_dump_json())

    await telegram.channel.answer_press(stored)

    assert telegram.called("answerCallbackQuery") == [{"callback_query_id": "438"}]


async def test_a_chat_and_a_person() -> None:
    person = {"id": 900_000_001, "first_name": "Ольга", "username": "olga_k", "type": "private"}
    telegram = Telegram(getChat=person)

    assert (await telegram.channel.get_chat(CHAT)).model_dump(exclude_defaults=True) == {
        "chat_id": CHAT,
        "client_name_untrusted": "Ольга",
        "client_user_id": "900000001",
    }
    profile = await telegram.channel.get_profile(UserId("900000001"))
    assert (profile.name_untrusted, profile.username_untrusted) == ("Ольга", "olga_k")


async def test_a_group_has_a_title_and_is_no_person() -> None:
    telegram = Telegram(getChat={"id": int(GROUP), "title": "Клиенты", "type": "supergroup"})

    info = await telegram.channel.get_chat(GROUP)
    assert (info.client_name_untrusted, info.client_user_id) == ("Клиенты", "")
    with pytest.raises(NotFound):
        await telegram.channel.get_profile(UserId(GROUP))


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("voice/file_7.oga", b"OggS", "audio/ogg"),
        ("photos/file_1.jpg", PNG, "image/png"),
        ("documents/file_2.pdf", b"?", "application/pdf"),
        ("stickers/file_3.tgs", b"?", "application/octet-stream"),
    ],
)
async def test_a_file_is_opened_with_the_type_of_its_bytes_or_name(
    path: str, content: bytes, media_type: str
) -> None:
    telegram = Telegram(getFile={"file_id": "f", "file_path": path}, file=content)
    opened = await telegram.channel.open_file("f")

    assert (opened.content, opened.media_type, opened.name) == (content, media_type, path.split("/")[1])


@pytest.mark.parametrize(
    "answer", [refused(400, "Bad Request: file is too big"), {"file_path": "a", "file_size": (20 << 20) + 1}]
)
async def test_a_file_beyond_the_limit_is_refused_by_its_name(answer: Any) -> None:
    with pytest.raises(Rejected, match="20 MB"):
        await Telegram(getFile=answer).channel.open_file("f")


@pytest.mark.parametrize("given", [SITE, f"{SITE}/", f"{SITE}/webhook/telegram", OURS, f"{OURS}/"])
async def test_the_address_is_completed_and_every_kind_is_asked_for(given: str) -> None:
    telegram = Telegram()
    status = await telegram.channel.subscribe_webhook(given)

    assert status.model_dump() == {"subscribed": True, "urls": [OURS]}
    assert telegram.called("setWebhook") == [
        {"url": OURS, "secret_token": SECRET, "allowed_updates": list(UPDATES)}
    ]


async def test_an_address_of_ones_own_is_taken_as_it_is() -> None:
    """Behind a proxy that rewrites paths."""
    telegram = Telegram()
    for _ in range(2):
        assert (await telegram.channel.subscribe_webhook(f"{SITE}/tg?x=1")).subscribed
    assert telegram.webhook["url"] == f"{SITE}/tg?x=1"


async def test_our_address_may_move_to_another_host() -> None:
    telegram = Telegram()
    telegram.webhook["url"] = "https://old.example.test/webhook/telegram/shop"

    assert (await telegram.channel.subscribe_webhook(SITE)).urls == [OURS]


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("https://user:pw@crm.example.test/hooks/s3cret?key=s3cret", "https://crm.example.test/***"),
        (f"{SITE}/webhook/telegram/other", f"{SITE}/***"),
        ("http://[", "***"),
    ],
)
async def test_a_foreign_address_is_neither_replaced_nor_shown(foreign: str, shown: str) -> None:
    telegram = Telegram()
    telegram.webhook["url"] = foreign

    with pytest.raises(Rejected, match="one address per bot") as caught:
        await telegram.channel.subscribe_webhook(SITE)
    assert "s3cret" not in str(caught.value)
    assert (await telegram.channel.webhook_status()).model_dump() == {"subscribed": False, "urls": [shown]}
    assert telegram.called("setWebhook") == []


@pytest.mark.parametrize("given", [SITE, OURS, f"{SITE}/webhook/telegram"])
async def test_a_subscription_ends_by_any_of_its_names(given: str) -> None:
    telegram = Telegram()
    await telegram.channel.subscribe_webhook(SITE)

    assert not (await telegram.channel.unsubscribe_webhook(given)).subscribed
    assert telegram.webhook["url"] == ""


async def test_another_address_is_not_unsubscribed() -> None:
    telegram = Telegram()
    await telegram.channel.subscribe_webhook(SITE)

    assert (await telegram.channel.unsubscribe_webhook("https://crm.example.test")).subscribed


@pytest.mark.parametrize("given", ["shop.example.test", "ftp://shop.example.test", "https://", "http://["])
async def test_an_address_that_nobody_can_call_is_refused(given: str) -> None:
    telegram = Telegram()

    with pytest.raises(Rejected, match="address"):
        await telegram.channel.subscribe_webhook(given)
    assert telegram.calls == []


@pytest.mark.parametrize(("ago", "pending", "told"), [(10, 3, True), (10, 0, False), (301, 3, False)])
async def test_only_deliveries_that_fail_now_are_a_trouble(ago: int, pending: int, *, told: bool) -> None:
    telegram = Telegram()
    telegram.webhook |= {
        "pending_update_count": pending,
        "last_error_date": int(telegram.time.now) - ago,
        "last_error_message": f"Wrong response from {OURS}: 500 {SECRET}",
    }
    found = await telegram.channel.troubles()

    assert [trouble.code for trouble in found] == (["deliveries_failing"] if told else [])
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [(None, "message_reaction"), (["message", "edited_message"], "callback_query"), (list(UPDATES), "")],
)
async def test_kinds_that_nobody_asked_for_are_a_trouble(allowed: list[str] | None, missing: str) -> None:
    telegram = Telegram()
    telegram.webhook |= {"url": OURS} | ({"allowed_updates": allowed} if allowed is not None else {})
    found = await telegram.channel.troubles()

    assert [trouble.code for trouble in found] == (["not_subscribed"] if missing else [])
    assert not missing or missing in found[0].detail


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "x", "пароль"])
def test_any_other_secret_is_refused(secret: str) -> None:
    channel = Telegram().channel

    assert channel.verify(WebhookRequest(b"{}", {"x-telegram-bot-api-secret-token": SECRET}))
    assert not channel.verify(WebhookRequest(b"{}", {"x-telegram-bot-api-secret-token": secret}))
    assert not channel.verify(WebhookRequest(b"{}", {}, SECRET))


async def test_the_vendor_that_is_busy_is_up() -> None:
    assert await Telegram(getMe=refused(429, "Too Many Requests")).channel.is_up()
    assert not await Telegram(getMe=refused(401, "Unauthorized")).channel.is_up()


async def test_the_number_is_asked_for_with_a_button() -> None:
    telegram = Telegram()
    ask, read = telegram_operations({AccountId("shop"): telegram.channel})
    await ask.call({"chat_id": CHAT, "text": "Как вам позвонить?", "account": "shop"})
    await read.call({"chat_id": BUSINESS, "message_id": f"{BUSINESS}:501", "account": "shop"})

    keyboard = telegram.called("sendMessage")[0]["reply_markup"]["keyboard"]
    assert keyboard == [[{"text": "Отправить номер", "request_contact": True}]]
    assert telegram.called("readBusinessMessage")[0]["message_id"] == 501


@pytest.mark.parametrize("chat", [BUSINESS, GROUP])
async def test_the_number_is_asked_for_in_private_chats_only(chat: ChatId) -> None:
    telegram = Telegram()
    with pytest.raises(Rejected):
        await telegram.channel.ask_for_phone(chat, "Номер?", "Отправить")
    assert telegram.calls == []


async def test_a_tool_names_what_is_wrong() -> None:
    telegram = Telegram()
    _, read = telegram_operations({AccountId("shop"): telegram.channel})
    with pytest.raises(Rejected):
        await read.call({"chat_id": CHAT, "message_id": "900000001:1", "account": "shop"})
    with pytest.raises(NotFound):
        await read.call({"chat_id": CHAT, "message_id": "900000001:1", "account": "other"})


async def test_a_blocked_bot_says_so_without_its_token() -> None:
    telegram = Telegram(sendMessage=refused(403, f"Forbidden: bot was blocked by the user {TOKEN}"))
    with pytest.raises(PeerUnreachable) as caught:
        await telegram.channel.send_text(CHAT, "x")
    assert isinstance(caught.value, ChannelError)
    assert TOKEN not in str(caught.value)
