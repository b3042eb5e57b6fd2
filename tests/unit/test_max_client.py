"""Every endpoint of MAX is asked as the contract (§2 to §5) says: method, path, query, body, header."""

import json
from collections.abc import Awaitable, Callable
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
    PeerUnreachable,
    RateLimited,
    Rejected,
    VendorDown,
)
from mcp_max.client import READY_SECONDS, MaxClient, NotReady, describe
from mcp_max.settings import MaxSettings
from tests.contract.fake_time import FakeTime
from tests.contract.max_side import SETTINGS, TOKEN

UPLOAD = "https://up.example.test/i?sig=1"
SENT = {"message": {"body": {"mid": "mid.aa", "seq": 1, "text": "x"}, "recipient": {"chat_id": 90_010}}}
ROWS = [{"body": {"mid": "mid.b"}}, 5]
Call = Callable[[MaxClient], Awaitable[Any]]


class Desk:
    """Answers every request alike, or in the given order, and keeps them."""

    def __init__(self, *answers: Any, status: int = 200, **settings: Any) -> None:
        self.asked: list[httpx.Request] = []
        self.time = FakeTime()
        self._answers = list(answers)
        self._status = status
        transport = httpx.MockTransport(self._take)
        known = SETTINGS.model_copy(update=settings)
        self.client = MaxClient(known, timing=self.time.timing, transport=transport)

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(self._status, json=answer)

    @property
    def line(self) -> str:
        request = self.asked[-1]
        return f"{request.method} {request.url.raw_path.decode()}"

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content or b"null")


@pytest.mark.parametrize(
    ("call", "answer", "line", "body"),
    [
        (lambda c: c.get_my_info(), {"user_id": 70_700}, "GET /me", None),
        (lambda c: c.get_chat("-7"), {"chat_id": -7}, "GET /chats/-7", None),
        (
            lambda c: c.send_action("90010", "typing_on"),
            {"success": True},
            "POST /chats/90010/actions",
            {"action": "typing_on"},
        ),
        (
            lambda c: c.get_messages("90010", count=50),
            {"messages": ROWS},
            "GET /messages?chat_id=90010&count=50",
            None,
        ),
        (
            lambda c: c.get_messages("90010", count=5, newest=99),
            {"messages": ROWS},
            "GET /messages?chat_id=90010&count=5&from=99",
            None,
        ),
        (
            lambda c: c.send_message("90010", {"text": "Да 😀\nи"}),
            SENT,
            "POST /messages?chat_id=90010",
            {"text": "Да 😀\nи"},
        ),
        (
            lambda c: c.send_message("user:50100", {"text": "a\ud83d"}),
            SENT,
            "POST /messages?user_id=50100",
            {"text": "a�"},
        ),
        (
            lambda c: c.edit_message("mid.aa", {"text": "Нет"}),
            {"success": True},
            "PUT /messages?message_id=mid.aa",
            {"text": "Нет"},
        ),
        (
            lambda c: c.delete_message("mid.aa"),
            {"success": True},
            "DELETE /messages?message_id=mid.aa",
            None,
        ),
        (
            lambda c: c.answer_on_callback("cbk+/=", "Принято"),
            {"success": True},
            "POST /answers?callback_id=cbk%2B%2F%3D",
            {"notification": "Принято"},
        ),
        (
            lambda c: c.get_upload_url("video"),
            {"url": UPLOAD, "token": "t"},
            "POST /uploads?type=video",
            None,
        ),
        (
            lambda c: c.get_video_attachment_details("a/b c"),
            {"token": "t", "urls": {}},
            "GET /videos/a%2Fb%20c",
            None,
        ),
        (
            lambda c: c.get_subscriptions(),
            {"subscriptions": [{"url": "https://a.example.test", "time": 1}]},
            "GET /subscriptions",
            None,
        ),
        (
            lambda c: c.subscribe("https://a.example.test", "secret"),
            {"success": True},
            "POST /subscriptions",
            {"url": "https://a.example.test", "secret": "secret"},
        ),
        (
            lambda c: c.unsubscribe("https://a.example.test/x?y=1"),
            {"success": True},
            "DELETE /subscriptions?url=https%3A%2F%2Fa.example.test%2Fx%3Fy%3D1",
            None,
        ),
    ],
)
async def test_an_endpoint_is_asked_as_the_contract_says(
    call: Call, answer: Any, line: str, body: Any
) -> None:
    desk = Desk(answer)

    await call(desk.client)

    assert (desk.line, desk.body) == (line, body)
    assert desk.asked[0].headers["authorization"] == TOKEN
    assert "access_token" not in desk.asked[0].url.params


