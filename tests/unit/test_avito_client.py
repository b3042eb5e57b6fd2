"""Every endpoint of Avito is asked as the contract (§2, §3) says: method, path, query, body."""

import json
from typing import Any

import httpx
import pytest

from core.channel import MediaFile
from core.errors import AuthFailed, ChannelError, NotFound, OutcomeUnknown, PlanRequired, Rejected, VendorDown
from core.http import Token
from mcp_avito.client import AvitoClient, describe
from mcp_avito.settings import AvitoSettings
from tests.contract.avito_side import SETTINGS
from tests.contract.fake_time import FakeTime

ME = 701_000_001
V1, V2, V3 = (f"/messenger/v{version}/accounts/{ME}" for version in (1, 2, 3))
CHAT = "u2i-A~1"


class Desk:
    """Answers every request alike and keeps them; the account id is in the settings."""

    def __init__(self, answer: Any = None, *, status: int = 200, user_id: int | None = ME) -> None:
        self.asked: list[httpx.Request] = []
        self.token_form = b""
        self.token_answer = httpx.Response(200, json={"access_token": "tok", "expires_in": 86_400})
        self.time = FakeTime()
        self._answer, self._status = answer, status
        settings = SETTINGS.model_copy(update={"user_id": user_id})
        self.client = AvitoClient(settings, timing=self.time.timing, transport=httpx.MockTransport(self.take))

    def take(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.token_form = request.content
            return self.token_answer
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


SENT = {"id": "bb01", "type": "text", "direction": "out", "created": 1_763_800_200, "content": {"text": "x"}}


async def test_who_am_i() -> None:
    desk = Desk({"id": ME, "name": "Мастерская"})
    assert (await desk.client.get_user_info_self()).id == ME
    assert desk.line == "GET /core/v1/accounts/self"


async def test_the_account_id_is_asked_once_when_the_settings_lack_it() -> None:
    desk = Desk({"id": ME, "chats": []}, user_id=None)
    for _ in range(2):
        await desk.client.get_chats(limit=5, offset=0)

    assert [request.url.path for request in desk.asked] == [
        "/core/v1/accounts/self",
        f"{V2}/chats",
        f"{V2}/chats",
    ]
    assert desk.client.known_user_id == ME


async def test_the_list_of_chats_asks_for_chats_between_users_too() -> None:
    desk = Desk({"chats": [{"id": CHAT}], "meta": {"has_more": True}})

    answer = await desk.client.get_chats(limit=5, offset=10, unread_only=True)

    assert desk.line == f"GET {V2}/chats?limit=5&offset=10&chat_types=u2i%2Cu2u&unread_only=true"
    assert [chat.id for chat in answer.chats if chat] == [CHAT]


async def test_one_chat() -> None:
    desk = Desk({"id": CHAT})
    assert (await desk.client.get_chat_by_id(CHAT)).id == CHAT
    assert desk.line == f"GET {V2}/chats/{CHAT}"


@pytest.mark.parametrize("wrapped", [True, False])
async def test_messages_are_read_from_an_object_and_from_a_bare_array(*, wrapped: bool) -> None:
    rows = [{"id": "m1", "type": "text", "content": {"text": "Да"}}, {"no": "id"}]
    desk = Desk({"messages": rows, "meta": {"has_more": False}} if wrapped else rows)

    answer = await desk.client.get_messages(CHAT, limit=2, offset=0)

    assert desk.line == f"GET {V3}/chats/{CHAT}/messages/?limit=2&offset=0"
    assert [message.id if message else None for message in answer.messages] == ["m1", None]


async def test_a_text_is_sent() -> None:
    desk = Desk(SENT)
    assert (await desk.client.post_send_message(CHAT, "Да 😀\nи")).id == "bb01"
    assert desk.line == f"POST {V1}/chats/{CHAT}/messages"
    assert desk.body == {"type": "text", "message": {"text": "Да 😀\nи"}}


async def test_half_an_emoji_is_sent_as_a_replacement_sign() -> None:
    desk = Desk(SENT)
    await desk.client.post_send_message(CHAT, "a\ud83d")
    assert desk.body["message"]["text"] == "a�"


async def test_an_image_is_uploaded_under_avitos_part_name() -> None:
    desk = Desk({"12345.9f8e": {"32x32": "https://img.example.test/32.jpg"}})

    image_id = await desk.client.upload_images(MediaFile(b"\x89PNG", "image/png", "кот.png"))

    assert image_id == "12345.9f8e"
    assert desk.line == f"POST {V1}/uploadImages"
    content = desk.asked[0].content
    assert b'name="uploadfile[]"' in content
    assert b"Content-Type: image/png" in content


async def test_an_uploaded_image_is_sent_by_its_id() -> None:
    desk = Desk(SENT)
    await desk.client.post_send_image_message(CHAT, "12345.9f8e")
    assert desk.line == f"POST {V1}/chats/{CHAT}/messages/image"
    assert desk.body == {"image_id": "12345.9f8e"}


async def test_a_message_is_deleted_with_post() -> None:
    desk = Desk({})
    await desk.client.delete_message(CHAT, "bb/01")
    assert desk.line == f"POST {V1}/chats/{CHAT}/messages/bb%2F01"


async def test_a_chat_is_marked_read() -> None:
    desk = Desk({"ok": True})
    await desk.client.chat_read(CHAT)
    assert desk.line == f"POST {V1}/chats/{CHAT}/read"


async def test_voice_links() -> None:
    desk = Desk({"voices_urls": {"v-1": "https://voice.example.test/1"}})
    assert await desk.client.get_voice_files(["v-1", "v-2"]) == {"v-1": "https://voice.example.test/1"}
    assert desk.line == f"GET {V1}/getVoiceFiles?voice_ids=v-1%2Cv-2"


async def test_the_blacklist_answers_with_nothing() -> None:
    desk = Desk(b"")
    await desk.client.post_blacklist([{"user_id": 702, "context": {"reason_id": 1}}])
    assert desk.line == f"POST {V2}/blacklist"
    assert desk.body == {"users": [{"user_id": 702, "context": {"reason_id": 1}}]}


async def test_a_subscription_takes_an_address_and_nothing_else() -> None:
    desk = Desk({"ok": True})
    await desk.client.post_webhook("https://a.example.test/x")
    assert (desk.line, desk.body) == ("POST /messenger/v3/webhook", {"url": "https://a.example.test/x"})


async def test_subscriptions_are_listed_with_post() -> None:
    desk = Desk({"subscriptions": [{"url": "https://a.example.test/x", "version": "3"}]})
    assert [row.url for row in await desk.client.get_subscriptions()] == ["https://a.example.test/x"]
    assert desk.line == "POST /messenger/v1/subscriptions"


async def test_a_subscription_ends_by_its_address() -> None:
    desk = Desk({"ok": True})
    await desk.client.post_webhook_unsubscribe("https://a.example.test/x")
    assert desk.line == "POST /messenger/v1/webhook/unsubscribe"
    assert desk.body == {"url": "https://a.example.test/x"}


async def test_one_ad_has_a_trailing_slash() -> None:
    desk = Desk({"status": "active", "url": None})
    assert (await desk.client.get_item_info(3550001234)).status == "active"
    assert desk.line == f"GET /core/v1/accounts/{ME}/items/3550001234/"


async def test_own_ads() -> None:
    desk = Desk({"meta": {"page": 1}, "resources": [{"id": 1, "title": "Экран", "price": None}]})
    assert [ad.title for ad in (await desk.client.get_items_info()).resources] == ["Экран"]
    assert desk.line == "GET /core/v1/items?page=1&per_page=25"


async def test_the_token_is_asked_for_with_a_form() -> None:
    desk = Desk({"id": ME})
    token = await desk.client.token()
    assert (
        desk.token_form == b"grant_type=client_credentials&client_id=client-1&client_secret=client-secret-1"
    )
    assert token == Token("tok", desk.time.now + 86_400 - 60)


async def test_a_short_token_keeps_most_of_its_life() -> None:
    desk = Desk({"id": ME})
    desk.token_answer = httpx.Response(200, json={"access_token": "tok", "expires_in": 10})
    assert (await desk.client.token()).expires_at == desk.time.now + 9


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
async def test_wrong_keys_are_auth_failed_in_every_status(status: int) -> None:
    desk = Desk({"id": ME})
    refusal = {"error": "invalid_client", "error_description": "wrong secret"}
    desk.token_answer = httpx.Response(status, json=refusal)

    with pytest.raises(AuthFailed, match="invalid_client, wrong secret"):
        await desk.client.get_user_info_self()
    assert desk.asked == []


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, [], "x"])
async def test_a_token_answer_without_a_token_is_a_failing_vendor(body: Any) -> None:
    desk = Desk({"id": ME})
    desk.token_answer = httpx.Response(200, json=body)

    with pytest.raises(VendorDown):
        await desk.client.get_user_info_self()


