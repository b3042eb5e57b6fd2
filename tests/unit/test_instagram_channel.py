"""InstagramChannel over a client: media by address, buttons, chats, sweeps, webhooks, the token's life."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from core import channel as contract
from core.channel import MediaFile, WebhookRequest
from core.errors import ChannelError, NotFound, Rejected
from core.ids import DEFAULT_ACCOUNT, ChatId, MessageId, UserId
from mcp_instagram.channel import InstagramChannel
from mcp_instagram.client import InstagramClient
from mcp_instagram.tools import instagram_operations
from tests.contract.fake_time import FakeTime
from tests.contract.instagram_side import BASE, ME, OLGA, SECOND, SECRET, SETTINGS, VERIFY, refusal

CHAT = ChatId(OLGA)
URL = "https://files.example.test/files/out/x"
NOW = 1_795_363_200
PARTICIPANTS = {"data": [{"username": "remont_pro", "id": ME}, {"username": "olga.k", "id": OLGA}]}
CONVERSATION = {"id": "c1", "updated_time": "2026-11-22T16:00:00+0000", "participants": PARTICIPANTS}
BODY = (
    b'{"object":"instagram","entry":[{"time":1795363201512,"id":"17841400000000001","messaging":[{"sender":'
    b'{"id":"990000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1795363200998,"message":'
    b'{"mid":"aWdfZAG1faXRlbTox.sandbox.0001","text":"\\u0417\\u0434\\u0440\\u0430\\u0432\\u0441\\u0442'
    b'\\u0432\\u0443\\u0439\\u0442\\u0435!"}}]}]}'
)
SIGNED = "sha256=c8b01da3528b5a59f6a8d3c0880ff2d573321883136ff8752fd58fad2e5a5287"
LEGACY = "sha1=29f5fea0368c0edf096de10746884cc9254abe3d"


class Instagram:
    """Answers by method and path; remembers calls."""

    def __init__(self, answers: dict[str, Any] | None = None, **settings: Any) -> None:
        self.answers = answers or {}
        self.calls: list[tuple[str, Any]] = []
        self.time = FakeTime(NOW)
        made = SETTINGS.model_copy(update=settings)
        transport = httpx.MockTransport(self._answer)
        self.client = InstagramClient(made, timing=self.time.timing, transport=transport)
        self.channel = InstagramChannel(self.client, made, fingerprint=lambda text: f"<{text}>")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path.removeprefix('/v26.0/')}"
        given = json.loads(request.content) if request.content else dict(request.url.params)
        self.calls.append((name, given))
        answer = self.answers.get(name, {})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def called(self, name: str) -> list[Any]:
        return [given for known, given in self.calls if known == name]


def sending(*answers: Any) -> Instagram:
    return Instagram({"POST me/messages": list(answers) or [{"recipient_id": OLGA, "message_id": "m1"}]})


def refused(code: int, subcode: int | None = None) -> httpx.Response:
    return httpx.Response(400, json=refusal(code, subcode))


def test_it_has_every_part_that_instagram_can_serve() -> None:
    has = (
        *(contract.SendsImages, contract.SendsVoice, contract.SendsVideos, contract.SendsDocuments),
        *(contract.SendsButtons, contract.SendsReplies, contract.Reacts, contract.ShowsTyping),
        *(contract.MarksRead, contract.ListsChats, contract.ShowsChats, contract.KeepsHistory),
        *(contract.KnowsProfiles, contract.Subscribes, contract.HasToken, contract.ShakesHands),
        contract.Sweeps,
    )
    lacks = (
        *(contract.EditsMessages, contract.DeletesMessages, contract.OpensChats, contract.AnswersPresses),
        *(contract.ResolvesMedia, contract.OpensFiles),
    )

    assert all(isinstance(Instagram().channel, part) for part in has)
    assert not any(isinstance(Instagram().channel, part) for part in lacks)


def test_the_manifest_counts_bytes_and_knows_the_window() -> None:
    limits = Instagram().channel.capabilities

    assert (limits.text_limit, limits.text_unit) == (1_000, "bytes")
    assert (limits.reply_window_seconds, limits.starts_chats, limits.media_by_url) == (86_400, False, True)
    assert (limits.most_buttons, limits.button_limit) == (13, 20)
    assert not any(limits.caption_limit(kind) for kind in limits.media)


@pytest.mark.parametrize(
    ("kind", "media_type", "type_"),
    [
        ("image", "image/png", "image"),
        ("voice", "audio/mp4", "audio"),
        ("voice", "audio/wav; rate=8000", "audio"),
        ("video", "video/quicktime", "video"),
        ("document", "application/pdf", "file"),
    ],
)
async def test_media_are_sent_by_their_address(kind: str, media_type: str, type_: str) -> None:
    instagram = sending()
    file = MediaFile(b"x", media_type, "x", URL)

    assert await getattr(instagram.channel, f"send_{kind}")(CHAT, file) == "m1"
    [body] = instagram.called("POST me/messages")
    assert body["message"] == {"attachment": {"type": type_, "payload": {"url": URL}}}


@pytest.mark.parametrize(
    ("kind", "file", "why"),
    [
        ("image", MediaFile(b"x", "image/webp", "x", URL), "image/webp"),
        ("voice", MediaFile(b"x", "audio/ogg", "x", URL), "audio/ogg"),
        ("voice", MediaFile(b"x", "audio/mpeg", "x", URL), "audio/mpeg"),
        ("video", MediaFile(b"x", "video/3gpp", "x", URL), "video/3gpp"),
        ("document", MediaFile(b"x", "application/msword", "x", URL), "application/pdf"),
        ("image", MediaFile(bytes(8 * 1024 * 1024 + 1), "image/png", "x", URL), "8 MB"),
        ("image", MediaFile(b"x", "image/png"), "public address"),
    ],
)
async def test_media_that_instagram_would_refuse_are_not_sent(kind: str, file: MediaFile, why: str) -> None:
    instagram = sending()

    with pytest.raises(Rejected, match=why):
        await getattr(instagram.channel, f"send_{kind}")(CHAT, file)
    assert instagram.calls == []


async def test_buttons_are_quick_replies_under_the_text() -> None:
    instagram = sending()

    await instagram.channel.send_buttons(CHAT, "Где удобнее?", ["Выезд мастера", "Привезу сам"])

    [body] = instagram.called("POST me/messages")
    assert body["message"] == {
        "text": "Где удобнее?",
        "quick_replies": [
            {"content_type": "text", "title": "Выезд мастера", "payload": "Выезд мастера"},
            {"content_type": "text", "title": "Привезу сам", "payload": "Привезу сам"},
        ],
    }


@pytest.mark.parametrize("labels", [["x" * 21], ["x"] * 14, [""]])
async def test_a_label_that_instagram_would_cut_is_refused(labels: list[str]) -> None:
    instagram = sending()
    with pytest.raises(Rejected, match="20 characters"):
        await instagram.channel.send_buttons(CHAT, "x", labels)
    assert instagram.calls == []


async def test_half_an_emoji_is_sent_as_a_replacement_sign() -> None:
    instagram = sending()
    await instagram.channel.send_text(CHAT, "a\ud83d")
    await instagram.channel.send_buttons(CHAT, "a\ud83d", ["\ud83d"])

    assert [body["message"]["text"] for body in instagram.called("POST me/messages")] == ["a\ufffd"] * 2


async def test_a_reply_quotes() -> None:
    instagram = sending()
    await instagram.channel.send_reply(CHAT, "Да", MessageId("m0"))
    assert instagram.called("POST me/messages")[0]["reply_to"] == {"mid": "m0"}


@pytest.mark.parametrize("numbers", [(100, 2534015), (100, 33), (9000001, None)])
async def test_a_reply_to_what_is_gone_goes_alone(numbers: tuple[int, int | None]) -> None:
    instagram = sending(refused(*numbers), {"message_id": "m1"})

    assert await instagram.channel.send_reply(CHAT, "Да", MessageId("gone")) == "m1"
    assert ["reply_to" in body for body in instagram.called("POST me/messages")] == [True, False]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("mark_read", {"sender_action": "mark_seen"}),
        ("show_typing", {"sender_action": "typing_on"}),
    ],
)
async def test_a_gesture_is_a_sender_action(what: str, body: dict[str, Any]) -> None:
    instagram = sending({"recipient_id": OLGA})
    await getattr(instagram.channel, what)(CHAT)
    assert instagram.called("POST me/messages") == [{"recipient": {"id": OLGA}, **body}]


async def test_a_reaction_is_put_and_taken_away() -> None:
    instagram = sending({"recipient_id": OLGA})
    await instagram.channel.react(CHAT, MessageId("m0"), "👍")
    await instagram.channel.react(CHAT, MessageId("m0"), "")

    shown = [(body["sender_action"], body["payload"]) for body in instagram.called("POST me/messages")]
    assert shown == [("react", {"message_id": "m0", "reaction": "👍"}), ("unreact", {"message_id": "m0"})]


async def test_a_chat_is_named_by_its_customer() -> None:
    """Conversation ids never come in webhooks; what is listed must be what a send takes."""
    rows = [CONVERSATION, {"id": "c2"}, {"id": "c3", "participants": {"data": [{"id": ME}]}}, None, "x"]
    paging = {"next": "y", "cursors": {"after": "QVFI"}}
    page = await Instagram({"GET me/conversations": {"data": rows, "paging": paging}}).channel.list_chats(
        9, ""
    )

    assert [chat.model_dump(exclude_defaults=True) for chat in page.chats] == [
        {
            "chat_id": OLGA,
            "client_name_untrusted": "olga.k",
            "client_user_id": OLGA,
            "updated_at": "2026-11-22T16:00:00+00:00",
        }
    ]
    assert page.next_cursor == "QVFI"


@pytest.mark.parametrize(("limit", "asked"), [(0, "1"), (50, "50"), (500, "100")])
async def test_a_page_is_as_large_as_is_known_to_work(limit: int, asked: str) -> None:
    instagram = Instagram({"GET me/conversations": {"data": []}})
    await instagram.channel.list_chats(limit, "")
    assert instagram.calls[0][1]["limit"] == asked


async def test_one_chat_shows_the_name_and_the_last_message() -> None:
    last = {"id": "m1", "from": {"id": OLGA}, "message": "Сколько?"}
    found = {"data": [{**CONVERSATION, "messages": {"data": [last]}}]}
    instagram = Instagram({"GET me/conversations": found, f"GET {OLGA}": {"name": "Ольга К."}})

    chat = await instagram.channel.get_chat(CHAT)

    assert (chat.client_name_untrusted, chat.last_message_untrusted) == ("Ольга К.", "Сколько?")
    assert instagram.called("GET me/conversations")[0]["user_id"] == OLGA


@pytest.mark.parametrize("profile", [refused(9010), refused(230), refused(100, 33), refused(190, 463)])
async def test_a_profile_that_is_not_shown_costs_no_chat(profile: httpx.Response) -> None:
    """§16 g: every failure of the profile is survived."""
    instagram = Instagram({"GET me/conversations": {"data": [CONVERSATION]}, f"GET {OLGA}": profile})
    assert (await instagram.channel.get_chat(CHAT)).client_name_untrusted == "olga.k"


async def test_a_person_without_a_conversation_is_not_found() -> None:
    instagram = Instagram({"GET me/conversations": {"data": []}})
    with pytest.raises(NotFound):
        await instagram.channel.get_chat(CHAT)
    with pytest.raises(NotFound):
        await instagram.channel.list_messages(CHAT, 20, "")


async def test_a_profile_is_shown() -> None:
    person = {"id": OLGA, "name": "Ольга К.", "username": "olga.k", "profile_pic": "https://p.example.test/1"}
    profile = await Instagram({f"GET {OLGA}": person}).channel.get_profile(UserId(OLGA))

    assert profile.model_dump(exclude_defaults=True) == {
        "user_id": OLGA,
        "name_untrusted": "Ольга К.",
        "username_untrusted": "olga.k",
        "avatar_url": "https://p.example.test/1",
    }


def rows(*written: dict[str, Any], more: bool = False) -> dict[str, Any]:
    paging = {"paging": {"next": "y", "cursors": {"after": "QVFI"}}} if more else {}
    return {"data": [{"created_time": "2026-11-22T16:00:00+0000", **row} for row in written], **paging}


def with_history(*pages: dict[str, Any], conversations: Any = None) -> Instagram:
    found = conversations or {"data": [CONVERSATION]}
    return Instagram({"GET me/conversations": found, "GET c1/messages": list(pages)})


async def test_the_history_tells_who_wrote_what() -> None:
    instagram = with_history(
        rows(
            {"id": "5", "from": {"id": ME}, "message": "Да", "reply_to": {"mid": "4"}},
            {
                "id": "4",
                "from": {"id": OLGA},
                "attachments": {"data": [{"image_data": {"url": "https://i/1"}}]},
            },
            {
                "id": "3",
                "from": {"id": OLGA},
                "attachments": {"data": [{"video_data": {"url": "https://v/1"}}]},
            },
            {"id": "2", "from": {"id": OLGA}, "attachments": {"data": [{"file_url": "https://f/1"}]}},
            {"id": "1", "from": {"id": OLGA}, "shares": {"data": [{"link": "https://s/1"}]}},
            more=True,
        )
    )
    page = await instagram.channel.list_messages(CHAT, 20, "")

    assert [(m.message_id, m.direction, m.type, m.text_untrusted) for m in page.messages] == [
        ("5", "out", "text", "Да"),
        ("4", "in", "image", ""),
        ("3", "in", "video", ""),
        ("2", "in", "document", ""),
        ("1", "in", "document", "Публикация"),
    ]
    assert (page.messages[0].reply_to, page.messages[1].image_url) == ("4", "https://i/1")
    assert (page.messages[0].sent_at, page.next_cursor) == ("2026-11-22T16:00:00+00:00", "QVFI")


async def test_the_conversation_of_a_chat_is_looked_up_once() -> None:
    instagram = with_history(rows({"id": "1", "from": {"id": ME}}))
    for _ in range(3):
        await instagram.channel.list_messages(CHAT, 20, "")
    assert len(instagram.called("GET me/conversations")) == 1


async def test_the_history_ends_where_the_details_end() -> None:
    """§8: beyond the newest 20 rows nobody is told who wrote."""
    instagram = with_history(rows({"id": "2", "from": {"id": OLGA}}, {"id": "1"}, more=True))

    page = await instagram.channel.list_messages(CHAT, 100, "")

    assert [m.message_id for m in page.messages] == ["2"]
    with pytest.raises(Rejected, match="newest 20"):
        await instagram.channel.list_messages(CHAT, 100, page.next_cursor)


async def test_a_file_without_a_type_may_be_the_voice_note_that_is_looked_for() -> None:
    """Else a voice note whose answer was lost would be sent twice."""
    untold, told = {"file_url": "https://f/1"}, {"file_url": "https://f/2", "mime_type": "application/pdf"}
    voice = {"file_url": "https://f/3", "mime_type": "audio/mp4"}
    files = [{"data": [one]} for one in (untold, told, voice)]
    written = [{"id": str(n), "from": {"id": ME}, "attachments": one} for n, one in enumerate(files)]
    page = await with_history(rows(*written)).channel.list_messages(CHAT, 20, "")

    assert [(m.type, m.voice_file_id) for m in page.messages] == [
        ("document", "0"),
        ("document", ""),
        ("voice", "2"),
    ]


async def test_our_words_are_found_as_they_were_sent_also_when_a_link_in_them_is_shown_as_shared() -> None:
    """Else a text whose answer was lost would be sent twice."""
    shared = {"data": [{"link": "https://shop.example.test/1"}]}
    instagram = with_history(rows({"id": "1", "from": {"id": ME}, "message": "Вот", "shares": shared}))

    [message] = (await instagram.channel.list_messages(CHAT, 20, "")).messages
    assert message.text_untrusted == "Вот"


async def test_a_message_without_a_time_counts_as_new() -> None:
    instagram = with_history(rows({"id": "1", "from": {"id": ME}, "created_time": None}))
    assert (await instagram.channel.list_messages(CHAT, 20, "")).messages[0].sent_at.startswith("9999-")


SINCE = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


async def test_a_sweep_finds_what_no_webhook_brought_oldest_first() -> None:
    instagram = with_history(
        rows(
            {"id": "3", "from": {"id": ME}, "message": "Да"},
            {
                "id": "2",
                "from": {"id": OLGA},
                "message": "А экран?",
                "created_time": "2026-11-22T15:59:00+0000",
            },
            {
                "id": "1",
                "from": {"id": OLGA},
                "message": "Старое",
                "created_time": "2026-11-22T15:29:59+0000",
            },
        )
    )
    found = await instagram.channel.arrivals_since(SINCE, [])

    assert [(one.event_key, one.own, one.fingerprint) for one in found] == [
        ("2:message", False, ""),
        ("3:message", True, "<Да>"),
    ]


#: `/me` has two ids, and nobody promises which one the history names (§3).
APP_SCOPED = "28900000000000001"


async def test_in_a_history_whoever_is_not_the_customer_is_us() -> None:
    """Taken for the customer's, our own words would be answered; not found among ours, sent twice."""
    instagram = with_history(rows({"id": "1", "from": {"id": APP_SCOPED}, "message": "Да"}))

    [found] = await instagram.channel.arrivals_since(SINCE, [])
    [shown] = (await instagram.channel.list_messages(CHAT, 20, "")).messages

    told = found.message
    assert (told.event, told.external_chat_id, found.own) == ("operator_message", OLGA, True)
    assert (shown.direction, shown.text_untrusted) == ("out", "Да")


