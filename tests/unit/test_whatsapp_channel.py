"""WhatsAppChannel over a client: chats, files, webhooks, session, and what is said when Wappi refuses."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import structlog

from core import channel as contract
from core.channel import MediaFile, WebhookRequest
from core.errors import ChannelError, NotFound, PeerUnreachable, RateLimited, Rejected, SessionLost
from core.ids import ChatId, MessageId, UserId
from mcp_whatsapp.channel import WhatsAppChannel
from mcp_whatsapp.client import WANTED_TYPES, WappiClient, phrase_of
from mcp_whatsapp.settings import WhatsAppSettings
from mcp_whatsapp.tools import whatsapp_operations
from tests.contract.fake_time import FakeTime
from tests.contract.whatsapp_side import ME, SECRET, SETTINGS, STATUS, refusal

ANNA = "79000000002"
CHAT = ChatId(ANNA)
OURS = f"https://shop.example.test/webhook/whatsapp/default/{SECRET}"
MASKED = "https://shop.example.test/webhook/whatsapp/default/***"
PHRASE = phrase_of(SETTINGS)
SENT = {"status": "done", "message_id": "3EB0A1B2C3D4E5F60718"}
ROW = {"id": "3AD5", "type": "chat", "chatId": f"{ANNA}@c.us", "body": "Есть?", "time": 1_763_800_123}


class Wappi:
    """Answers by the last words of the path; keeps the webhook; remembers calls."""

    def __init__(self, *, settings: WhatsAppSettings = SETTINGS, url: str = "", **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, Any]] = []
        self.url = url
        self.types: list[str] = ["incoming_message"]
        self.status: dict[str, Any] = {**STATUS}
        self.time = FakeTime()
        client = WappiClient(settings, timing=self.time.timing, transport=httpx.MockTransport(self._answer))
        self.channel = WhatsAppChannel(client, settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = "_".join(request.url.path.split("/")[-2:])
        query = {key: value for key, value in request.url.params.items() if key != "profile_id"}
        body = query | (parsed if isinstance(parsed := json.loads(request.content or b"{}"), dict) else {})
        self.calls.append((name, body if isinstance(parsed, dict) else parsed))
        answer = self.answers.get(name)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(
            200, json={"status": "done", **(answer or self._known(name, self.calls[-1][1]))}
        )

    def _known(self, name: str, body: Any) -> dict[str, Any]:
        if name == "get_status":
            return {**self.status, "webhook_url": self.url, "webhook_types": self.types}
        if name == "url_set":
            self.url = body["url"]
        if name == "url_delete":
            self.url = ""
        if name == "types_set":
            self.types = body
        return {"url": self.url} if name == "url_get" else SENT

    def called(self, name: str) -> list[Any]:
        return [body for known, body in self.calls if known == name]


def test_it_has_every_part_that_wappi_can_serve() -> None:
    parts = (
        contract.SendsImages,
        contract.SendsVoice,
        contract.SendsVideos,
        contract.SendsDocuments,
        contract.SendsReplies,
        contract.EditsMessages,
        contract.DeletesMessages,
        contract.ShowsTyping,
        contract.Reacts,
        contract.KnowsProfiles,
        contract.OpensChats,
        contract.ListsChats,
        contract.ShowsChats,
        contract.KeepsHistory,
        contract.MarksRead,
        contract.Subscribes,
        contract.ResolvesMedia,
        contract.OpensFiles,
        contract.TellsTroubles,
        contract.Sweeps,
    )

    assert all(isinstance(Wappi().channel, part) for part in parts)


def test_it_has_no_part_that_wappi_cannot_serve() -> None:
    """Buttons are documented as not working (§3.2); the token never changes."""
    lacking = (contract.SendsButtons, contract.HasToken, contract.ShakesHands, contract.AnswersPresses)

    assert not any(isinstance(Wappi().channel, part) for part in lacking)
    assert whatsapp_operations({}) == []


@pytest.mark.parametrize(
    ("contact", "name", "shown"),
    [
        ({"FullName": "Анна К", "PushName": "anna"}, "Анна", "Анна"),
        ({"FullName": "Анна К", "PushName": "anna"}, "", "Анна К"),
        ({"FullName": "", "PushName": "anna"}, None, "anna"),
        ({}, "\u202a+7 900 000-00-02\u202c", "+7 900 000-00-02"),
        (None, "\u202a\u202c", ANNA),
        ("wrong", 5, ANNA),
    ],
)
async def test_a_chat_is_called_by_the_first_name_that_says_something(
    contact: Any, name: Any, shown: str
) -> None:
    dialog = {"id": f"{ANNA}@c.us", "name": name, "contact": contact}
    [chat] = (await Wappi(chats_get={"dialogs": [dialog]}).channel.list_chats(20, "")).chats

    assert (chat.chat_id, chat.client_user_id, chat.client_name_untrusted) == (ANNA, ANNA, shown)


@pytest.mark.parametrize(
    ("time", "timestamp"),
    [
        (1_763_800_123, "2025-11-22T08:28:43Z"),
        (1_763_800_123, 0),
        (0, "2025-11-22T08:28:43Z"),
        ("2025-11-22T11:28:43+03:00", 1_763_800_123),
    ],
)
async def test_a_chats_time_is_read_in_every_format(time: Any, timestamp: Any) -> None:
    dialog = {"id": f"{ANNA}@c.us", "last_time": time, "last_timestamp": timestamp}
    [chat] = (await Wappi(chats_get={"dialogs": [dialog]}).channel.list_chats(20, "")).chats

    assert chat.updated_at == "2025-11-22T08:28:43+00:00"


async def test_groups_and_unreadable_chats_are_counted_and_not_shown() -> None:
    dialogs = [{"id": "120363000000000001@g.us"}, {"no": "id"}, {"id": f"{ANNA}@s.whatsapp.net"}]
    wappi = Wappi(chats_get={"dialogs": dialogs, "total_count": 7})

    page = await wappi.channel.list_chats(3, "2")

    assert ([chat.chat_id for chat in page.chats], page.next_cursor) == ([ANNA], "5")
    assert wappi.called("chats_get") == [{"limit": "3", "offset": "2"}]


async def test_the_right_chat_is_picked_from_what_the_filter_finds() -> None:
    """The filter takes parts of ids: a group of the same founder has the same beginning."""
    dialogs = [{"id": f"{ANNA}-1510000000@g.us", "name": "Группа"}, {"id": f"{ANNA}@c.us", "name": "Анна"}]
    wappi = Wappi(chats_get={"dialogs": dialogs})

    assert (await wappi.channel.get_chat(CHAT)).client_name_untrusted == "Анна"
    assert wappi.called("chats_get")[0]["filter"] == {"ids": [ANNA]}
    with pytest.raises(NotFound):
        await wappi.channel.get_chat(ChatId("79000000009"))


async def test_read_means_the_business_for_incoming_and_the_client_for_outgoing() -> None:
    rows = [
        {**ROW, "id": "1", "isRead": True},
        {**ROW, "id": "2", "isRead": False, "delivery_status": "read"},
        {**ROW, "id": "3", "fromMe": True, "delivery_status": "read"},
        {**ROW, "id": "4", "fromMe": True, "delivery_status": "delivered"},
    ]
    page = await Wappi(messages_get={"messages": rows}).channel.list_messages(CHAT, 20, "")

    assert [message.read for message in page.messages] == [True, False, True, False]
    assert [message.direction for message in page.messages] == ["in", "in", "out", "out"]


async def test_the_history_survives_what_it_does_not_know() -> None:
    rows = [
        5,
        {"id": "no chat"},
        {**ROW, "id": "1", "time": None, "type": "newsletter"},
        {**ROW, "id": "2"},
        {**ROW, "id": "3", "time": "?", "isDeleted": True, "type": "revoked", "body": {}},
    ]
    page = await Wappi(messages_get={"messages": rows}).channel.list_messages(CHAT, 20, "")

    shown = [(one.message_id, one.text_untrusted, one.sent_at) for one in page.messages]
    time = "2025-11-22T08:28:43+00:00"
    told = "Сообщение, которого Wappi не показывает программам: newsletter"
    assert shown == [("1", told, time), ("2", "Есть?", time), ("3", "", time)]


async def test_a_read_mark_points_at_the_newest_message() -> None:
    wappi = Wappi(messages_get={"messages": [ROW]})
    await wappi.channel.mark_read(CHAT)
    assert wappi.called("mark_read") == [{"mark_all": "true", "message_id": "3AD5"}]

    empty = Wappi(messages_get={"detail": "Messages not found"})
    await empty.channel.mark_read(CHAT)
    assert empty.called("mark_read") == []


async def test_a_sweep_ends_where_the_time_begins_or_at_ten_pages() -> None:
    page = [{**ROW, "id": f"A{n}"} for n in range(200)]
    endless = Wappi(messages_all_get={}, all_get={"messages": page})

    await endless.channel.arrivals_since(datetime.fromtimestamp(0, UTC), [])
    assert [call["offset"] for call in endless.called("all_get")] == [str(n * 200) for n in range(10)]

    late = Wappi(all_get={"messages": page})
    assert list(await late.channel.arrivals_since(datetime.fromtimestamp(1_763_800_124, UTC), [])) == []
    assert len(late.called("all_get")) == 1


async def test_a_reply_into_another_chat_is_sent_without_the_quote() -> None:
    """Wappi's reply goes where the quoted message stands: words for one customer never go to another."""
    wappi = Wappi(id_get={"message": {**ROW, "chatId": "79000000003@c.us"}})
    await wappi.channel.send_reply(CHAT, "Да", MessageId("3AD5"))

    assert (wappi.called("message_reply"), wappi.called("message_send")) == (
        [],
        [{"recipient": ANNA, "body": "Да"}],
    )


