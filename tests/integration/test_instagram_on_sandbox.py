"""The real Instagram channel against the simulator, without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from core.channel import Arrival, MediaFile, Normalized, WebhookRequest
from core.errors import (
    AuthFailed,
    BadCursor,
    ChannelError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
    WindowClosed,
)
from core.http import Timing
from core.ids import AccountId, ChatId, MessageId, UserId
from core.jsontext import read_json
from mcp_instagram.channel import InstagramChannel
from mcp_instagram.client import AccountBarred, InstagramClient
from mcp_instagram.settings import InstagramSettings
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.vendor import InstagramVendor
from sandbox.settings import SandboxSettings
from tests.sandbox.opening import Opened, opened_sandbox
from tests.sandbox.world import settle

TOKEN, SECRET = "IGAA-the-token-0123456789", "0123456789abcdef0123456789abcdef"
VERIFY = "the-verify-token"
HOOK = "https://shop.test/webhook/instagram"
FILES = {
    "photo.jpg": (b"\xff\xd8\xff\xe0photo", "image/jpeg"),
    "voice.m4a": (b"\0\0\0 ftypM4A voice", "audio/mp4"),
    "video.mp4": (b"\0\0\0 ftypisomvideo", "video/mp4"),
    "price.pdf": (b"%PDF-1.4", "application/pdf"),
}


@dataclass
class Shop:
    """The business: its server answers the checks and deliveries as core/webhook.py does."""

    channel: InstagramChannel | None = None
    heard: list[Normalized] = field(default_factory=list)
    refused: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert self.channel
        if request.url.host == "files.test":
            known = FILES.get(request.url.path.rpartition("/")[2])
            return httpx.Response(200, content=known[0]) if known else httpx.Response(404)
        query = dict(request.url.params)
        shown = WebhookRequest(
            request.content,
            dict(request.headers),
            method="POST" if request.method == "POST" else "GET",
            query=query,
        )
        if (agreed := self.channel.handshake(shown)) is not None:
            return httpx.Response(200, text=agreed)
        if not self.channel.verify(shown):
            self.refused += 1
            return httpx.Response(401)
        self.heard.append(self.channel.normalize(read_json(request.content)))
        return httpx.Response(200, json={"ok": True})

    @property
    def arrivals(self) -> list[Arrival]:
        assert not [one.unknown for one in self.heard if one.unknown]
        return [arrival for one in self.heard for arrival in one.arrivals]

    @property
    def last(self) -> Arrival:
        return self.arrivals[-1]


class Network(httpx.ASGITransport):
    """Half an answer is a broken connection; ASGITransport alone takes it for a fault of the app."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except AssertionError as error:
            raise httpx.RemoteProtocolError("the server closed the connection") from error