@pytest.mark.parametrize(
    ("status", "body", "words", "means"),
    [
        (400, {"error": {"code": 400, "message": "text too long", "fields": None}}, "text too long", 0),
        (404, {"code": "not_found", "message": "no such item"}, "no such item", 0),
        (403, {"result": {"message": "access token expired"}}, "access token expired", 403),
        (500, {"result": {"message": "access token expired"}}, "access token expired", 403),
        (200, {"result": {"message": "access token expired"}}, "access token expired", 403),
        (400, {"message": "bad"}, "bad", 0),
        (200, {"error": "invalid_client", "error_description": "x"}, "invalid_client, x", 401),
        (200, {"error": {"code": 402, "message": "plan"}}, "plan", 402),
        (200, {"error": {"code": 7, "message": "odd"}}, "odd", 0),
        (403, {"error": {"code": 403, "message": "Нужна подписка"}}, "Нужна подписка", 402),
        (400, {"error": None, "message": 5}, "", 0),
        (400, [], "", 0),
        (200, SENT, "", 0),
    ],
)
def test_every_shape_of_error_is_read(status: int, body: Any, words: str, means: int) -> None:
    complaint = describe(httpx.Response(status, json=body))

    assert (complaint.words, complaint.status) == (words, means)


@pytest.mark.parametrize("body", [b"", b"<html>token</html>", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_has_no_words(body: bytes) -> None:
    assert describe(httpx.Response(502, content=body)).words == ""


async def test_a_missing_plan_is_told_in_words_of_ours_and_avitos() -> None:
    desk = Desk({"error": {"code": 402, "message": "Нужна подписка"}}, status=402)

    with pytest.raises(PlanRequired, match=r"plan lacks the Messenger API\. .*Нужна подписка"):
        await desk.client.get_chats(limit=1, offset=0)


async def test_a_send_answered_without_an_id_is_unknown() -> None:
    """A production client takes such an answer as no success (§3.5); the message may be out all the same."""
    desk = Desk({"ok": True})

    with pytest.raises(OutcomeUnknown):
        await desk.client.post_send_message(CHAT, "x")


@pytest.mark.parametrize(("answer", "kind"), [({"ok": False}, Rejected), ("ok", VendorDown)])
async def test_a_change_that_was_not_made_is_told(answer: Any, kind: type[ChannelError]) -> None:
    with pytest.raises(kind):
        await Desk(answer).client.post_webhook("https://a.example.test/x")


async def test_an_upload_without_an_id_is_refused() -> None:
    with pytest.raises(Rejected):
        await Desk({}).client.upload_images(MediaFile(b"x"))


@pytest.mark.parametrize("message_id", ["", ".", "..", "x" * 513])
async def test_an_id_that_would_leave_its_path_reaches_nobody(message_id: str) -> None:
    desk = Desk({})

    with pytest.raises(NotFound):
        await desk.client.delete_message(CHAT, message_id)
    assert desk.asked == []


ENVIRONMENT = {
    "AVITO_CLIENT_ID": "c",
    "AVITO_CLIENT_SECRET": "s",
    "AVITO_WEBHOOK_SECRET": "0123456789abcdef",
}


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    settings = AvitoSettings()  # type: ignore[call-arg]  # the values come from the environment

    assert (settings.base_url, settings.user_id) == ("https://api.avito.ru", None)
    assert (settings.requests_per_second, settings.burst, settings.timeout_seconds) == (1.0, 5, 10.0)
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AVITO_WEBHOOK_SECRET", "short"),
        ("AVITO_WEBHOOK_SECRET", "with/slash/0123456789"),
        ("AVITO_BASE_URL", "api.avito.ru"),
        ("AVITO_BASE_URL", "https://user:pw@api.avito.ru"),
        ("AVITO_USER_ID", "-1"),
        ("AVITO_REQUESTS_PER_SECOND", "0"),
        ("AVITO_BURST", "0"),
        ("AVITO_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for known, given in (ENVIRONMENT | {name: value}).items():
        monkeypatch.setenv(known, given)

    with pytest.raises(ValueError, match=name.removeprefix("AVITO_").lower()) as caught:
        AvitoSettings()  # type: ignore[call-arg]
    assert f"'{value}'" not in str(caught.value)