@pytest.mark.parametrize("gone", [refusal("message not found"), refusal("getMessage error"), refusal()])
async def test_a_reply_to_what_is_gone_is_the_text_alone(gone: dict[str, Any]) -> None:
    wappi = Wappi(id_get=httpx.Response(400, json=gone))
    await wappi.channel.send_reply(CHAT, "Да", MessageId("3AD5"))

    assert wappi.called("message_send") == [{"recipient": ANNA, "body": "Да"}]


async def test_a_reply_quotes_the_message_of_its_chat() -> None:
    wappi = Wappi(id_get={"message": ROW})
    await wappi.channel.send_reply(CHAT, "Да", MessageId("3AD5"))

    assert wappi.called("message_reply") == [{"message_id": "3AD5", "body": "Да"}]


JPEG, OGG, MP4 = (
    MediaFile(b"\xff\xd8\xff", "image/jpeg", "a.jpg"),
    MediaFile(b"OggS", "audio/ogg; codecs=opus", "a.ogg"),
    MediaFile(b"mp4", "video/mp4", "a.mp4"),
)


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("image", MediaFile(b"GIF", "image/gif", "a.gif")),
        ("image", MediaFile(bytes(16 * 1024 * 1024 + 1), "image/jpeg", "a.jpg")),
        ("voice", MediaFile(b"x", "audio/amr", "a.amr")),
        ("video", MediaFile(b"x", "video/quicktime", "a.mov")),
        ("document", MediaFile(bytes(16 * 1024 * 1024 + 1), "application/pdf", "a.pdf")),
    ],
)
async def test_a_file_that_would_not_arrive_is_not_sent(kind: str, file: MediaFile) -> None:
    """A .mov is answered with `done` and never delivered (§8)."""
    wappi = Wappi()

    with pytest.raises(Rejected):
        await getattr(wappi.channel, f"send_{kind}")(CHAT, file)
    assert wappi.calls == []