@dataclass
class World:
    sandbox: Opened
    shop: Shop
    channel: InstagramChannel
    client: InstagramClient

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        path = f"/control/instagram/customers/{customer}/messages"
        answer = await self.sandbox.web.post(path, json=letter)
        assert answer.status_code == 200, answer.text
        await settle()
        return dict(answer.json())

    async def chat(self) -> ChatId:
        """Of a customer who has just written."""
        return ChatId((await self.write(text="Здравствуйте!"))["chat_id"])

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        answer = await self.sandbox.web.get(f"/control/instagram/customers/{customer}/messages")
        return list(answer.json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.sandbox.web.post("/control/instagram/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def backstage(self, verb: str, **body: Any) -> dict[str, Any]:
        answer = await self.sandbox.web.post(f"/instagram/_sandbox/{verb}", json=body)
        assert answer.status_code == 200, answer.text
        await settle()
        return dict(answer.json())


@asynccontextmanager
async def opened(flavour: str = "instagram", **given: Any) -> AsyncIterator[World]:
    """With the account subscribed; time passes when the channel waits."""
    shop = Shop()
    general = SandboxSettings(
        avito_client_id="id", avito_client_secret=SecretStr("secret"), public_url="http://sandbox.test"
    )
    own = InstagramSandboxSettings(
        access_token=SecretStr(TOKEN),
        app_secret=SecretStr(SECRET),
        verify_token=SecretStr(VERIFY),
        callback_url=HOOK,
        **{"flavour": flavour, **given},
    )
    settings = InstagramSettings(
        flavour="facebook" if flavour == "facebook" else "instagram",
        access_token=SecretStr(TOKEN),
        app_secret=SecretStr(SECRET),
        verify_token=SecretStr(VERIFY),
        base_url="http://sandbox.test/instagram",
        user_id=own.user_id if flavour == "facebook" else None,
    )
    async with opened_sandbox(general, shop, [lambda bench: InstagramVendor(own, bench)]) as sandbox:
        time = sandbox.time
        timing = Timing(clock=time.now, wall=time.now, sleep=time.pass_, jitter=lambda: 0.0)
        network = Network(app=sandbox.app)
        client = InstagramClient(settings, timing=timing, transport=network)
        channel = shop.channel = InstagramChannel(client, settings, account=AccountId("shop"))
        await channel.subscribe_webhook("https://shop.test")
        yield World(sandbox, shop, channel, client)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as one:
        yield one


async def test_a_subscription_begins_is_shown_and_ends(world: World) -> None:
    assert (await world.channel.webhook_status()).subscribed
    assert (await world.channel.subscribe_webhook("https://shop.test")).urls == [HOOK]

    assert not (await world.channel.unsubscribe_webhook(HOOK)).subscribed
    await world.write(text="Здравствуйте!")
    assert world.shop.heard == []


@pytest.mark.parametrize("flavour", ["instagram", "facebook"])
async def test_a_conversation_there_and_back(flavour: str) -> None:
    async with opened(flavour) as world:
        written = await world.write(text="Здравствуйте! 👋")
        asked = world.shop.last.message
        assert (asked.external_chat_id, asked.external_message_id) == (
            written["chat_id"],
            written["message_ids"][0],
        )
        assert asked.text == "Здравствуйте! 👋"

        message_id = await world.channel.send_text(asked.external_chat_id, "Свободно завтра")
        await settle()

    assert world.shop.last.own
    assert world.shop.last.message.external_message_id == message_id


async def test_only_what_is_signed_right_is_heard(world: World) -> None:
    for kind in ("wrong", "missing"):
        await world.fault(signature=kind)
        await world.write(text="подделка")
    assert (world.shop.heard, world.shop.refused > 0) == ([], True)


@pytest.mark.parametrize(
    ("letter", "media"),
    [
        ({"type": "image"}, "image"),
        ({"type": "album", "content": {"count": 3}}, "image"),
        ({"type": "sticker"}, "image"),
        ({"type": "gif"}, "image"),
        ({"type": "voice"}, "voice"),
        ({"type": "video"}, "video"),
        ({"type": "file"}, "document"),
        ({"type": "ig_post"}, "document"),
        ({"type": "share"}, "document"),
        ({"type": "ig_reel"}, "video"),
        ({"type": "story_mention"}, "document"),
        ({"type": "ig_story"}, "document"),
        ({"type": "story_reply"}, "document"),
    ],
)
async def test_a_link_of_the_customers_media_opens_without_our_token(
    world: World, letter: dict[str, Any], media: str
) -> None:
    await world.write(**letter)
    heard = world.shop.last.message.media

    links = {
        "image": [image.url for image in heard.images],
        "voice": [heard.voice_url],
        "video": [video.url for video in heard.videos],
        "document": [document.url for document in heard.documents],
    }[media]
    assert len(links) == letter.get("content", {}).get("count", 1)
    for link in links:
        assert link
        assert (await world.sandbox.web.get(link)).status_code == 200


@pytest.mark.parametrize("kind", ["ephemeral", "unsupported", "self", "ad", "product"])
async def test_what_else_a_customer_sends_is_a_message(world: World, kind: str) -> None:
    await world.write(type=kind)
    assert (world.shop.last.message.event, world.shop.last.message.text != "") == ("message", True)


async def test_an_ad_is_named(world: World) -> None:
    await world.write(type="ad")
    meta = world.shop.last.message.meta
    assert (meta.ad_id, meta.ad_title) == ("120210000000000001", "Ремонт за 1 час")


async def test_edits_deletions_reactions_and_reading_name_their_message(world: World) -> None:
    written = await world.write(text="Сколько?")
    [mid] = written["message_ids"]
    sent = await world.channel.send_text(ChatId(written["chat_id"]), "Час")
    for letter in (
        {"type": "edit", "text": "Сколько стоит?"},
        {"type": "edit", "text": "Сколько стоит экран?"},
        {"type": "reaction"},
        {"type": "unreaction"},
        {"type": "reaction", "content": {"reaction": "🤝"}},
        {"type": "read"},
        {"type": "delete"},
    ):
        await world.write(**letter)

    told = [
        (one.message.event, one.message.external_message_id, one.message.text) for one in world.shop.arrivals
    ]
    assert told[2:] == [
        ("edit", mid, "Сколько стоит?"),
        ("edit", mid, "Сколько стоит экран?"),
        ("reaction", sent, "❤️"),
        ("reaction", sent, ""),
        ("reaction", sent, "🤝"),
        ("read", sent, ""),
        ("delete", mid, ""),
    ]
    keys = [one.event_key for one in world.shop.arrivals]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("kind", ["quick_reply", "postback", "icebreaker"])
async def test_a_tap_is_a_postback_with_its_words(world: World, kind: str) -> None:
    await world.write(type=kind, text="Выезд мастера")
    assert (world.shop.last.message.event, world.shop.last.message.text) == ("postback", "Выезд мастера")


async def test_the_wrong_entry_id_of_the_samples_misleads_nobody(world: World) -> None:
    await world.fault(swapped_entry_id=True)
    written = await world.write(type="postback")
    assert world.shop.last.message.external_chat_id == written["chat_id"]


@pytest.mark.parametrize(
    "kind",
    [
        "referral",
        "optin",
        "pass_thread_control",
        "take_thread_control",
        "request_thread_control",
        "policy_enforcement",
    ],
)
async def test_what_is_no_question_is_a_notice(world: World, kind: str) -> None:
    await world.write(type=kind)
    assert (world.shop.last.message.event, world.shop.last.message.text != "") == ("notice", True)


@pytest.mark.parametrize("kind", ["comment", "live_comment", "mention"])
async def test_a_comment_is_kept_as_no_message(world: World, kind: str) -> None:
    await world.write(type=kind)
    [heard] = world.shop.heard
    assert (heard.arrivals, "no message" in heard.unknown) == ((), True)


async def test_the_dashboards_test_means_nothing(world: World) -> None:
    await world.backstage("test")
    assert world.shop.heard == [Normalized()]


async def test_a_body_in_an_array_is_read(world: World) -> None:
    await world.fault(array_body=True, num_edit_text=True)
    await world.write(text="раз")
    await world.write(type="edit", text="два")
    assert [one.message.text for one in world.shop.arrivals] == ["раз", "два"]


async def test_several_entries_of_one_delivery_are_read(world: World) -> None:
    await world.backstage("hold")
    for text in ("раз", "два", "три"):
        await world.write(text=text)
    await world.backstage("release", order="sent", in_one=True)

    assert len(world.shop.heard) == 1
    assert [one.message.text for one in world.shop.arrivals] == ["раз", "два", "три"]


async def test_events_of_another_account_are_left_to_it(world: World) -> None:
    other = await world.backstage("accounts", username="second_shop")
    headers = {"Authorization": f"Bearer {other['access_token']}"}
    path, fields = "/instagram/v26.0/me/subscribed_apps", {"subscribed_fields": "messages"}
    await world.sandbox.web.post(path, params=fields, headers=headers)

    await world.write(text="чужое", ad=int(other["user_id"]))

    assert world.shop.heard == [Normalized(foreign=frozenset({other["user_id"]}))]


async def test_an_app_in_development_mode_hears_that_something_came(world: World) -> None:
    await world.fault(development=True)
    await world.write(text="Здравствуйте!")
    [heard] = world.shop.heard
    assert "development mode" in heard.unknown


async def test_the_owners_words_are_an_operators(world: World) -> None:
    chat = await world.chat()
    await world.backstage("owner/messages", chat=chat, text="Сейчас отвечу")
    assert (world.shop.last.own, world.shop.last.message.event) == (True, "operator_message")
    assert world.shop.last.message.external_chat_id == chat


async def test_while_another_app_has_the_thread_we_look_on(world: World) -> None:
    chat = await world.chat()
    await world.fault(standby=True)
    await world.write(text="Вы тут?")
    assert world.shop.last.message.event == "notice"
    with pytest.raises(Forbidden):
        await world.channel.send_text(chat, "x")


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        ("image", "photo.jpg", "image"),
        ("voice", "voice.m4a", "audio"),
        ("video", "video.mp4", "video"),
        ("document", "price.pdf", "file"),
    ],
)
async def test_media_come_out_at_the_customer_and_their_echo_bears_its_mark(
    world: World, kind: str, name: str, shown: str
) -> None:
    chat = await world.chat()
    content, media_type = FILES[name]
    file = MediaFile(content, media_type, name, f"https://files.test/{name}")

    message_id = await getattr(world.channel, f"send_{kind}")(chat, file)
    await settle()

    assert [(m["id"], m["type"]) for m in await world.seen()][1:] == [(message_id, shown)]
    assert (world.shop.last.message.external_message_id, world.shop.last.fingerprint) == (message_id, kind)