async def test_the_bots_number_is_asked_once() -> None:
    desk = Desk({"user_id": 70_700})

    assert [await desk.client.bot_id() for _ in range(2)] == [70_700, 70_700]
    assert len(desk.asked) == 1


async def test_the_bots_number_of_the_settings_is_believed() -> None:
    desk = Desk({"user_id": 1}, bot_id=70_700)

    await desk.client.get_my_info()

    assert await desk.client.bot_id() == 70_700


@pytest.mark.parametrize(
    ("kind", "first", "second", "payload"),
    [
        ("image", {"url": UPLOAD}, {"photos": {"k": {"token": "t"}}}, {"photos": {"k": {"token": "t"}}}),
        ("image", {"url": UPLOAD}, {"token": "t"}, {"token": "t"}),
        ("file", {"url": UPLOAD}, {"token": "t", "fileId": 7}, {"token": "t"}),
        (
            "video",
            {"url": UPLOAD, "token": "t"},
            httpx.Response(200, text="<retval>1</retval>"),
            {"token": "t"},
        ),
        (
            "audio",
            {"url": UPLOAD, "token": "t"},
            httpx.Response(200, text="<retval>1</retval>"),
            {"token": "t"},
        ),
    ],
)
async def test_a_file_goes_to_the_address_that_max_names_without_our_token(
    kind: Any, first: Any, second: Any, payload: Any
) -> None:
    desk = Desk(first, second)

    assert await desk.client.upload(kind, MediaFile(b"\x89PNG", "image/png", "кот.png")) == payload
    assert str(desk.asked[1].url) == UPLOAD
    assert "authorization" not in desk.asked[1].headers
    assert TOKEN.encode() not in desk.asked[1].content
    assert b'name="data"' in desk.asked[1].content
    assert b"Content-Type: image/png" in desk.asked[1].content


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ({"url": UPLOAD}, {"photos": {}}, Rejected),
        ({"url": UPLOAD}, {}, Rejected),
        ({"url": UPLOAD}, httpx.Response(200, text="<retval>1</retval>"), VendorDown),
        ({"url": UPLOAD}, httpx.Response(400, text="File extension is forbidden"), Rejected),
        ({"url": UPLOAD}, httpx.Response(401), Rejected),
        ({"url": UPLOAD}, httpx.Response(403, text="expired token"), Rejected),
        ({"url": UPLOAD}, httpx.Response(404), Rejected),
        ({"url": UPLOAD}, httpx.ReadTimeout("no answer"), VendorDown),
        ({"url": "ftp://up.example.test"}, {}, VendorDown),
        ({"url": "https://["}, {}, VendorDown),
        ({"url": "https://up.example.test:port/"}, {}, VendorDown),
        ({}, {}, VendorDown),
    ],
)
async def test_an_upload_that_fails_says_that_nothing_was_sent(
    first: Any, second: Any, error: type[ChannelError]
) -> None:
    """A stranger's 401 must not stop the bot, and nobody has seen a file that was only uploaded."""
    with pytest.raises(error) as caught:
        await Desk(first, second, second, second).client.upload("image", MediaFile(b"x"))
    assert caught.type is error


async def test_a_send_waits_while_max_processes_the_file() -> None:
    not_ready = httpx.Response(400, json={"code": "attachment.not.ready", "message": ""})
    desk = Desk(not_ready, not_ready, not_ready, SENT)

    assert await desk.client.send_when_ready("90010", {"attachments": []}) == "mid.aa"
    assert [pause for pause in desk.time.slept if pause >= 1] == [1.0, 2.0, 4.0]


async def test_a_file_that_is_never_ready_ends_in_bounded_time_and_nothing_was_sent() -> None:
    desk = Desk({"code": "attachment.not.ready", "message": ""}, status=400)

    with pytest.raises(VendorDown, match="30 s"):
        await desk.client.send_when_ready("90010", {"attachments": []})
    assert sum(desk.time.slept) <= READY_SECONDS


async def test_a_text_does_not_wait_for_files() -> None:
    desk = Desk({"code": "attachment.not.ready", "message": ""}, status=400)

    with pytest.raises(NotReady):
        await desk.client.send_message("90010", {"text": "x"})
    assert desk.time.slept == []


async def test_sends_into_one_chat_are_half_a_second_apart() -> None:
    """§1: two a second into one chat, whatever the bot may do in all."""
    desk = Desk(SENT)
    for chat in ("1", "1", "1", "2"):
        await desk.client.send_message(chat, {"text": "x"})

    assert desk.time.slept == [0.5, 0.5]