@pytest.mark.parametrize(("kind", "file", "path"), [("image", JPEG, "img"), ("voice", OGG, "audio")])
async def test_a_file_goes_with_its_words_where_these_travel(kind: str, file: MediaFile, path: str) -> None:
    wappi = Wappi()
    await getattr(wappi.channel, f"send_{kind}")(CHAT, file, caption="Вот", key="key-1")

    [body] = wappi.called(f"{path}_send")
    assert body.get("caption") == ("Вот" if kind == "image" else None)


CHANGES = {"edit_message": ("3AD5", "Да"), "delete_message": ("3AD5",), "react": ("3AD5", "👍")}


@pytest.mark.parametrize("call", CHANGES)
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"message": {**ROW, "chatId": "79000000003@c.us"}},
        {"message": {**ROW, "chatId": f"{ANNA}-1510000000@g.us"}},
        httpx.Response(400, json=refusal("message not found")),
    ],
)
async def test_a_message_of_another_chat_is_not_changed(call: str, elsewhere: Any) -> None:
    """Wappi takes the message's id alone (§3.2): words for one customer never go to another."""
    wappi = Wappi(id_get=elsewhere)

    with pytest.raises(NotFound):
        await getattr(wappi.channel, call)(CHAT, *CHANGES[call])
    assert [name for name, _ in wappi.calls] == ["id_get"]