async def test_a_file_that_cannot_be_fetched_is_rejected(world: World) -> None:
    gone = MediaFile(b"\xff\xd8\xff", "image/jpeg", "x.jpg", "https://files.test/gone.jpg")
    with pytest.raises(Rejected):
        await world.channel.send_image(await world.chat(), gone)


async def test_buttons_come_out_and_their_tap_comes_back(world: World) -> None:
    chat = await world.chat()
    await world.channel.send_buttons(chat, "Где удобнее?", ["Выезд мастера", "Привезу сам"])
    shown = (await world.seen())[-1]["content"]["quick_replies"]
    assert [reply["title"] for reply in shown] == ["Выезд мастера", "Привезу сам"]

    await world.write(type="quick_reply", text=shown[1]["title"], content={"payload": shown[1]["payload"]})
    assert world.shop.last.message.text == "Привезу сам"


async def test_a_quote_comes_out_and_a_lost_one_is_left_away(world: World) -> None:
    written = await world.write(text="Сколько?")
    chat, [mid] = ChatId(written["chat_id"]), written["message_ids"]
    await world.channel.send_reply(chat, "Час", MessageId(mid))
    await world.channel.send_reply(chat, "Два", MessageId("gone"))

    shown = [(m["text"], m["content"].get("reply_to")) for m in await world.seen()]
    assert shown[1:] == [("Час", {"mid": mid}), ("Два", None)]