async def test_messages_of_one_second_keep_their_order_in_a_sweep() -> None:
    """The history has whole seconds and the newest first."""
    late = [{"id": str(number), "from": {"id": OLGA}, "message": "x"} for number in (3, 2, 1)]
    found = await with_history(rows(*late)).channel.arrivals_since(SINCE, [])

    assert [one.event_key for one in found] == ["1:message", "2:message", "3:message"]


async def test_a_sweep_leaves_what_did_not_change_and_ends_there() -> None:
    old = {**CONVERSATION, "id": "c9", "updated_time": "2026-11-22T15:00:00+0000"}
    paging = {"next": "y", "cursors": {"after": "QVFI"}}
    first, second = {"data": [CONVERSATION], "paging": paging}, {"data": [old], "paging": paging}
    instagram = with_history(rows({"id": "1", "from": {"id": OLGA}}), conversations=[first, second])

    assert len(await instagram.channel.arrivals_since(SINCE, [])) == 1
    assert [call["after"] for call in instagram.called("GET me/conversations")[1:]] == ["QVFI"]
    assert instagram.called("GET c9/messages") == []


async def test_a_sweep_has_an_end_in_the_busiest_account() -> None:
    full = {"data": [CONVERSATION], "paging": {"next": "y", "cursors": {"after": "QVFI"}}}
    instagram = with_history(rows(), conversations=full)
    await instagram.channel.arrivals_since(SINCE, [])
    assert len(instagram.called("GET me/conversations")) == 4


