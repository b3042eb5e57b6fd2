"""Every endpoint of VK is asked as the contract (§1 to §3) says: method, form, header."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from core.channel import MediaFile
from core.errors import (
    ChannelError,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
    VendorDown,
)
from mcp_vk.client import (
    LARGEST_RANDOM_ID,
    CannotQuote,
    UploadStale,
    VkClient,
    describe,
    keyboard_of,
    kind_of,
    message_of,
    peer_of,
    random_id_of,
)
from mcp_vk.schemas import Gesture, Uploaded
from mcp_vk.settings import VkSettings
from tests.contract.fake_time import FakeTime
from tests.contract.vk_side import GROUP, SETTINGS, TOKEN, error, row_error

PEER, CMID = 77_001, 19
UPLOAD = "https://upload.example.test/c1/upload.php?act=do_add&hash=h1"
PHOTO = {"id": 5, "owner_id": -GROUP, "access_key": "k1"}

Call = Callable[[VkClient], Awaitable[Any]]


class Desk:
    """Answers every request alike and keeps them; an upload address is answered by `uploaded`."""

    def __init__(self, answer: Any = None, *, status: int = 200, uploaded: Any = None) -> None:
        self.asked: list[httpx.Request] = []
        self.answers: dict[str, Any] = {}
        self.time = FakeTime()
        self._answer, self._status, self._uploaded = answer, status, uploaded
        network = httpx.MockTransport(self.take)
        self.client = VkClient(SETTINGS, timing=self.time.timing, transport=network)

    def take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.host == "upload.example.test":
            return httpx.Response(200, json=self._uploaded)
        name = request.url.path.rpartition("/")[2]
        answer = self.answers.get(name, self._answer)
        answer = answer.pop(0) if isinstance(answer, list) and name in self.answers else answer
        return httpx.Response(self._status, json=answer)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.asked[-1].content.decode(), keep_blank_values=True))

    @property
    def methods(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.asked]


GROUPED = {"group_id": str(GROUP)}
KEPT = {"keep_forward_messages": "1", "keep_snippets": "1"}
NO_CHATS = ["", "0", "-0", "007", "+5", " 5", "5 ", "5\n", "٥", "1e3", "5,6", "9" * 19]
NO_MESSAGES = ["", "77001", "77001:", "77001:0", "77001:-1", "5:19", "77001:1:press:c", "x:1"]
PRESS = Gesture.model_validate({"user_id": 5, "peer_id": PEER, "event_id": "c0ffee"})
CALLS: list[tuple[Call, Any, str, dict[str, str]]] = [
    (
        lambda vk: vk.messages_edit(PEER, CMID, message="да"),
        1,
        "messages.edit",
        {
            "peer_id": "77001",
            "cmid": "19",
            "message": "да",
            "keep_forward_messages": "1",
            "keep_snippets": "1",
        },
    ),
    (
        lambda vk: vk.messages_delete(PEER, CMID),
        [{"peer_id": PEER, "response": 1}],
        "messages.delete",
        {"peer_id": "77001", "cmids": "19", "delete_for_all": "1"},
    ),
    (
        lambda vk: vk.messages_mark_as_read(PEER),
        1,
        "messages.markAsRead",
        {"peer_id": "77001", "mark_conversation_as_read": "1"},
    ),
    (
        lambda vk: vk.messages_set_activity(PEER),
        1,
        "messages.setActivity",
        {"peer_id": "77001", "type": "typing"},
    ),
    (
        lambda vk: vk.messages_send_message_event_answer(PRESS),
        1,
        "messages.sendMessageEventAnswer",
        {"peer_id": "77001", "user_id": "5", "event_id": "c0ffee"},
    ),
    (
        lambda vk: vk.messages_get_conversations(count=20, offset=40),
        {"count": 0, "items": []},
        "messages.getConversations",
        {"count": "20", "offset": "40", "extended": "1"},
    ),
    (
        lambda vk: vk.messages_get_conversations_by_id(PEER),
        {"count": 0, "items": []},
        "messages.getConversationsById",
        {"peer_ids": "77001", "extended": "1"},
    ),
    (
        lambda vk: vk.messages_get_history(PEER, count=200, offset=0),
        {"count": 0, "items": []},
        "messages.getHistory",
        {"peer_id": "77001", "count": "200", "offset": "0", "extended": "1"},
    ),
    (
        lambda vk: vk.messages_get_by_id(peer_id=PEER, cmids=CMID),
        {"count": 0, "items": []},
        "messages.getById",
        {"peer_id": "77001", "cmids": "19"},
    ),
    (
        lambda vk: vk.messages_is_messages_from_group_allowed(5),
        {"is_allowed": 1},
        "messages.isMessagesFromGroupAllowed",
        {**GROUPED, "user_id": "5"},
    ),
    (lambda vk: vk.users_get(5), [], "users.get", {"user_ids": "5", "fields": "photo_100"}),
    (lambda vk: vk.groups_get_by_id(), {"groups": [], "profiles": []}, "groups.getById", {}),
    (
        lambda vk: vk.groups_get_token_permissions(),
        {"mask": 4096, "permissions": [{"name": "messages", "setting": 4096}]},
        "groups.getTokenPermissions",
        {},
    ),
    (
        lambda vk: vk.photos_get_messages_upload_server(PEER),
        {"upload_url": UPLOAD},
        "photos.getMessagesUploadServer",
        {"peer_id": "77001"},
    ),
    (
        lambda vk: vk.docs_get_messages_upload_server(PEER, "doc"),
        {"upload_url": UPLOAD},
        "docs.getMessagesUploadServer",
        {"peer_id": "77001", "type": "doc"},
    ),
    (
        lambda vk: vk.photos_save_messages_photo(Uploaded(server=1, photo="[{}]", hash="ab")),
        [PHOTO],
        "photos.saveMessagesPhoto",
        {"photo": "[{}]", "server": "1", "hash": "ab"},
    ),
    (
        lambda vk: vk.docs_save("opaque", "Чек.pdf"),
        {"type": "doc", "doc": PHOTO},
        "docs.save",
        {"file": "opaque", "title": "Чек.pdf"},
    ),
    (
        lambda vk: vk.groups_get_callback_confirmation_code(),
        {"code": "a1b2c3d4"},
        "groups.getCallbackConfirmationCode",
        GROUPED,
    ),
    (
        lambda vk: vk.groups_add_callback_server("https://a.test/x", "bridge", "s3cr3t"),
        {"server_id": 3},
        "groups.addCallbackServer",
        {**GROUPED, "url": "https://a.test/x", "title": "bridge", "secret_key": "s3cr3t"},
    ),
    (
        lambda vk: vk.groups_delete_callback_server(3),
        1,
        "groups.deleteCallbackServer",
        {**GROUPED, "server_id": "3"},
    ),
    (
        lambda vk: vk.groups_get_callback_servers(),
        {"count": 0, "items": []},
        "groups.getCallbackServers",
        GROUPED,
    ),
    (
        lambda vk: vk.groups_set_callback_settings(3, {"message_new": 1}),
        1,
        "groups.setCallbackSettings",
        {**GROUPED, "server_id": "3", "api_version": "5.199", "message_new": "1"},
    ),
    (
        lambda vk: vk.groups_get_callback_settings(3),
        {"api_version": "5.199", "events": {"message_new": 1}},
        "groups.getCallbackSettings",
        {**GROUPED, "server_id": "3"},
    ),
]
NAMES = [f"{number}-{method}" for number, (_, _, method, _) in enumerate(CALLS)]


@pytest.mark.parametrize(("call", "answer", "method", "form"), CALLS, ids=NAMES)
async def test_a_method_is_called_with_a_form(
    call: Call, answer: Any, method: str, form: dict[str, str]
) -> None:
    desk = Desk({"response": answer})

    await call(desk.client)

    [request] = desk.asked
    assert str(request.url) == f"https://vk.example.test/method/{method}"
    assert (request.method, desk.form) == ("POST", {**form, "v": "5.199"})
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(("call", "answer", "method", "form"), CALLS, ids=NAMES)
async def test_what_is_no_send_is_repeated_when_vk_stumbles(
    call: Call, answer: Any, method: str, form: dict[str, str]
) -> None:
    desk = Desk()
    desk.answers[method] = [error(10), error(6), {"response": answer}]

    await call(desk.client)

    assert desk.methods == [method] * 3
    assert desk.form == {**form, "v": "5.199"}


async def test_a_send_asks_for_the_row_that_tells_the_cmid() -> None:
    desk = Desk({"response": [{"peer_id": PEER, "message_id": 0, "conversation_message_id": 18}]})

    sent = await desk.client.messages_send(PEER, 918_273, message="Да 😀\nи &=+\ud83d", attachment="doc-1_2")

    assert sent.cmid == 18
    assert desk.form == {
        "peer_ids": "77001",
        "random_id": "918273",
        "message": "Да 😀\nи &=+�",
        "attachment": "doc-1_2",
        "v": "5.199",
    }


async def test_the_key_stands_in_no_address_and_in_no_form() -> None:
    desk = Desk({"response": {"upload_url": UPLOAD}}, uploaded={"file": "opaque"})
    desk.answers["docs.save"] = {"response": {"type": "doc", "doc": PHOTO}}

    await desk.client.document(PEER, MediaFile(b"%PDF", "application/pdf", "Чек.pdf"))

    assert desk.methods == ["docs.getMessagesUploadServer", "upload.php", "docs.save"]
    assert not [one for one in desk.asked if TOKEN in str(one.url) or TOKEN.encode() in one.content]
    assert "authorization" not in desk.asked[1].headers
    assert TOKEN not in repr(desk.client) + repr(SETTINGS)


async def test_a_picture_goes_in_three_steps_under_a_name_that_vk_understands() -> None:
    desk = Desk(
        {"response": {"upload_url": UPLOAD}},
        uploaded={"server": 12, "photo": '[{"x":1}]', "hash": "ab"},
    )
    desk.answers["photos.saveMessagesPhoto"] = {"response": [PHOTO]}

    attached = await desk.client.photo(PEER, MediaFile(b"\x89PNG", "image/png", "экран.bin"))

    assert attached == f"photo-{GROUP}_5_k1"
    assert b'name="photo"; filename="photo.png"' in desk.asked[1].content
    assert desk.form == {"photo": '[{"x":1}]', "server": "12", "hash": "ab", "v": "5.199"}


async def test_a_voice_note_is_a_document_of_its_own_kind() -> None:
    voice = {"type": "audio_message", "audio_message": PHOTO}
    desk = Desk({"response": {"upload_url": UPLOAD}}, uploaded={"file": "opaque"})
    desk.answers["docs.save"] = {"response": voice}

    attached = await desk.client.document(PEER, MediaFile(b"OggS", "audio/ogg", "v.ogg"), "audio_message")

    assert attached == f"audio_message-{GROUP}_5_k1"
    assert b'name="file"; filename="v.ogg"' in desk.asked[1].content
    assert b"type=audio_message" in desk.asked[0].content


@pytest.mark.parametrize(
    "uploaded",
    [
        {"server": 1, "photo": "[]", "hash": "x"},
        {"server": 1, "photo": "", "hash": "x"},
        {"error": "no file", "error_descr": "what was that"},
    ],
)
async def test_a_picture_that_vk_does_not_want_is_rejected(uploaded: Any) -> None:
    desk = Desk({"response": {"upload_url": UPLOAD}}, uploaded=uploaded)

    with pytest.raises(Rejected):
        await desk.client.photo(PEER, MediaFile(b"x", "image/png"))


async def test_a_picture_of_another_type_reaches_nobody() -> None:
    desk = Desk()

    with pytest.raises(Rejected, match="image/webp"):
        await desk.client.photo(PEER, MediaFile(b"RIFF", "image/webp"))
    assert desk.asked == []


@pytest.mark.parametrize("saved", [[], [{}], [{"id": 5}]])
async def test_a_picture_without_a_number_is_not_sent(saved: Any) -> None:
    desk = Desk({"response": {"upload_url": UPLOAD}}, uploaded={"server": 1, "photo": "[1]", "hash": "x"})
    desk.answers["photos.saveMessagesPhoto"] = {"response": saved}

    with pytest.raises((VendorDown, UploadStale)):
        await desk.client.photo(PEER, MediaFile(b"x", "image/png"))


@pytest.mark.parametrize("code", [105, 114, 118, 121, 122, 129])
async def test_an_upload_that_went_stale_begins_anew_once(code: int) -> None:
    saved = {"response": {"type": "doc", "doc": PHOTO}}
    desk = Desk({"response": {"upload_url": UPLOAD}}, uploaded={"file": "opaque"})
    desk.answers["docs.save"] = [error(code), saved, error(code), error(code)]

    await desk.client.document(PEER, MediaFile(b"x", "text/plain", "a.txt"))
    assert len(desk.asked) == 6
    with pytest.raises(UploadStale):
        await desk.client.document(PEER, MediaFile(b"x", "text/plain", "a.txt"))
    assert len(desk.asked) == 12


@pytest.mark.parametrize("address", ["http://[", "https://a.test/" + "x" * 70_000, "gopher://a.test/", "нет"])
async def test_an_address_that_is_none_is_a_failing_vendor(address: str) -> None:
    desk = Desk({"response": {"upload_url": address}})

    with pytest.raises(VendorDown):
        await desk.client.document(PEER, MediaFile(b"x", "text/plain", "a.txt"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (error(901, "Can't send"), "error 901, Can't send"),
        (row_error(901), "error 901, no"),
        ({"error": "no file", "error_descr": "what"}, "no file, what"),
        ({"error": {"error_code": 14}}, "error 14, "),
        ({"response": [{"peer_id": 1, "message_id": 5}]}, ""),
        ({"response": {"items": []}}, ""),
        ({"response": 1}, ""),
        ([], ""),
        (5, ""),
    ],
)
def test_every_shape_of_error_is_read(body: Any, words: str) -> None:
    complaint = describe(httpx.Response(200, json=body))

    assert (complaint.words, complaint.kind is not None) == (words, bool(words))


@pytest.mark.parametrize("body", [b"", b"<html>error</html>", b"\xff\xfe", b"[" * 100_000, b'{"error":7}'])
def test_a_body_that_is_no_refusal_has_no_words(body: bytes) -> None:
    assert describe(httpx.Response(502, content=body)).words == ""


@pytest.mark.parametrize(("code", "wait"), [(9, 300.0), (29, 3600.0)])
async def test_a_flood_and_a_used_up_quota_are_told_with_a_long_wait(code: int, wait: float) -> None:
    desk = Desk(error(code))

    with pytest.raises(RateLimited) as caught:
        await desk.client.messages_send(PEER, 1, message="x")
    assert (caught.value.retry_after, len(desk.asked), desk.time.slept) == (wait, 1, [])


@pytest.mark.parametrize("code", [1, 10, 36])
async def test_a_send_that_may_have_been_taken_is_not_repeated(code: int) -> None:
    desk = Desk(error(code))

    with pytest.raises(OutcomeUnknown):
        await desk.client.messages_send(PEER, 1, message="x")
    assert len(desk.asked) == 1


@pytest.mark.parametrize(("code", "kind"), [(921, CannotQuote), (969, CannotQuote), (4_711, Rejected)])
def test_a_code_has_a_class_of_its_own_or_is_a_refusal(code: int, kind: type[ChannelError]) -> None:
    assert kind_of(code) is kind


async def test_what_was_asked_is_not_repeated_in_an_error() -> None:
    """VK echoes the parameters (§1); the customer's words are among them."""
    refusal = error(902, "privacy")
    refusal["error"]["request_params"].append({"key": "message", "value": "секретные слова"})

    with pytest.raises(PeerUnreachable) as caught:
        await Desk(refusal).client.messages_send(PEER, 1, message="секретные слова")
    assert "секретные" not in str(caught.value)