@pytest.mark.parametrize("call", CHANGES)
async def test_a_message_of_the_chat_is_changed(call: str) -> None:
    wappi = Wappi(id_get={"message": {**ROW, "chatId": f"{ANNA}@s.whatsapp.net"}})

    await getattr(wappi.channel, call)(CHAT, *CHANGES[call])

    [_, (name, body)] = wappi.calls
    assert name == {"react": "message_reaction"}.get(call, f"message_{call.removesuffix('_message')}")
    assert body == dict(zip(("message_id", "body"), CHANGES[call], strict=False))


@pytest.mark.parametrize("call", ["edit_message", "delete_message", "react", "show_typing", "mark_read"])
async def test_a_chat_that_nobody_can_have_is_asked_for_nothing(call: str) -> None:
    wappi = Wappi()
    more = {"edit_message": ("m", "x"), "delete_message": ("m",), "react": ("m", "x")}.get(call, ())

    with pytest.raises(NotFound):
        await getattr(wappi.channel, call)(ChatId("89000000002"), *more)
    assert wappi.calls == []


async def test_a_refusal_of_a_logged_out_number_is_a_lost_session() -> None:
    """What it says is not documented (§7): `authorized` is the sign."""
    wappi = Wappi(message_send=httpx.Response(400, json=refusal("sendMessage error")))
    wappi.status["authorized"] = False

    with pytest.raises(SessionLost, match="sendMessage error"):
        await wappi.channel.send_text(CHAT, "x")


async def test_a_refusal_stays_one_when_the_session_cannot_be_seen() -> None:
    down = httpx.Response(401, json=refusal("invalid token"))
    wappi = Wappi(message_send=httpx.Response(400, json=refusal("sendMessage error")), get_status=down)

    with pytest.raises(Rejected):
        await wappi.channel.send_text(CHAT, "x")


async def test_a_refused_hidden_id_is_a_customer_who_cannot_be_reached() -> None:
    wappi = Wappi(message_send=httpx.Response(400, json=refusal("sendMessage error")))

    with pytest.raises(PeerUnreachable, match="hidden id"):
        await wappi.channel.send_text(ChatId("990000000000001@lid"), "x")


async def test_a_profile_has_the_first_name_that_is_there() -> None:
    wappi = Wappi(contact_get={"contact": {"name": "", "pushname": "anna", "short_name": "а"}})

    profile = await wappi.channel.get_profile(UserId(ANNA))

    assert (profile.name_untrusted, profile.phone) == ("anna", f"+{ANNA}")


@pytest.mark.parametrize("user", ["120363000000000001@g.us", "990000000000001@lid", "нет", ""])
async def test_who_is_no_phone_has_no_profile(user: str) -> None:
    wappi = Wappi()

    with pytest.raises(NotFound):
        await wappi.channel.get_profile(UserId(user))
    assert wappi.calls == []


async def test_a_contact_that_wappi_refuses_is_not_found() -> None:
    wappi = Wappi(contact_get=httpx.Response(400, json=refusal("getContact error")))

    with pytest.raises(NotFound, match="getContact error"):
        await wappi.channel.get_profile(UserId(ANNA))


LINK = "https://files.example.test/p.jpg?X-Amz-Expires=172800"
LATER, BEFORE = 1_763_800_000 + 600, 1_763_800_000 - 1