async def test_a_conversation_that_vanished_does_not_stop_the_sweep() -> None:
    two = {"data": [{**CONVERSATION, "id": "gone"}, CONVERSATION]}
    instagram = with_history(rows({"id": "1", "from": {"id": OLGA}, "message": "x"}), conversations=two)
    instagram.answers["GET gone/messages"] = refused(100, 33)

    assert [one.event_key for one in await instagram.channel.arrivals_since(SINCE, [])] == ["1:message"]


@pytest.mark.parametrize(
    "given",
    [
        "https://shop.example.test",
        "https://shop.example.test/",
        "https://shop.example.test/webhook/instagram",
        "https://shop.example.test/webhook/instagram/default/",
        "https://user:pw@shop.example.test/webhook/instagram?key=s3cret#x",
    ],
)
async def test_the_address_for_the_dashboard_is_told(given: str) -> None:
    instagram = Instagram(
        {"GET me/subscribed_apps": {"data": [{"id": "179"}]}, "POST me/subscribed_apps": {}}
    )

    status = await instagram.channel.subscribe_webhook(given)

    assert status.subscribed
    assert status.urls == ["https://shop.example.test/webhook/instagram"]


@pytest.mark.parametrize("given", ["shop.example.test", "ftp://shop.example.test", "https://", "http://["])
async def test_an_address_that_nobody_can_call_is_refused(given: str) -> None:
    instagram = Instagram()
    with pytest.raises(Rejected, match="address"):
        await instagram.channel.subscribe_webhook(given)
    assert instagram.calls == []


