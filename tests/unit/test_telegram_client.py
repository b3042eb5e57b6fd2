"""Every method of the Bot API is asked as the contract (§1 to §9) says: address, encoding, parameters."""

import json
import logging
from typing import Any

import httpx
import pytest

from core.channel import MediaFile
from core.errors import (
    AuthFailed,
    ChannelError,
    ContractBroken,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    VendorDown,
)
from mcp_telegram.client import GroupMoved, PressTooOld, ReplyGone, TelegramClient, describe
from mcp_telegram.schemas import Place
from mcp_telegram.settings import TelegramSettings
from tests.contract.fake_time import FakeTime
from tests.contract.telegram_side import BASE, SECRET, SETTINGS, TOKEN, refusal

CHAT, GROUP = Place(900_000_001), Place(-1_002_000_000_000)
BUSINESS = Place(900_000_002, "bcAAAAexample")
SENT = {"message_id": 17, "chat": {"id": 900_000_001, "first_name": "Ольга", "type": "private"}, "date": 1}
FILE = MediaFile(b"\x89PNG", "image/png", 'кот "№1".png')


class Desk:
    """Answers with the given results in turn, the last one for ever; keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[httpx.Request] = []
        self.time = FakeTime()
        self._answers = list(answers)
        network = httpx.MockTransport(self._take)
        self.client = TelegramClient(SETTINGS, timing=self.time.timing, transport=network)

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json={"ok": True, "result": answer})

    @property
    def method(self) -> str:
        return self.asked[-1].url.path.removeprefix(f"/bot{TOKEN}/")

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content)


def refused(status: int, words: str, **parameters: int) -> httpx.Response:
    return httpx.Response(status, json=refusal(status, words, **parameters))


async def test_the_token_stands_in_the_address_and_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="httpx")
    desk = Desk({"id": 7_000_000_001, "is_bot": True, "first_name": "Ремонт Про"})

    assert (await desk.client.get_me()).name == "Ремонт Про"
    assert str(desk.asked[0].url) == f"{BASE}/bot{TOKEN}/getMe"
    assert "getMe" in caplog.text
    assert TOKEN not in caplog.text


async def test_an_address_with_a_path_keeps_it() -> None:
    asked: list[str] = []

    def take(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"ok": True, "result": {"id": 1}})

    settings = SETTINGS.model_copy(update={"base_url": "http://127.0.0.1:8790/telegram"})
    await TelegramClient(settings, transport=httpx.MockTransport(take)).get_me()

    assert asked == [f"http://127.0.0.1:8790/telegram/bot{TOKEN}/getMe"]


async def test_a_text_is_sent_plain() -> None:
    desk = Desk(SENT)
    sent = await desk.client.send_message(CHAT, "Замена <b>_*[ 😀\nи")

    assert (desk.method, sent.message_id) == ("sendMessage", 17)
    assert desk.body == {"chat_id": 900_000_001, "text": "Замена <b>_*[ 😀\nи"}


async def test_a_text_of_a_business_chat_names_its_connection() -> None:
    desk = Desk(SENT)
    await desk.client.send_message(BUSINESS, "Да")

    assert desk.body == {"chat_id": 900_000_002, "business_connection_id": "bcAAAAexample", "text": "Да"}


async def test_a_reply_may_go_without_its_target() -> None:
    desk = Desk(SENT)
    await desk.client.send_message(CHAT, "Да", reply_to=11, markup={"inline_keyboard": []})

    assert desk.body["reply_parameters"] == {"message_id": 11, "allow_sending_without_reply": True}
    assert desk.body["reply_markup"] == {"inline_keyboard": []}


async def test_half_an_emoji_is_sent_as_a_replacement_sign() -> None:
    desk = Desk(SENT)
    await desk.client.send_message(CHAT, "a\ud83d")
    assert desk.body["text"] == "a�"


@pytest.mark.parametrize("kind", ["photo", "voice", "video", "document"])
async def test_files_are_uploaded_under_their_kind(kind: str) -> None:
    desk = Desk(SENT)
    await getattr(desk.client, f"send_{kind}")(BUSINESS, FILE, "Подпись")

    content = desk.asked[0].content
    assert desk.method == f"send{kind.capitalize()}"
    assert desk.asked[0].headers["content-type"].startswith("multipart/form-data")
    for piece in (f'name="{kind}"; filename=', "Content-Type: image/png", "900000002", "bcAAAAexample"):
        assert piece.encode() in content
    assert b"\x89PNG" in content
    assert "Подпись".encode() in content


async def test_a_file_without_words_and_name_has_no_caption() -> None:
    desk = Desk(SENT)
    await desk.client.send_document(CHAT, MediaFile(b"x", "text/plain", ""), "")

    assert b'name="caption"' not in desk.asked[0].content
    assert b'filename="document"' in desk.asked[0].content


@pytest.mark.parametrize(
    ("call", "method", "body"),
    [
        (
            lambda client: client.send_chat_action(BUSINESS, "typing"),
            "sendChatAction",
            {"chat_id": 900_000_002, "business_connection_id": "bcAAAAexample", "action": "typing"},
        ),
        (
            lambda client: client.edit_message_text(CHAT, 17, "8 900"),
            "editMessageText",
            {"chat_id": 900_000_001, "message_id": 17, "text": "8 900"},
        ),
        (
            lambda client: client.delete_message(900_000_001, 17),
            "deleteMessage",
            {"chat_id": 900_000_001, "message_id": 17},
        ),
        (
            lambda client: client.delete_business_messages("bcAAAAexample", [17]),
            "deleteBusinessMessages",
            {"business_connection_id": "bcAAAAexample", "message_ids": [17]},
        ),
        (
            lambda client: client.set_message_reaction(900_000_001, 17, "👍"),
            "setMessageReaction",
            {"chat_id": 900_000_001, "message_id": 17, "reaction": [{"type": "emoji", "emoji": "👍"}]},
        ),
        (
            lambda client: client.set_message_reaction(900_000_001, 17, ""),
            "setMessageReaction",
            {"chat_id": 900_000_001, "message_id": 17, "reaction": []},
        ),
        (
            lambda client: client.read_business_message(BUSINESS, 501),
            "readBusinessMessage",
            {"chat_id": 900_000_002, "business_connection_id": "bcAAAAexample", "message_id": 501},
        ),
        (
            lambda client: client.answer_callback_query("438"),
            "answerCallbackQuery",
            {"callback_query_id": "438"},
        ),
        (
            lambda client: client.set_webhook("https://a.example.test/x", ("message",)),
            "setWebhook",
            {"url": "https://a.example.test/x", "secret_token": SECRET, "allowed_updates": ["message"]},
        ),
        (lambda client: client.delete_webhook(), "deleteWebhook", {"drop_pending_updates": False}),
    ],
)
async def test_what_changes_something(call: Any, method: str, body: dict[str, Any]) -> None:
    desk = Desk(True)
    await call(desk.client)

    assert (desk.method, desk.body) == (method, body)


async def test_who_and_where() -> None:
    desk = Desk({"id": 900_000_001, "first_name": "Ольга", "last_name": "К.", "type": "private"})
    chat = await desk.client.get_chat(900_000_001)

    assert (desk.method, desk.body) == ("getChat", {"chat_id": 900_000_001})
    assert (chat.name, chat.is_private) == ("Ольга К.", True)


async def test_the_webhooks_state_may_lack_almost_everything() -> None:
    desk = Desk({"url": "", "has_custom_certificate": False, "pending_update_count": 0})
    info = await desk.client.get_webhook_info()

    assert desk.method == "getWebhookInfo"
    assert (info.url, info.allowed_updates, info.last_error_date) == ("", None, None)


async def test_a_file_is_found_and_then_loaded() -> None:
    desk = Desk(
        {"file_id": "f", "file_path": "voice/file_7.oga", "file_size": 3}, httpx.Response(200, content=b"Ogg")
    )
    found = await desk.client.get_file("f")

    assert await desk.client.download(found.file_path) == b"Ogg"
    assert desk.asked[1].url.path == f"/file/bot{TOKEN}/voice/file_7.oga"
    assert desk.asked[1].method == "GET"


async def test_a_path_climbs_nowhere() -> None:
    desk = Desk(httpx.Response(200, content=b"x"))
    await desk.client.download("/../voice/./a b?c#d")

    assert desk.asked[0].url.raw_path.decode() == f"/file/bot{TOKEN}/voice/a%20b%3Fc%23d"


async def test_a_file_that_looks_like_a_refusal_is_a_file() -> None:
    said = json.dumps(refusal(400, "Bad Request: chat not found")).encode()

    assert await Desk(httpx.Response(200, content=said)).client.download("a.json") == said


async def test_an_expired_path_is_not_found_and_no_wrong_token() -> None:
    with pytest.raises(NotFound):
        await Desk(refused(404, "Not Found")).client.download("voice/file_7.oga")


async def test_a_group_that_moved_is_written_to_where_it_is() -> None:
    moved = refused(
        400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=GROUP.chat
    )
    desk = Desk(moved, {**SENT, "chat": {"id": GROUP.chat, "type": "supergroup"}})
    sent = await desk.client.send_message(Place(-4_100_000_001), "и вам")

    assert [json.loads(one.content)["chat_id"] for one in desk.asked] == [-4_100_000_001, GROUP.chat]
    assert sent.chat.id == GROUP.chat


async def test_a_group_that_moves_for_ever_is_told() -> None:
    moved = refused(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=GROUP.chat)
    desk = Desk(moved)

    with pytest.raises(GroupMoved, match=str(GROUP.chat)) as caught:
        await desk.client.send_message(Place(-4_100_000_001), "x")
    assert caught.value.place == GROUP
    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("message to be replied not found", ReplyGone),
        ("query is too old and response timeout expired or query ID is invalid", PressTooOld),
        ("MESSAGE TEXT IS EMPTY", Rejected),
    ],
)
async def test_refusals_that_the_channel_knows_by_name(words: str, kind: type[ChannelError]) -> None:
    with pytest.raises(kind):
        await Desk(refused(400, f"Bad Request: {words}")).client.answer_callback_query("1")


async def test_the_pause_is_read_from_the_body() -> None:
    """The header may be lost on the way (§1)."""
    complaint = describe(refused(429, "Too Many Requests: retry after 17", retry_after=17))

    assert complaint.retry_after == 17


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"parameters": 5}'])
async def test_a_refusal_without_an_envelope_has_no_words(body: bytes) -> None:
    assert describe(httpx.Response(502, content=body)).words == ""


async def test_another_setwebhook_is_waited_for_and_another_poller_is_not() -> None:
    desk = Desk(refused(409, "Conflict: terminated by other setWebhook"), True)
    await desk.client.set_webhook("https://a.example.test", ("message",))
    assert len(desk.asked) == 2

    with pytest.raises(ContractBroken):
        await Desk(refused(409, "Conflict: can't use getUpdates method")).client.get_me()


@pytest.mark.parametrize(
    "answer", [{"ok": False, "result": SENT}, {"ok": True}, {"result": SENT}, [], "x", None]
)
async def test_an_answer_in_an_unknown_shape_is_no_success(answer: Any) -> None:
    reply = httpx.Response(200, json=answer)
    with pytest.raises(OutcomeUnknown):
        await Desk(reply).client.send_message(CHAT, "x")
    with pytest.raises(VendorDown):
        await Desk(reply).client.get_me()


async def test_a_chat_gets_a_message_a_second_after_a_short_burst() -> None:
    desk = Desk(SENT)
    for _ in range(5):
        await desk.client.send_message(CHAT, "x")
    await desk.client.send_message(BUSINESS, "x")

    assert desk.time.slept == [1.0, 1.0]


async def test_a_group_gets_twenty_messages_a_minute() -> None:
    """So many that the second's pause of every chat alone would not do: 40 at once need a minute."""
    desk = Desk(SENT)
    started = desk.time.now
    for _ in range(41):
        await desk.client.send_message(GROUP, "x")

    assert desk.time.now - started >= 60