@pytest.mark.parametrize(
    ("stored", "downloaded", "seconds"),
    [
        ({"url": LINK, "expire": LATER}, {}, 600),
        ({"url": LINK}, {}, 172_800),
        ({}, {"file_link": LINK, "file_link_expire": LATER}, 600),
        ({"url": "https://old.example.test", "expire": BEFORE}, {"file_link": LINK}, 172_800),
        (None, {"file_link": LINK, "file_link_expire": LATER}, 600),
    ],
)
async def test_a_link_is_found_wherever_wappi_keeps_it(stored: Any, downloaded: Any, seconds: int) -> None:
    message = {**ROW, "type": "image", "s3Info": stored}
    wappi = Wappi(id_get={"message": message}, media_download={"media_type": "image", **downloaded})

    link = await wappi.channel.media_link("3AD5")

    assert (link.url, link.expires_in) == (LINK, seconds)


@pytest.mark.parametrize("link", [None, "", "ftp://x", 5])
async def test_a_file_without_a_link_is_told_so(link: Any) -> None:
    wappi = Wappi(id_get={"message": ROW}, media_download={"file_b64": "AAAA", "file_link": link})

    with pytest.raises(NotFound, match="no link"):
        await wappi.channel.media_link("3AD5")


async def test_a_file_is_opened_with_its_type_and_a_name() -> None:
    wappi = Wappi(media_download={"file_b64": "T2dnUwAC", "mime_type": "audio/ogg; codecs=opus"})

    file = await wappi.channel.open_file("3AD5")

    assert (file.content, file.media_type) == (b"OggS\x00\x02", "audio/ogg; codecs=opus")
    assert file.name.startswith("3AD5")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.test",
        "https://shop.example.test/",
        "https://shop.example.test/webhook/whatsapp",
        "https://shop.example.test/webhook/whatsapp/default/",
        OURS,
    ],
)
async def test_an_address_is_completed_with_the_secret(url: str) -> None:
    wappi = Wappi()

    status = await wappi.channel.subscribe_webhook(url)

    assert (status.subscribed, status.urls) == (True, [MASKED])
    assert wappi.called("url_set") == [{"url": OURS, "auth": PHRASE}]


async def test_a_subscription_adds_the_types_that_we_need_and_keeps_the_others() -> None:
    wappi = Wappi()
    wappi.types = ["incoming_message", "application_status"]

    await wappi.channel.subscribe_webhook(OURS)
    await wappi.channel.subscribe_webhook(OURS)

    assert wappi.called("types_set") == [sorted({"application_status", *WANTED_TYPES})]


FOREIGN = "https://crm.example.test/in/secret-of-theirs"


@pytest.mark.parametrize(
    "known",
    [
        FOREIGN,
        f"https://shop.example.test/webhook/whatsapp/second/{SECRET[:-1]}x",
        "https://shop.example.test/hook",
    ],
)
async def test_a_foreign_webhook_is_never_taken_over(known: str) -> None:
    """Setting a URL silently takes the other system's traffic (§3.7)."""
    wappi = Wappi(url=known)

    with pytest.raises(Rejected, match="unsubscribe that first") as caught:
        await wappi.channel.subscribe_webhook("https://shop.example.test")
    assert (wappi.url, wappi.called("types_set")) == (known, [])
    assert "secret-of-theirs" not in str(caught.value)


@pytest.mark.parametrize(
    "known",
    [
        f"https://old.example.test/webhook/whatsapp/default/{SECRET}",
        "https://shop.example.test/webhook/whatsapp/default/an-older-secret-0123",
    ],
)
async def test_an_address_of_ours_is_replaced(known: str) -> None:
    """At another host with our secret, or at our place with an older one."""
    wappi = Wappi(url=known)

    assert (await wappi.channel.subscribe_webhook("https://shop.example.test")).subscribed
    assert wappi.url == OURS


@pytest.mark.parametrize("given", [FOREIGN, "https://crm.example.test/***"])
async def test_a_foreign_webhook_goes_when_it_is_named(given: str) -> None:
    wappi = Wappi(url=FOREIGN)

    assert (await wappi.channel.unsubscribe_webhook(given)).urls == []
    assert wappi.url == ""