@pytest.mark.parametrize(("apps", "subscribed"), [([{"id": "1"}], True), ([], False), (None, False)])
async def test_the_status_tells_whether_the_account_is_subscribed(apps: Any, *, subscribed: bool) -> None:
    """No call tells where the app delivers, so the watch may always subscribe again."""
    status = await Instagram({"GET me/subscribed_apps": {"data": apps}}).channel.webhook_status()
    assert (status.subscribed, status.urls) == (subscribed, [])


async def test_the_status_learns_whose_events_are_ours() -> None:
    """The watch asks it at the start; until then nobody could tell the accounts of an address apart."""
    instagram = Instagram({"GET me": {"user_id": ME}, "GET me/subscribed_apps": {"data": []}}, user_id=None)
    foreign = json.loads(BODY.replace(ME.encode(), b"17841400000000002"))
    assert instagram.channel.normalize(foreign).arrivals

    await instagram.channel.webhook_status()

    assert instagram.channel.normalize(foreign).foreign == {"17841400000000002"}


async def test_a_subscription_ends() -> None:
    instagram = Instagram({"GET me/subscribed_apps": {"data": []}})
    assert not (await instagram.channel.unsubscribe_webhook("https://any.example.test")).subscribed
    assert len(instagram.called("DELETE me/subscribed_apps")) == 1