@pytest.mark.parametrize(
    ("status", "body", "words", "kind"),
    [
        (200, SENT, "", None),
        (200, {"success": True}, "", None),
        (200, {"success": False, "message": "too old"}, "too old", Rejected),
        (200, {"success": False}, "", Rejected),
        (200, {"success": "false"}, "", None),
        (200, [], "", None),
        (400, {"code": "proto.payload", "message": "text: size"}, "proto.payload, text: size", Rejected),
        (400, {"code": "novelty", "message": None, "error": "x"}, "novelty, x", None),
        (400, [], "", None),
        (403, {"code": "chat.denied", "message": "Invalid chatId: 0"}, None, ContractBroken),
        (403, {"code": 7, "message": "error.dialog.suspended"}, None, PeerUnreachable),
        (405, {}, "", ContractBroken),
        (401, {"code": "chat.denied"}, "chat.denied", None),
        (429, {"code": "chat.denied"}, "chat.denied", None),
        (500, {"code": "not.found", "message": "error.dialog.suspended"}, None, None),
    ],
)
def test_every_shape_of_error_is_read(
    status: int, body: Any, words: str | None, kind: type[ChannelError] | None
) -> None:
    complaint = describe(httpx.Response(status, json=body))

    assert complaint.kind is kind
    assert words is None or complaint.words == words


@pytest.mark.parametrize("body", [b"", b"<html>token</html>", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_has_no_words(body: bytes) -> None:
    assert describe(httpx.Response(502, content=body)).words == ""


async def test_the_token_is_masked_in_what_max_says() -> None:
    said = f"Invalid access_token {TOKEN}, see https://dev.example.test?t=1"

    with pytest.raises(AuthFailed) as caught:
        await Desk({"code": "verify.token", "message": said}, status=401).client.get_my_info()
    assert TOKEN not in str(caught.value)
    assert "https://" not in caught.value.detail


async def test_a_429_without_a_time_waits_longer_and_longer() -> None:
    desk = Desk({"code": "too.many.requests"}, status=429)

    with pytest.raises(RateLimited):
        await desk.client.get_my_info()
    assert [pause for pause in desk.time.slept if pause >= 1] == [1.0, 2.0]


@pytest.mark.parametrize(
    "answer", [{"message": {"body": None}}, {"message": {}}, {}, {"message": {"body": {}}}]
)
async def test_a_send_answered_without_an_id_is_unknown(answer: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        await Desk(answer).client.send_message("90010", {"text": "x"})


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.delete_message(""),
        lambda c: c.delete_message("../me"),
        lambda c: c.delete_message("mid."),
        lambda c: c.edit_message("a b", {"text": "x"}),
        lambda c: c.get_chat("user:5"),
        lambda c: c.get_chat("5/../../me"),
        lambda c: c.get_messages("0", count=1),
        lambda c: c.send_action("user:5", "typing_on"),
        lambda c: c.get_video_attachment_details(".."),
        lambda c: c.get_video_attachment_details(""),
    ],
)
async def test_an_id_that_nobody_can_have_reaches_nobody(call: Call) -> None:
    desk = Desk({})

    with pytest.raises(NotFound):
        await call(desk.client)
    assert desk.asked == []


ENVIRONMENT = {"MAX_TOKEN": TOKEN, "MAX_WEBHOOK_SECRET": "0123456789abcdef"}


def test_two_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    settings = MaxSettings()  # type: ignore[call-arg]  # the values come from the environment

    assert (settings.base_url, settings.bot_id) == ("https://platform-api2.max.ru", None)
    assert (settings.requests_per_second, settings.burst, settings.timeout_seconds) == (25.0, 5, 10.0)
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKEN", "two words"),
        ("MAX_TOKEN", "токен"),
        ("MAX_WEBHOOK_SECRET", "short"),
        ("MAX_WEBHOOK_SECRET", "with.dots.0123456789"),
        ("MAX_WEBHOOK_SECRET", "s" * 257),
        ("MAX_BASE_URL", "platform-api2.max.ru"),
        ("MAX_BOT_ID", "-1"),
        ("MAX_REQUESTS_PER_SECOND", "0"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for known, given in (ENVIRONMENT | {name: value}).items():
        monkeypatch.setenv(known, given)

    with pytest.raises(ValueError, match=name.removeprefix("MAX_").lower()) as caught:
        MaxSettings()  # type: ignore[call-arg]
    assert f"'{value}'" not in str(caught.value)