async def test_a_customers_quote_is_told(world: World) -> None:
    chat = await world.chat()
    sent = await world.channel.send_text(chat, "Час")
    await world.write(text="Точно?", quote=sent)
    assert world.shop.last.message.reply_to == sent


async def test_reading_typing_and_reactions_come_out(world: World) -> None:
    written = await world.write(text="Спасибо!")
    chat, mid = ChatId(written["chat_id"]), MessageId(written["message_ids"][0])

    await world.channel.mark_read(chat)
    await world.channel.show_typing(chat)
    await world.channel.react(chat, mid, "👍")

    customers = (await world.sandbox.web.get("/control/instagram/customers")).json()["customers"]
    note = next(one["chats"][0]["note"] for one in customers if one["customer"] == "Анна")
    [message] = await world.seen()
    assert (message["read"], note, list(message["reactions"].values())) == (True, "печатает…", ["👍"])
    await world.channel.react(chat, mid, "")
    assert (await world.seen())[0]["reactions"] == {}


async def test_a_text_of_the_limit_is_taken_and_one_byte_more_is_rejected(world: World) -> None:
    chat = await world.chat()
    await world.channel.send_text(chat, "я" * 500)
    with pytest.raises(Rejected):
        await world.channel.send_text(chat, "я" * 500 + "a")


async def test_chats_history_and_profile_are_read(world: World) -> None:
    written = await world.write(text="Сколько?")
    chat = ChatId(written["chat_id"])
    await world.write(type="image")
    sent = await world.channel.send_reply(chat, "Час", MessageId(written["message_ids"][0]))
    await world.write("Борис", text="Алло")

    listed = await world.channel.list_chats(10, "")
    one = await world.channel.get_chat(chat)
    history = (await world.channel.list_messages(chat, 10, "")).messages
    profile = await world.channel.get_profile(UserId(chat))

    assert {row.chat_id for row in listed.chats} >= {chat}
    assert (len(listed.chats), listed.chats[1].chat_id) == (2, chat)
    assert (one.client_name_untrusted, one.last_message_untrusted) == ("Анна", "Час")
    assert [(m.message_id == sent, m.direction, m.type) for m in history] == [
        (True, "out", "text"),
        (False, "in", "image"),
        (False, "in", "text"),
    ]
    assert history[0].reply_to == written["message_ids"][0]
    assert (profile.name_untrusted, profile.user_id) == ("Анна", chat)
    assert (await world.sandbox.web.get(profile.avatar_url)).status_code == 200