async def test_a_long_pause_is_told_at_once() -> None:
    with pytest.raises(RateLimited) as caught:
        await Desk(refused(429, "Too Many Requests: retry after 60", retry_after=60)).client.get_me()
    assert caught.value.retry_after == 60


@pytest.mark.parametrize("words", ["Unauthorized", f"Unauthorized: {TOKEN} at {BASE}/bot{TOKEN}/getMe"])
async def test_a_revoked_token_is_told_without_it(words: str) -> None:
    with pytest.raises(AuthFailed) as caught:
        await Desk(refused(401, words)).client.get_me()
    assert TOKEN.partition(":")[2] not in str(caught.value)


ENVIRONMENT = {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_WEBHOOK_SECRET": SECRET}


def test_two_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    settings = TelegramSettings()  # type: ignore[call-arg]  # the values come from the environment

    assert (settings.base_url, settings.bot_id) == ("https://api.telegram.org", 7_000_000_001)
    assert (settings.requests_per_second, settings.burst, settings.timeout_seconds) == (25.0, 5, 10.0)
    assert TOKEN not in repr(settings)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_TOKEN", "0700:AAtest-token-0123456789"),
        ("TELEGRAM_TOKEN", "7000000001"),
        ("TELEGRAM_TOKEN", "7000000001:AA/test-token"),
        ("TELEGRAM_TOKEN", "7000000001:" + "A" * 80),
        ("TELEGRAM_WEBHOOK_SECRET", "short"),
        ("TELEGRAM_WEBHOOK_SECRET", "with.a.dot.0123456789"),
        ("TELEGRAM_WEBHOOK_SECRET", "A" * 257),
        ("TELEGRAM_BASE_URL", "api.telegram.org"),
        ("TELEGRAM_REQUESTS_PER_SECOND", "0"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for known, given in (ENVIRONMENT | {name: value}).items():
        monkeypatch.setenv(known, given)

    with pytest.raises(ValueError, match=name.removeprefix("TELEGRAM_").lower()) as caught:
        TelegramSettings()  # type: ignore[call-arg]
    assert f"'{value}'" not in str(caught.value)