def signed(body: bytes, key: str) -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def test_the_contracts_signature_is_right() -> None:
    headers = {"x-hub-signature-256": SIGNED, "x-hub-signature": LEGACY}

    assert len(BODY) == 329
    assert Instagram().channel.verify(WebhookRequest(BODY, headers))


def test_the_same_object_written_anew_is_refused() -> None:
    """§13.3: the raw, escaped bytes are signed."""
    written = json.dumps(json.loads(BODY), ensure_ascii=False, separators=(",", ":")).encode()
    assert not Instagram().channel.verify(WebhookRequest(written, {"x-hub-signature-256": SIGNED}))


@pytest.mark.parametrize("key", [SECRET, SECOND])
def test_either_secret_may_sign(key: str) -> None:
    assert Instagram().channel.verify(WebhookRequest(b"x", {"x-hub-signature-256": signed(b"x", key)}))


def test_a_second_secret_that_is_not_set_signs_nothing() -> None:
    channel = Instagram(app_secret_2=None).channel
    assert not channel.verify(WebhookRequest(b"x", {"x-hub-signature-256": signed(b"x", "")}))
    assert not channel.verify(WebhookRequest(b"x", {"x-hub-signature-256": signed(b"x", SECOND)}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": SIGNED.removeprefix("sha256=")},
        {"x-hub-signature-256": SIGNED[:-1] + "0"},
        {"x-hub-signature-256": LEGACY},
        {"x-hub-signature": LEGACY},
        {"x-hub-signature-256": "sha256=\ud800"},
    ],
)
def test_any_other_signature_is_refused(headers: dict[str, str]) -> None:
    assert not Instagram().channel.verify(WebhookRequest(BODY, headers))


