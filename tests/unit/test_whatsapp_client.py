"""Every endpoint of Wappi is asked as the contract (§2, §3) says: method, path, query, body."""

import base64
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
    PlanRequired,
    Rejected,
    SessionLost,
    VendorDown,
)
from mcp_whatsapp.client import (
    WANTED_TYPES,
    WappiClient,
    describe,
    digits_of,
    next_cursor,
    page_of,
    phrase_of,
    recipient,
)
from mcp_whatsapp.settings import WhatsAppSettings
from tests.contract.fake_time import FakeTime
from tests.contract.whatsapp_side import PROFILE, SECRET, SETTINGS, STATUS, TOKEN, refusal

ANNA = "79000000002"
DONE = {"status": "done", "timestamp": 1_763_800_200, "time": "2025-11-22T11:30:00+03:00"}
SENT = {**DONE, "message_id": "3EB0A1B2C3D4E5F60718", "task_id": "0b7e1f5a"}
MINE = f"profile_id={PROFILE}"


class Desk:
    """Answers every request alike and keeps them."""

    def __init__(
        self, answer: Any = None, *, status: int = 200, settings: WhatsAppSettings = SETTINGS
    ) -> None:
        self.asked: list[httpx.Request] = []
        self.time = FakeTime()
        self._answer, self._status = answer, status
        self.client = WappiClient(settings, timing=self.time.timing, transport=httpx.MockTransport(self.take))

    def take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self._answer, bytes):
            return httpx.Response(self._status, content=self._answer)
        return httpx.Response(self._status, json=self._answer)

    @property
    def line(self) -> str:
        request = self.asked[-1]
        return f"{request.method} {request.url.raw_path.decode()}"

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content or b"null")


async def test_the_token_goes_raw_and_the_profile_with_every_call() -> None:
    desk = Desk(STATUS)
    await desk.client.get_status()

    assert desk.line == f"GET /api/sync/get/status?{MINE}"
    assert desk.asked[0].headers["authorization"] == TOKEN


async def test_the_status_has_no_status_and_tells_the_number() -> None:
    desk = Desk(STATUS)
    assert desk.client.known_phone is None
    assert (await desk.client.get_status()).authorized
    assert desk.client.known_phone == "79000000001"


async def test_a_text_is_sent() -> None:
    desk = Desk(SENT)
    assert await desk.client.message_send(ANNA, "Да 😀\nи") == "3EB0A1B2C3D4E5F60718"
    assert desk.line == f"POST /api/sync/message/send?{MINE}"
    assert desk.body == {"recipient": ANNA, "body": "Да 😀\nи"}


async def test_half_an_emoji_is_sent_as_a_replacement_sign() -> None:
    desk = Desk(SENT)
    await desk.client.message_send(ANNA, "a\ud83d")
    assert desk.body["body"] == "a�"


async def test_a_reply_names_no_recipient() -> None:
    desk = Desk(SENT)
    await desk.client.message_reply("3AD5", "Да")
    assert desk.line == f"POST /api/sync/message/reply?{MINE}"
    assert desk.body == {"message_id": "3AD5", "body": "Да"}


FILE = MediaFile(b"\x89PNG", "image/png", "кот.png")
B64 = base64.b64encode(b"\x89PNG").decode()


async def test_files_are_sent_in_pure_base64() -> None:
    desk = Desk(SENT)
    client = desk.client

    await client.img_send(ANNA, FILE, "Кот")
    assert desk.line == f"POST /api/sync/message/img/send?{MINE}"
    assert desk.body == {"recipient": ANNA, "caption": "Кот", "b64_file": B64}
    await client.video_send(ANNA, FILE, "")
    assert desk.line == f"POST /api/sync/message/video/send?{MINE}"
    assert desk.body == {"recipient": ANNA, "caption": "", "b64_file": B64}
    await client.audio_send(ANNA, FILE)
    assert desk.line == f"POST /api/sync/message/audio/send?{MINE}"
    assert desk.body == {"recipient": ANNA, "b64_file": B64}
    await client.document_send(ANNA, FILE, "Кот")
    assert desk.line == f"POST /api/sync/message/document/send?{MINE}"
    assert desk.body == {"recipient": ANNA, "caption": "Кот", "file_name": "кот.png", "b64_file": B64}