async def test_pages_follow_each_other(world: World) -> None:
    written = [await world.write(text=str(number)) for number in range(5)]
    chat = ChatId(written[0]["chat_id"])
    for name in ("Борис", "Марина"):
        await world.write(name, text="x")

    texts, cursor = [], ""
    for _ in range(3):
        page = await world.channel.list_messages(chat, 2, cursor)
        texts += [message.text_untrusted for message in page.messages]
        cursor = page.next_cursor
    first = await world.channel.list_chats(2, "")
    second = await world.channel.list_chats(2, first.next_cursor)

    assert (texts, cursor) == (["4", "3", "2", "1", "0"], "")
    assert [len(first.chats), len(second.chats), second.next_cursor] == [2, 1, ""]


async def test_a_cursor_that_is_not_instagrams_is_rejected(world: World) -> None:
    chat = await world.chat()
    with pytest.raises(BadCursor):
        await world.channel.list_messages(chat, 2, "rubbish")
    with pytest.raises(BadCursor):
        await world.channel.list_chats(2, "rubbish")


async def test_the_history_ends_with_the_twentieth_message(world: World) -> None:
    for number in range(25):
        chat = ChatId((await world.write(text=str(number)))["chat_id"])
    page = await world.channel.list_messages(chat, 100, "")
    assert len(page.messages) == 20
    with pytest.raises(Rejected, match="newest 20"):
        await world.channel.list_messages(chat, 100, page.next_cursor)


async def test_a_sweep_finds_what_a_silent_webhook_lost_under_the_same_keys(world: World) -> None:
    since = datetime.fromtimestamp(world.sandbox.time.now(), UTC)
    await world.write(text="услышано")
    await world.sandbox.time.pass_(1)
    await world.fault(silent_webhook=True)
    await world.write("Борис", text="потеряно")
    await world.sandbox.time.pass_(1)
    await world.write(type="image")
    await world.sandbox.time.pass_(1)
    await world.write(type="ephemeral")

    found = await world.channel.arrivals_since(since, [])

    heard = {one.event_key for one in world.shop.arrivals}
    assert [(one.event_key in heard, one.message.text) for one in found] == [
        (True, "услышано"),
        (False, "потеряно"),
        (False, ""),
        (False, "Сообщение, которого Instagram не показывает программам"),
    ]


async def test_a_profile_is_not_shown_before_the_person_writes(world: World) -> None:
    made = await world.backstage("customers", named="Новая")
    with pytest.raises(NotFound):
        await world.channel.get_profile(UserId(made["id"]))


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        ("access", Forbidden),
        ("role", Forbidden),
        ("tools", AccountBarred),
        ("link", AccountBarred),
        ("restricted", AccountBarred),
        ("limited", AccountBarred),
        ("policy", AccountBarred),
        ("archived", NotFound),
        ("ineligible", AccountBarred),
    ],
)
async def test_a_refusal_is_told_by_what_it_means(
    world: World, refused: str, kind: type[ChannelError]
) -> None:
    chat = await world.chat()
    await world.fault(refused=refused)
    with pytest.raises(kind) as caught:
        await world.channel.send_text(chat, "x")
    assert type(caught.value) is kind


@pytest.mark.parametrize("subcode", [2534022, 2018278])
async def test_after_a_day_the_window_is_closed(subcode: int) -> None:
    async with opened(window_subcode=subcode) as world:
        chat = await world.chat()
        await world.sandbox.time.pass_(86_400)
        with pytest.raises(WindowClosed):
            await world.channel.send_text(chat, "x")
        with pytest.raises(WindowClosed):
            await world.channel.send_reply(chat, "x", MessageId("m"))
        await world.write(type="postback")
        assert await world.channel.send_text(chat, "x")


@pytest.mark.parametrize("code", ["551", "200/1545041", "10/2018108"])
async def test_a_customer_who_blocked_us_is_unreachable(code: str) -> None:
    async with opened(blocked_code=code) as world:
        chat = await world.chat()
        await world.write(type="block")
        with pytest.raises(PeerUnreachable):
            await world.channel.send_text(chat, "x")


async def test_a_stranger_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.channel.send_text(ChatId("123456789"), "x")


async def test_a_limit_of_the_second_is_waited_out(world: World) -> None:
    chat = await world.chat()
    await world.fault(rate_limit={"calls": 2, "path": "messages"})
    await world.channel.send_text(chat, "x")
    assert [m["text"] for m in await world.seen()][1:] == ["x"]