async def test_another_address_is_not_unsubscribed() -> None:
    wappi = Wappi(url=FOREIGN)

    status = await wappi.channel.unsubscribe_webhook("https://shop.example.test")

    assert (status.subscribed, status.urls) == (False, ["https://crm.example.test/***"])
    assert wappi.called("url_delete") == []


@pytest.mark.parametrize("given", ["https://shop.example.test", MASKED, OURS])
async def test_our_address_is_unsubscribed_in_every_form(given: str) -> None:
    wappi = Wappi(url=OURS)

    assert not (await wappi.channel.unsubscribe_webhook(given)).subscribed
    assert wappi.url == ""


@pytest.mark.parametrize("url", ["", "shop.example.test", "ftp://shop.example.test", "https://", "http://[x"])
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    wappi = Wappi()

    with pytest.raises(Rejected):
        await wappi.channel.subscribe_webhook(url)
    assert wappi.calls == []


@pytest.mark.parametrize("url", ["http://[x", "https://user:pw@crm.example.test/x"])
async def test_an_odd_foreign_address_is_shown_without_its_secrets(url: str) -> None:
    [shown] = (await Wappi(url=url).channel.webhook_status()).urls

    assert shown in {"***", "https://crm.example.test/***"}


async def test_a_webhook_that_is_not_installed_is_none() -> None:
    wappi = Wappi(url_get={"url": OURS, "installed": False})

    assert (await wappi.channel.webhook_status()).subscribed is False


def _request(secret: str = SECRET, **headers: str) -> WebhookRequest:
    return WebhookRequest(b"{}", {name.replace("_", "-"): value for name, value in headers.items()}, secret)


@pytest.mark.parametrize("header", ["authorization", "auth", "x_wappi_auth", "x_webhook_auth"])
def test_the_phrase_is_checked_wherever_it_comes(header: str) -> None:
    channel = Wappi().channel

    assert channel.verify(_request(**{header: PHRASE}))
    assert not channel.verify(_request(**{header: PHRASE[:-1] + "x"}))
    assert not channel.verify(_request("wrong", **{header: PHRASE}))


def test_the_paths_secret_is_enough_where_no_phrase_comes() -> None:
    channel = Wappi().channel

    assert channel.verify(_request())
    assert not channel.verify(_request(""))
    assert not channel.verify(_request(SECRET[:-1] + "x"))


def test_one_right_phrase_is_enough_beside_a_header_of_somebody_else() -> None:
    """A proxy before us may have an Authorization of its own."""
    assert Wappi().channel.verify(_request(authorization="Basic eDp5", auth=PHRASE))


def test_a_named_header_must_carry_the_phrase() -> None:
    strict = SETTINGS.model_copy(update={"webhook_auth_header": "X-Wappi-Auth"})
    channel = Wappi(settings=strict).channel

    assert channel.verify(_request(x_wappi_auth=PHRASE))
    assert not channel.verify(_request())
    assert not channel.verify(_request(authorization=PHRASE))


def test_the_header_that_carried_the_phrase_is_logged_once_without_it() -> None:
    channel = Wappi().channel
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            channel.verify(_request(x_wappi_auth=PHRASE))

    assert [(line["event"], line["header"]) for line in lines] == [("webhook_phrase_came", "x-wappi-auth")]
    assert PHRASE not in str(lines)


async def troubles(wappi: Wappi, **changes: Any) -> list[str]:
    wappi.status |= changes
    return [trouble.code for trouble in await wappi.channel.troubles()]


async def test_a_healthy_profile_has_no_troubles() -> None:
    wappi = Wappi(url=OURS)
    wappi.types = sorted(WANTED_TYPES)

    assert await troubles(wappi) == []


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"authorized": False, "logouted_at": "2025-11-22T11:00:00+03:00"}, ["session_lost"]),
        ({"authorized": False, "app_status": "close", "logouted_at": None}, ["session_lost"]),
        ({"payment_expired_at": "2025-11-22T08:26:39Z"}, ["plan_required"]),
        ({"payment_expired_at": "2025-11-24T00:00:00Z"}, ["payment_due"]),
        ({"payment_expired_at": "2025-11-26T00:00:00Z"}, []),
        ({"payment_expired_at": None}, []),
        ({"payment_expired_at": "скоро"}, []),
        ({"app_status": "connecting"}, []),
        ({"app_status": None}, []),
    ],
)
async def test_session_and_payment_are_told(changes: dict[str, Any], codes: list[str]) -> None:
    assert await troubles(Wappi(), **changes) == codes