async def test_messages_are_changed() -> None:
    desk = Desk(DONE)
    client = desk.client

    await client.message_reaction("3AD5", "👍")
    assert (desk.line, desk.body) == (
        f"POST /api/sync/message/reaction?{MINE}",
        {"message_id": "3AD5", "body": "👍"},
    )
    await client.message_edit("3AD5", "Да")
    assert (desk.line, desk.body) == (
        f"POST /api/sync/message/edit?{MINE}",
        {"message_id": "3AD5", "body": "Да"},
    )
    await client.message_delete("3AD5")
    assert (desk.line, desk.body) == (f"POST /api/sync/message/delete?{MINE}", {"message_id": "3AD5"})
    await client.mark_read("3AD5")
    assert desk.line == f"POST /api/sync/message/mark/read?mark_all=true&{MINE}"
    assert desk.body == {"message_id": "3AD5"}


async def test_typing_is_shown() -> None:
    desk = Desk(DONE)
    await desk.client.typing_start(ANNA)
    assert (desk.line, desk.body) == (f"POST /api/sync/chat/typing/start?{MINE}", {"recipient": ANNA})


async def test_chats_are_listed_with_post() -> None:
    desk = Desk({**DONE, "dialogs": [{"id": f"{ANNA}@c.us"}, {"no": "id"}], "total_count": 9})

    answer = await desk.client.chats_get(limit=2, offset=4)

    assert (desk.line, desk.body) == (f"POST /api/sync/chats/get?limit=2&offset=4&{MINE}", {})
    assert [chat.id if chat else None for chat in answer.dialogs] == [f"{ANNA}@c.us", None]
    await desk.client.chats_get(limit=2, ids=[ANNA])
    assert desk.body == {"filter": {"ids": [ANNA]}}


async def test_messages_are_listed_newest_first_with_a_limit_always() -> None:
    desk = Desk({**DONE, "messages": [{"id": "A"}, 5], "total_count": 2})

    assert (await desk.client.messages_get(ANNA, limit=2)).messages == [{"id": "A"}, 5]
    assert desk.line == f"GET /api/sync/messages/get?chat_id={ANNA}&limit=2&offset=0&order=desc&{MINE}"
    await desk.client.messages_all_get(limit=2, offset=2)
    assert desk.line == f"GET /api/sync/messages/all/get?limit=2&offset=2&order=desc&{MINE}"


@pytest.mark.parametrize(("status", "envelope"), [(200, "done"), (200, "error"), (400, "error")])
async def test_an_empty_chat_may_be_told_as_a_failure(status: int, envelope: str) -> None:
    desk = Desk({"status": envelope, "detail": "Messages not found"}, status=status)

    assert (await desk.client.messages_get(ANNA, limit=2)).messages == []


async def test_one_message() -> None:
    desk = Desk({**DONE, "message": {"id": "3AD5", "type": "chat", "chatId": f"{ANNA}@c.us"}})
    assert (await desk.client.messages_id_get("3AD5")).chat == f"{ANNA}@c.us"
    assert desk.line == f"GET /api/sync/messages/id/get?message_id=3AD5&{MINE}"


async def test_a_file_comes_in_base64_or_as_a_link() -> None:
    desk = Desk({**DONE, "file_b64": B64, "mime_type": "image/png"})
    assert (await desk.client.media_download("3AD5")).content == b"\x89PNG"
    assert desk.line == f"GET /api/sync/message/media/download?message_id=3AD5&{MINE}"

    linked = Desk({**DONE, "file_link": "https://files.example.test/p?X-Amz=1", "file_link_expire": 5})
    answer = await linked.client.media_download("3AD5")
    assert (answer.content, answer.file_link_expire) == (b"", 5)
    assert "X-Amz" not in repr(answer)


@pytest.mark.parametrize("broken", ["data:image/png;base64,AAAA", "%%", "AAA", 5, None])
async def test_a_file_that_is_no_base64_is_no_file(broken: Any) -> None:
    assert (await Desk({**DONE, "file_b64": broken}).client.media_download("3AD5")).content == b""


async def test_contacts_are_looked_up() -> None:
    desk = Desk({**DONE, "contact": {"number": ANNA, "name": "Анна"}})
    assert (await desk.client.contact_get(ANNA)).name == "Анна"
    assert desk.line == f"GET /api/sync/contact/get?recipient={ANNA}&{MINE}"

    desk = Desk({**DONE, "on_whatsapp": False, "phone": ANNA})
    assert await desk.client.contact_check(ANNA) is False
    assert desk.line == f"GET /api/sync/contact/check?phone={ANNA}&{MINE}"