@pytest.mark.parametrize("answer", [{"response": "ok"}, {"response": None}, {}])
async def test_an_answer_in_another_shape_is_unknown_for_a_send_and_a_failure_else(answer: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        await Desk(answer).client.messages_send(PEER, 1, message="x")
    with pytest.raises(VendorDown):
        await Desk(answer).client.users_get(5)


async def test_a_row_that_cannot_be_read_leaves_its_place_empty() -> None:
    message = {"peer_id": PEER, "from_id": PEER, "conversation_message_id": 1, "text": "Да"}
    desk = Desk({"response": {"items": [message, {"no": "id"}, 5], "profiles": 5, "groups": [None]}})

    page = await desk.client.messages_get_history(PEER, count=3, offset=0)

    assert [one.text if one else None for one in page.items] == ["Да", None, None]


@pytest.mark.parametrize(
    ("written", "number"), [("77001", 77_001), ("2000000001", 2_000_000_001), ("-5", -5)]
)
def test_a_chat_is_named_by_its_number(written: str, number: int) -> None:
    assert peer_of(written) == number


@pytest.mark.parametrize(
    "written", ["", "0", "-0", "007", "+5", " 5", "5 ", "5\n", "٥", "1e3", "5,6", "9" * 19]
)
def test_what_is_no_number_is_no_chat(written: str) -> None:
    with pytest.raises(NotFound):
        peer_of(written)


@pytest.mark.parametrize(
    "written", ["", "77001", "77001:", "77001:0", "77001:-1", "5:19", "77001:1:press:c", "x:1"]
)
def test_a_message_belongs_to_its_chat(written: str) -> None:
    assert message_of("77001", "77001:19") == (77_001, 19)
    with pytest.raises(NotFound):
        message_of("77001", written)


def test_a_random_id_follows_from_chat_and_key() -> None:
    known = {random_id_of(peer, f"key#{part}") for peer in (1, 2) for part in range(500)}

    assert random_id_of(PEER, "ключ\ud83d#0") == random_id_of(PEER, "ключ\ud83d#0")
    assert len(known) == 1000
    assert all(1 <= one <= LARGEST_RANDOM_ID for one in known)
    assert random_id_of(PEER, "k") == 752_113_802


def test_a_send_without_a_key_is_never_taken_for_a_repeat() -> None:
    drawn = {random_id_of(PEER, "") for _ in range(100)}

    assert len(drawn) == 100
    assert 0 not in drawn


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (6, [1] * 6), (7, [2, 2, 2, 1]), (10, [2] * 5)])
def test_buttons_stand_in_rows_that_vk_allows(count: int, rows: list[int]) -> None:
    keyboard = keyboard_of([f"Вариант {number}" for number in range(count)])

    assert [len(row) for row in keyboard["buttons"]] == rows
    assert keyboard["inline"] is True
    assert keyboard["buttons"][0][0]["action"] == {
        "type": "text",
        "label": "Вариант 0",
        "payload": '{"button":"Вариант 0"}',
    }