def check(**query: str) -> WebhookRequest:
    given = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY}
    return WebhookRequest(b"", {}, method="GET", query=given | {f"hub.{k}": v for k, v in query.items()})


def test_the_check_of_the_address_gets_its_challenge() -> None:
    assert Instagram().channel.handshake(check()) == "1158201444"


@pytest.mark.parametrize(
    "request_",
    [
        check(verify_token="wrong"),
        check(verify_token=""),
        check(verify_token="слово"),
        check(mode="unsubscribe"),
        check(challenge=""),
        check(challenge="<script>alert(1)</script>"),
        check(challenge="1\n"),
        check(challenge="9" * 201),
        WebhookRequest(b"", {}, method="GET"),
        WebhookRequest(b"", {}, query=check().query),
    ],
)
def test_any_other_check_gets_nothing(request_: WebhookRequest) -> None:
    assert Instagram().channel.handshake(request_) is None


async def test_the_token_is_refreshed_before_its_end_and_never_shown() -> None:
    fresh = {"access_token": "IGAA-new-0123456789", "expires_in": 60 * 86_400}
    instagram = Instagram({"GET /refresh_access_token": fresh})
    before = await instagram.channel.token_status()

    after = await instagram.channel.refresh_token()

    assert (before.valid, before.expires_at) == (True, "")
    assert datetime.fromisoformat(before.renew_at).timestamp() <= instagram.time.now
    assert after.model_dump() == {
        "valid": True,
        "expires_at": "2027-01-21T15:59:00+00:00",
        "renew_at": "2027-01-11T15:59:00+00:00",
    }


async def test_a_dead_token_says_so() -> None:
    instagram = Instagram({"GET me": refused(190, 463)})
    assert not await instagram.channel.is_up()
    assert not (await instagram.channel.token_status()).valid


async def test_the_token_of_a_page_has_no_end() -> None:
    instagram = Instagram(flavour="facebook")

    status = await instagram.channel.token_status()

    assert status.model_dump() == {"valid": True, "expires_at": "", "renew_at": ""}
    with pytest.raises(Rejected, match="nothing to refresh"):
        await instagram.channel.refresh_token()


@pytest.mark.parametrize(
    ("answer", "up"), [({"user_id": ME}, True), (refused(613), True), (refused(1), False)]
)
async def test_is_up_tells(answer: Any, *, up: bool) -> None:
    assert await Instagram({"GET me": answer}).channel.is_up() == up


def test_there_are_no_operations_of_its_own() -> None:
    assert instagram_operations({DEFAULT_ACCOUNT: Instagram().channel}) == []


async def test_errors_name_the_channel() -> None:
    with pytest.raises(ChannelError) as caught:
        await sending(refused(10, 2534022)).channel.send_text(CHAT, "x")
    assert (caught.value.channel, caught.value.code) == ("instagram", "window_closed")
    assert BASE not in str(caught.value)