async def test_the_webhook_is_set_in_the_query_and_without_a_body() -> None:
    desk = Desk(DONE)
    await desk.client.webhook_url_set("https://a.example.test/x?y=1")

    request = desk.asked[0]
    assert (request.method, request.url.path, request.content) == ("POST", "/api/webhook/url/set", b"")
    assert dict(request.url.params) == {
        "profile_id": PROFILE,
        "url": "https://a.example.test/x?y=1",
        "auth": phrase_of(SETTINGS),
    }


async def test_the_phrase_is_not_the_secret_of_the_path() -> None:
    assert SECRET not in phrase_of(SETTINGS)
    assert phrase_of(SETTINGS).isalnum()


async def test_no_secret_of_the_webhook_is_in_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """httpx writes every address into its log."""
    caplog.set_level(logging.DEBUG, logger="httpx")
    await Desk(DONE).client.webhook_url_set(f"https://a.example.test/{SECRET}")

    assert "/api/webhook/url/set" in caplog.text
    assert not [word for word in (SECRET, phrase_of(SETTINGS), TOKEN) if word in caplog.text]


async def test_the_webhook_is_shown_and_removed() -> None:
    desk = Desk({**DONE, "url": "https://a.example.test/x", "installed": True})
    assert await desk.client.webhook_url_get() == "https://a.example.test/x"
    assert desk.line == f"GET /api/webhook/url/get?{MINE}"
    await desk.client.webhook_url_delete()
    assert desk.line == f"POST /api/webhook/url/delete?{MINE}"
    assert await Desk({**DONE, "url": None}).client.webhook_url_get() == ""


async def test_the_types_are_a_bare_array() -> None:
    desk = Desk(DONE)
    await desk.client.webhook_types_set(sorted(WANTED_TYPES))
    assert desk.line == f"POST /api/webhook/types/set?{MINE}"
    assert desk.body == sorted(WANTED_TYPES)


@pytest.mark.parametrize(
    ("status", "body", "words", "means", "kind"),
    [
        (200, DONE, "", 0, None),
        (200, {"status": "success"}, "", 0, None),
        (200, STATUS, "", 0, None),
        (200, {"status": "error", "detail": "x"}, "x", 400, None),
        (200, {"status": "error"}, "", 400, None),
        (400, {"status": "error", "detail": "deleteChat error"}, "deleteChat error", 0, None),
        (400, {"status": "error"}, "", 0, None),
        (400, {"status": "error", "detail": ["odd"]}, "", 0, None),
        (400, [], "", 0, None),
        (400, refusal("Messages not found"), "Messages not found", 0, NotFound),
        (400, refusal("download media error"), "download media error", 0, NotFound),
        (400, refusal("Profile not found"), "Profile not found", 0, AuthFailed),
        (400, refusal("profile is not authorized"), "profile is not authorized", 0, SessionLost),
        (401, refusal("profile is not authorized"), "profile is not authorized", 0, None),
        (403, refusal("no"), "no", 0, AuthFailed),
        (405, {}, "", 0, ContractBroken),
        (500, refusal("message not found"), "message not found", 0, None),
    ],
)
def test_every_shape_of_error_is_read(
    status: int, body: Any, words: str, means: int, kind: type[ChannelError] | None
) -> None:
    complaint = describe(httpx.Response(status, json=body))

    assert (complaint.words, complaint.status, complaint.kind) == (words, means, kind)