def test_the_longest_label_fits_into_a_payload() -> None:
    [[button]] = keyboard_of(['"' * 40])["buttons"]

    assert len(button["action"]["payload"]) <= 255


ENVIRONMENT = {
    "VK_ACCESS_TOKEN": TOKEN,
    "VK_GROUP_ID": "2200033",
    "VK_WEBHOOK_SECRET": "0123456789abcdef",
}


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    settings = VkSettings()  # type: ignore[call-arg]  # the values come from the environment

    assert (settings.base_url, settings.group_id, settings.confirmation) == ("https://api.vk.ru", GROUP, "")
    assert (settings.requests_per_second, settings.burst, settings.timeout_seconds) == (15.0, 5, 10.0)
    assert TOKEN not in repr(settings)
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize(
    "written",
    ["https://api.vk.ru", "https://api.vk.ru/", "https://api.vk.ru/method", "https://api.vk.ru/method/"],
)
def test_the_address_may_be_written_as_on_vks_pages(written: str) -> None:
    settings = VkSettings(
        access_token=SecretStr("t"),
        group_id=5,
        webhook_secret=SecretStr("0123456789abcdef"),
        base_url=written,
    )

    assert settings.base_url == "https://api.vk.ru"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VK_ACCESS_TOKEN", ""),
        ("VK_GROUP_ID", "0"),
        ("VK_GROUP_ID", "-2200033"),
        ("VK_GROUP_ID", "club"),
        ("VK_WEBHOOK_SECRET", "short"),
        ("VK_WEBHOOK_SECRET", "x" * 51),
        ("VK_WEBHOOK_SECRET", "пароль-пароль-пароль"),
        ("VK_CONFIRMATION", "a1b2 c3"),
        ("VK_BASE_URL", "api.vk.ru"),
        ("VK_REQUESTS_PER_SECOND", "0"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for known, given in (ENVIRONMENT | {name: value}).items():
        monkeypatch.setenv(known, given)

    with pytest.raises(ValueError, match=name.removeprefix("VK_").lower()) as caught:
        VkSettings()  # type: ignore[call-arg]
    assert not value or f"'{value}'" not in str(caught.value)