@pytest.mark.parametrize("code", [4, 17, 32, 80002, 80006])
async def test_a_quota_is_told_with_its_wait(world: World, code: int) -> None:
    chat = await world.chat()
    await world.fault(rate_limit={"calls": 1, "code": code})
    with pytest.raises(RateLimited) as caught:
        await world.channel.send_text(chat, "x")
    assert (caught.value.retry_after or 0) >= 30


async def test_we_never_ask_faster_than_instagram_allows(world: World) -> None:
    chat = await world.chat()
    for _ in range(10):
        await world.channel.list_chats(5, "")
    for number in range(150):
        await world.channel.send_text(chat, str(number))

    calls = (await world.sandbox.web.get("/instagram/_sandbox/calls")).json()["calls"]
    assert [call for call in calls if "error" in call] == []


@pytest.mark.parametrize("how", ["502", "cut"])
async def test_a_lost_answer_is_unknown_and_found_in_the_history(world: World, how: str) -> None:
    chat = await world.chat()
    await world.fault(drop_after_storing=1, lost_answer=how)
    with pytest.raises(OutcomeUnknown):
        await world.channel.send_text(chat, "ровно раз")

    history = (await world.channel.list_messages(chat, 10, "")).messages
    assert [m.text_untrusted for m in history if m.direction == "out"] == ["ровно раз"]


async def test_a_voice_note_without_an_answer_is_found_in_the_history(world: World) -> None:
    chat = await world.chat()
    await world.fault(drop_after_storing=1)
    voice = MediaFile(*FILES["voice.m4a"], "voice.m4a", "https://files.test/voice.m4a")
    with pytest.raises(OutcomeUnknown):
        await world.channel.send_voice(chat, voice)

    history = (await world.channel.list_messages(chat, 10, "")).messages
    assert [bool(m.voice_file_id) for m in history] == [True, False]


@pytest.mark.parametrize("status", [400, 500])
async def test_metas_own_failure_leaves_the_outcome_open(world: World, status: int) -> None:
    chat = await world.chat()
    await world.fault(error={"calls": 1, "code": 2, "status": status, "apply": True})
    with pytest.raises(OutcomeUnknown):
        await world.channel.send_text(chat, "x")
    assert len(await world.seen()) == 2


@pytest.mark.parametrize("subcode", [458, 459, 460, 463, 467])
@pytest.mark.parametrize("status", [400, 401])
async def test_a_dead_token_is_auth_failed(subcode: int, status: int) -> None:
    async with opened(token_status=status) as world:
        chat = await world.chat()
        await world.fault(expired_token=subcode)
        with pytest.raises(AuthFailed):
            await world.channel.send_text(chat, "x")
        assert not await world.channel.is_up()
        with pytest.raises(AuthFailed):
            await world.channel.refresh_token()


@pytest.mark.parametrize("ends_old", [True, False])
async def test_refreshed_in_time_the_account_lives_on(*, ends_old: bool) -> None:
    """§16 d: an idle inbox must not die of its token."""
    async with opened(refresh_ends_old=ends_old) as world:
        for _ in range(3):
            status = await world.channel.refresh_token()
            wait = datetime.fromisoformat(status.renew_at).timestamp() - world.sandbox.time.now()
            assert 49 * 86_400 < wait < 50 * 86_400
            await world.sandbox.time.pass_(wait)
        assert await world.channel.is_up()


async def test_a_token_of_today_is_refreshed_tomorrow() -> None:
    async with opened(token_age=3_600) as world:
        with pytest.raises(Rejected):
            await world.channel.refresh_token()
        renew_at = datetime.fromisoformat((await world.channel.token_status()).renew_at).timestamp()
        await world.sandbox.time.pass_(renew_at - world.sandbox.time.now())
        assert (await world.channel.refresh_token()).expires_at


async def test_a_simulator_that_was_started_anew_takes_the_configured_token_again(world: World) -> None:
    await world.channel.refresh_token()
    await world.sandbox.web.post("/control/instagram/reset", params={"everything": "true"})

    await world.channel.subscribe_webhook("https://shop.test")
    assert await world.channel.send_text(await world.chat(), "x")


async def test_the_wrapped_answer_of_metas_sample_is_read() -> None:
    async with opened(wrapped_me=True) as world:
        await world.write(text="x")
        assert world.client.known_user_id == "17841400000000001"