@pytest.mark.parametrize("body", [b"", b"<html>not found</html>", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_has_no_words(body: bytes) -> None:
    assert describe(httpx.Response(502, content=body)).words == ""


def test_a_large_answer_is_not_read_twice() -> None:
    """A download holds megabytes; its own shape tells whether it is a success."""
    large = {"status": "error", "file_b64": "A" * 100_000}

    assert describe(httpx.Response(200, json=large)).status == 0


@pytest.mark.parametrize(
    "answer", [{"message_id": "3EB0"}, {"status": "error", "file_b64": "A" * 100_000}, {}, [], "x", b"<html>"]
)
async def test_an_answer_that_is_no_success_is_never_taken_for_one(answer: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        await Desk(answer).client.message_send(ANNA, "x")
    with pytest.raises(VendorDown):
        await Desk(answer).client.message_delete("3AD5")


@pytest.mark.parametrize("detail", ["", "not paid"])
async def test_an_unpaid_profile_is_told_in_words_of_ours(detail: str) -> None:
    with pytest.raises(PlanRequired, match="plan lacks the Messenger API"):
        await Desk(refusal(detail), status=402).client.chats_get(limit=1)


async def test_sends_wait_for_their_own_turn_and_reads_do_not() -> None:
    slow = SETTINGS.model_copy(update={"sends_per_second": 1.0, "burst": 1})
    desk = Desk({**SENT, **STATUS}, settings=slow)

    await desk.client.message_send(ANNA, "1")
    await desk.client.get_status()
    assert sum(desk.time.slept) < 0.1
    await desk.client.message_send(ANNA, "2")
    assert sum(desk.time.slept) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (ANNA, ANNA),
        (f"{ANNA}@c.us", ANNA),
        (f"{ANNA}@s.whatsapp.net", ANNA),
        ("84912345678", "84912345678"),
        ("120363000000000001@g.us", "120363000000000001@g.us"),
        ("990000000000001@lid", "990000000000001@lid"),
    ],
)
def test_a_recipient_is_named_by_digits_or_by_the_whole_id(written: str, known: str) -> None:
    assert recipient(written) == known


@pytest.mark.parametrize("written", ["", "89000000002", "+79000000002", "1@g.us", "a@lid", f"{ANNA}\n"])
def test_what_can_be_no_chat_is_not_found(written: str) -> None:
    with pytest.raises(NotFound):
        recipient(written)


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+79000000002", ANNA),
        ("79000000002", ANNA),
        ("8 (900) 000-00-02", ANNA),
        ("+8 900 000 00 02", ANNA),
        ("84951234567", "74951234567"),
        ("+84 91 234 56 78", "84912345678"),
        ("+380 44 000 00 01", "380440000001"),
    ],
)
def test_a_phone_is_written_with_its_countrys_code(written: str, digits: str) -> None:
    """Eleven digits that begin with 8 are how Russia calls at home, unless a plus says otherwise (§2.1)."""
    assert digits_of(written) == digits


@pytest.mark.parametrize("written", ["", "+", "Анна", "12345", "9" * 16, "٧٩٠٠٠٠٠٠٠٠٢"])
def test_what_is_no_phone_is_refused(written: str) -> None:
    with pytest.raises(Rejected, match="country"):
        digits_of(written)


@pytest.mark.parametrize("cursor", ["-1", "x", "٣", "9" * 8, "1.5"])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        page_of(20, cursor)


@pytest.mark.parametrize(("limit", "asked"), [(0, 1), (50, 50), (500, 100)])
def test_a_page_is_not_larger_than_we_dare_ask(limit: int, asked: int) -> None:
    assert page_of(limit, "7") == (asked, 7)


@pytest.mark.parametrize(
    ("offset", "rows", "total", "cursor"),
    [(0, 2, 5, "2"), (2, 2, 4, ""), (0, 2, None, "2"), (0, 1, None, ""), (4, 0, 9, "")],
)
def test_pages_follow_each_other_by_offset(offset: int, rows: int, total: float | None, cursor: str) -> None:
    assert next_cursor(offset, rows, 2, total) == cursor


ENVIRONMENT = {
    "WHATSAPP_TOKEN": "wappi-token-0123456789abcdef",
    "WHATSAPP_PROFILE_ID": "a1b2c3d4-e5f6",
    "WHATSAPP_WEBHOOK_SECRET": "0123456789abcdef",
}


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    settings = WhatsAppSettings()  # type: ignore[call-arg]  # the values come from the environment

    assert (settings.base_url, settings.webhook_auth_header) == ("https://wappi.pro", "")
    assert (settings.requests_per_second, settings.burst, settings.timeout_seconds) == (3.0, 10, 30.0)
    assert settings.sends_per_second == 1.0
    assert not [value for name, value in ENVIRONMENT.items() if "ID" not in name and value in repr(settings)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WHATSAPP_PROFILE_ID", "a1b2c3d4e5f6"),
        ("WHATSAPP_PROFILE_ID", "A1B2C3D4-E5F6"),
        ("WHATSAPP_WEBHOOK_SECRET", "short"),
        ("WHATSAPP_WEBHOOK_SECRET", "with/slash/0123456789"),
        ("WHATSAPP_WEBHOOK_AUTH_HEADER", "no header"),
        ("WHATSAPP_BASE_URL", "wappi.pro"),
        ("WHATSAPP_REQUESTS_PER_SECOND", "0"),
        ("WHATSAPP_SENDS_PER_SECOND", "0"),
        ("WHATSAPP_BURST", "0"),
        ("WHATSAPP_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for known, given in (ENVIRONMENT | {name: value}).items():
        monkeypatch.setenv(known, given)

    with pytest.raises(ValueError, match=name.removeprefix("WHATSAPP_").lower()) as caught:
        WhatsAppSettings()  # type: ignore[call-arg]
    assert f"'{value}'" not in str(caught.value)