async def test_a_drop_is_told_after_three_looks_and_forgotten_when_it_heals() -> None:
    wappi = Wappi()

    looks = [await troubles(wappi, app_status="connecting") for _ in range(4)]
    assert looks == [[], [], ["vendor_down"], ["vendor_down"]]
    assert await troubles(wappi, app_status="open") == []
    assert await troubles(wappi, app_status="connecting") == []


SENT_AT = 1_763_799_000
OURS_ROW = {**ROW, "fromMe": True, "time": SENT_AT}
BANNED = {**OURS_ROW, "delivery_status": "temporary ban"}


async def test_a_ban_is_told_and_sends_wait_until_an_hour_after_it() -> None:
    """§4.5: whoever goes on sending loses the number."""
    wappi = Wappi(all_get={"messages": [ROW, {**OURS_ROW, "delivery_status": "pending"}, BANNED, OURS_ROW]})
    wappi.time.now = SENT_AT + 600.0

    assert await troubles(wappi) == ["vendor_down"]
    for send in (wappi.channel.send_text(CHAT, "x"), wappi.channel.send_image(CHAT, JPEG)):
        with pytest.raises(RateLimited) as caught:
            await send
        assert caught.value.retry_after == 3_000
    assert (wappi.called("message_send"), wappi.called("img_send")) == ([], [])

    wappi.time.now += 3_000
    assert await wappi.channel.send_text(CHAT, "x") == SENT["message_id"]
    assert await troubles(wappi) == []


@pytest.mark.parametrize(
    "rows",
    [
        [{**OURS_ROW, "delivery_status": "delivered"}, BANNED],
        [{**BANNED, "fromMe": False}],
        [{**BANNED, "time": None}],
        [5],
        [],
    ],
)
async def test_a_ban_that_is_over_or_unreadable_stops_nothing(rows: list[Any]) -> None:
    wappi = Wappi(all_get={"messages": rows})
    wappi.time.now = SENT_AT + 600.0

    assert await troubles(wappi) == []
    await wappi.channel.send_text(CHAT, "x")


async def test_a_ban_is_not_forgotten_because_the_next_look_fails() -> None:
    wappi = Wappi(all_get={"messages": [BANNED]})
    wappi.time.now = SENT_AT + 600.0
    await troubles(wappi)
    wappi.answers["all_get"] = httpx.Response(400, json=refusal("oops"))

    assert await troubles(wappi) == ["vendor_down"]
    with pytest.raises(RateLimited):
        await wappi.channel.send_text(CHAT, "x")


async def test_missing_types_are_told_only_where_a_webhook_is_set() -> None:
    assert await troubles(Wappi()) == []
    [trouble] = await Wappi(url=OURS).channel.troubles()
    assert trouble.code == "not_subscribed"
    assert "delivery_status" in trouble.detail


async def test_a_status_of_another_shape_is_a_failing_vendor() -> None:
    wappi = Wappi(get_status={"online": True})

    with pytest.raises(ChannelError):
        await wappi.channel.troubles()
    assert not await wappi.channel.is_up()


async def test_a_busy_vendor_is_up() -> None:
    wappi = Wappi(get_status=httpx.Response(429, headers={"Retry-After": "600"}))

    assert await wappi.channel.is_up()


async def test_the_number_is_learned_from_the_status() -> None:
    """§4.4: then a message of the older form is known for ours by its sender."""
    wappi = Wappi()
    item = {**ROW, "wh_type": "incoming_message", "profile_id": SETTINGS.profile_id, "from": f"{ME}@c.us"}

    before = wappi.channel.normalize({"messages": [item]}).arrivals[0].own
    await wappi.channel.is_up()

    assert (before, wappi.channel.normalize({"messages": [item]}).arrivals[0].own) == (False, True)
