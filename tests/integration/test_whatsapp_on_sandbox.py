"""The real channel, through its real client, against the simulated Wappi."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from core.channel import Arrival, MediaFile, WebhookRequest
from core.errors import (
    AuthFailed,
    ChannelError,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    PlanRequired,
    RateLimited,
    Rejected,
    SessionLost,
    VendorDown,
)
from core.http import Timing
from core.ids import AccountId, ChatId, MessageId, UserId
from core.messages import IncomingMessage
from mcp_whatsapp.channel import WhatsAppChannel
from mcp_whatsapp.client import WappiClient
from mcp_whatsapp.settings import WhatsAppSettings
from sandbox.settings import SandboxSettings
from sandbox.whatsapp.files import sample
from sandbox.whatsapp.settings import Number, WhatsAppSandboxSettings
from sandbox.whatsapp.vendor import WhatsAppVendor
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.whatsapp.shop import ANNA, GROUP, HOOK, PHONE, PROFILE, TOKEN, Outside, Shop
from tests.sandbox.world import settle

SECRET = "path-secret-0123456789"
SITE = "https://shop.example.test"
OURS = f"{SITE}/webhook/whatsapp/shop/{SECRET}"
MASKED = f"{SITE}/webhook/whatsapp/shop/***"
CHAT = ChatId(ANNA)

PHOTO = MediaFile(sample("image")[0].content, "image/jpeg", "экран.jpg")
VOICE = MediaFile(sample("ptt")[0].content, "audio/ogg", "voice.ogg")
VIDEO = MediaFile(sample("video")[0].content, "video/mp4", "video.mp4")
PDF = MediaFile(sample("document")[0].content, "application/pdf", "Акт №42.pdf")


@dataclass
class Counter:
    """The channel, the sandbox it speaks to, and what the webhook has brought."""

    shop: Shop
    channel: WhatsAppChannel
    read: int = 0

    def delivered(self) -> list[Arrival]:
        """What the deliveries since the last look mean; each is authentic and readable."""
        found: list[Arrival] = []
        for request in self.shop.outside.requests[self.read :]:
            secret = request.url.path.rpartition("/")[2]
            shown = WebhookRequest(
                request.content, {k.lower(): v for k, v in request.headers.items()}, secret
            )
            assert self.channel.verify(shown)
            body = {"messages": self.shop.outside.bodies[self.read]}
            meaning = self.channel.normalize(body)
            assert (meaning.unknown, meaning.foreign) == ("", frozenset())
            found += meaning.arrivals
            self.read += 1
        return found

    async def hears(self, customer: str = "Анна", **letter: Any) -> IncomingMessage:
        """What a customer wrote, as it reached us; of several messages the last one."""
        await self.shop.write(customer, **letter)
        return self.delivered()[-1].message

    async def seen(self) -> dict[str, Any]:
        """The newest message on the customer's phone."""
        return (await self.shop.seen())[-1]


@asynccontextmanager
async def open_counter(subscribed: bool = True, **changes: Any) -> AsyncIterator[Counter]:
    outside = Outside()
    settings = SandboxSettings(
        avito_client_id="the-id",
        avito_client_secret=SecretStr("the-secret"),
        public_url="http://sandbox.test",
        webhook_timeout=10,
    )
    whatsapp = WhatsAppSandboxSettings(token=SecretStr(TOKEN), profiles=(Number(PROFILE, PHONE),), **changes)
    async with opened_sandbox(settings, outside, [lambda bench: WhatsAppVendor(whatsapp, bench)]) as sandbox:

        async def sleep(seconds: float) -> None:
            await sandbox.time.pass_(seconds)

        timing = Timing(clock=sandbox.time.now, wall=sandbox.time.now, sleep=sleep, jitter=lambda: 0.0)
        ours = WhatsAppSettings(
            token=SecretStr(TOKEN),
            profile_id=PROFILE,
            webhook_secret=SecretStr(SECRET),
            base_url="http://sandbox.test/whatsapp",
            requests_per_second=1_000,
            sends_per_second=1_000,
            burst=1_000,
        )
        client = WappiClient(ours, timing=timing, transport=httpx.ASGITransport(app=sandbox.app))
        counter = Counter(
            Shop(sandbox.web, sandbox.time, outside), WhatsAppChannel(client, ours, account=AccountId("shop"))
        )
        if subscribed:
            assert (await counter.channel.subscribe_webhook(SITE)).subscribed
        yield counter
        await client.aclose()


@pytest.fixture
async def counter() -> AsyncIterator[Counter]:
    async with open_counter() as opened:
        yield opened


async def test_a_subscription_asks_for_the_echoes_and_shows_no_secret(counter: Counter) -> None:
    status = await counter.channel.webhook_status()

    assert (status.subscribed, status.urls) == (True, [MASKED])
    assert await counter.channel.troubles() == []
    types = (await counter.shop.get("sync/get/status")).json()["webhook_types"]
    assert {"outgoing_message_api", "outgoing_message_phone", "incoming_call"} <= set(types)
    assert (await counter.shop.get("webhook/url/get")).json()["url"] == OURS


async def test_a_foreign_webhook_is_not_taken_over_until_it_is_removed() -> None:
    async with open_counter(subscribed=False) as counter:
        await counter.shop.post("webhook/url/set", params={"url": HOOK})

        with pytest.raises(Rejected, match=r"http://shop\.test/\*\*\*"):
            await counter.channel.subscribe_webhook(SITE)
        assert (await counter.shop.get("webhook/url/get")).json()["url"] == HOOK

        assert (await counter.channel.unsubscribe_webhook("http://shop.test/***")).urls == []
        assert (await counter.channel.subscribe_webhook(SITE)).subscribed


async def test_after_the_unsubscription_nothing_is_delivered(counter: Counter) -> None:
    assert not (await counter.channel.unsubscribe_webhook(SITE)).subscribed
    await counter.shop.write(text="ау")

    assert counter.delivered() == []


async def test_a_text_comes_in_and_the_answer_goes_out(counter: Counter) -> None:
    asked = await counter.hears(text="Сколько стоит диагностика?")
    message_id = await counter.channel.send_text(asked.external_chat_id, "Бесплатно 🙂")
    await settle()

    assert (asked.text, asked.external_chat_id, asked.client_name) == (
        "Сколько стоит диагностика?",
        ANNA,
        "Анна",
    )
    assert (asked.client_phone, asked.event) == (f"+{ANNA}", "message")
    seen = await counter.seen()
    assert (seen["id"], seen["text"], seen["direction"]) == (message_id, "Бесплатно 🙂", "out")


async def test_our_echo_bears_the_id_of_the_send(counter: Counter) -> None:
    message_id = await counter.channel.send_text(CHAT, "Готово")
    await settle()

    echo = next(one for one in counter.delivered() if one.own)
    assert (echo.message.event, echo.message.external_message_id) == ("operator_message", message_id)
    assert echo.fingerprint


async def test_an_operators_own_hand_is_seen(counter: Counter) -> None:
    await counter.hears(text="ау")
    await counter.shop.control("POST", "/operator/messages", json={"chat": ANNA, "text": "Я Ольга"})

    [own] = counter.delivered()
    assert (own.own, own.message.event, own.message.text) == (True, "operator_message", "Я Ольга")


async def test_an_operator_is_seen_in_the_older_form_as_well(counter: Counter) -> None:
    await counter.shop.fault(operator_as_incoming=True)
    await counter.shop.control("POST", "/operator/messages", json={"chat": ANNA, "text": "Я Ольга"})

    [own] = counter.delivered()
    assert (own.own, own.message.event) == (True, "operator_message")


@pytest.mark.parametrize("fields", ["full", "short"])
@pytest.mark.parametrize("media_as", ["both", "base64", "link", "thumbnail", "none"])
async def test_a_picture_can_be_opened_however_it_came(counter: Counter, media_as: str, fields: str) -> None:
    await counter.shop.fault(media_as=media_as, fields=fields)
    message = await counter.hears(image=True, text="Вот экран")

    [image] = message.media.images
    assert (message.text, image.file_id) == ("Вот экран", message.external_message_id)
    link = await counter.channel.media_link(image.file_id or "")
    opened = await counter.channel.open_file(image.file_id or "")
    for url in filter(None, (image.url, link.url)):
        assert (await counter.shop.web.get(url)).content == opened.content
    assert link.expires_in > 0
    assert (opened.content, opened.media_type) == (sample("image")[0].content, "image/jpeg")


@pytest.mark.parametrize(
    ("kind", "listed"),
    [("video", "videos"), ("document", "documents"), ("audio", "documents"), ("sticker", "documents")],
)
async def test_every_kind_of_file_comes_in(counter: Counter, kind: str, listed: str) -> None:
    message = await counter.hears(type=kind)

    [file] = getattr(message.media, listed)
    assert file.kind == kind
    assert (await counter.channel.open_file(file.file_id)).content == sample(kind)[0].content


async def test_a_voice_note_comes_in_with_its_length(counter: Counter) -> None:
    media = (await counter.hears(voice=True)).media

    assert (media.has_voice, media.voice_seconds) == (True, 4)
    assert (await counter.shop.web.get(media.voice_url or "")).content == VOICE.content
    assert (await counter.channel.open_file(media.voice_file_id or "")).content == VOICE.content


async def test_a_file_that_is_gone_is_not_found(counter: Counter) -> None:
    message = await counter.hears(image=True)
    await counter.shop.time.pass_(21 * 86_400)

    with pytest.raises(NotFound):
        await counter.channel.open_file(message.external_message_id)


async def test_a_file_that_is_only_a_link_has_a_link_only(counter: Counter) -> None:
    message = await counter.hears(image=True)
    await counter.shop.fault(download_as="link")

    with pytest.raises(NotFound, match="at most a link"):
        await counter.channel.open_file(message.external_message_id)
    assert (await counter.channel.media_link(message.external_message_id)).url


async def test_files_are_downloaded_one_at_a_time(counter: Counter) -> None:
    """Two downloads at once may return each other's file (§3.5)."""
    await counter.shop.fault(crossed_files=True)
    first = await counter.hears(image=True)
    second = await counter.hears(type="document")

    async def time_passes() -> None:
        for _ in range(3):
            await counter.shop.time.pass_(1)

    *files, _ = await asyncio.gather(
        counter.channel.open_file(first.external_message_id),
        counter.channel.open_file(second.external_message_id),
        time_passes(),
    )

    assert [file.content for file in files] == [PHOTO.content, PDF.content]


@pytest.mark.parametrize("together", [1, 3])
async def test_an_album_comes_in_one_by_one_or_in_one_delivery(counter: Counter, together: int) -> None:
    await counter.shop.fault(items_per_post=together)
    await counter.shop.write(type="album", content={"count": 3}, text="Три экрана")

    told = counter.delivered()
    assert [one.message.text for one in told] == ["Три экрана", "", ""]
    assert len({one.event_key for one in told}) == 3


async def test_an_edit_names_the_message(counter: Counter) -> None:
    for edit_id in ("new", "same"):
        await counter.shop.fault(edit_id=edit_id)
        old = await counter.hears(text="ошипка")
        new = await counter.hears(type="edit", text="ошибка")

        assert (new.event, new.text, new.external_message_id) == ("edit", "ошибка", old.external_message_id)


async def test_a_deletion_names_the_message(counter: Counter) -> None:
    await counter.shop.fault(deletion_webhook=True)
    old = await counter.hears(text="ау")
    await counter.shop.control("DELETE", f"/messages/{old.external_message_id}")

    [gone] = counter.delivered()
    assert (gone.message.event, gone.message.external_message_id) == ("delete", old.external_message_id)


async def test_reply_reaction_and_presses_come_in(counter: Counter) -> None:
    sent = await counter.channel.send_text(CHAT, "Есть")
    counter.delivered()
    reply = await counter.hears(text="а выезд?", quote=sent)
    reaction = await counter.hears(type="reaction")
    button = await counter.hears(type="button")
    chosen = await counter.hears(type="list_response")

    assert (reply.event, reply.reply_to) == ("message", sent)
    assert (reaction.event, reaction.text, reaction.reply_to) == ("reaction", "👍", sent)
    assert [(one.event, one.text) for one in (button, chosen)] == [("postback", "Да"), ("postback", "id2")]


async def test_place_contact_poll_and_vote_come_in(counter: Counter) -> None:
    place = await counter.hears(type="location")
    contact = await counter.hears(type="contact")
    poll = await counter.hears(type="poll")
    await counter.shop.post(
        "sync/poll/create", {"recipient": ANNA, "body": "Да?", "poll_options": ["да", "нет"]}
    )
    counter.delivered()
    vote = await counter.hears(type="poll_vote")

    assert (place.text, place.media.locations[0].latitude) == ("Лесная 7", 55.75)
    assert (contact.media.contacts[0].name, contact.media.contacts[0].phone) == ("Пётр", "+79000000003")
    assert poll.text == "Опрос: Придёте завтра?\n- да\n- нет"
    assert (vote.event, vote.text) == ("postback", "да")


@pytest.mark.parametrize("kind", ["missed_call", "incoming_call", "call_accept", "call_terminate"])
async def test_a_call_is_a_notice(counter: Counter, kind: str) -> None:
    call = await counter.hears(type=kind)

    assert (call.event, call.external_chat_id) == ("notice", ANNA)


async def test_groups_are_kept_and_never_asked(counter: Counter) -> None:
    said = await counter.hears(text="всем привет", chat=GROUP)

    assert (said.event, said.external_chat_id, said.client_phone) == ("notice", GROUP, None)
    assert (await counter.channel.list_chats(10, "")).chats == []


async def test_a_message_of_an_unknown_kind_is_told_and_kept_whole(counter: Counter) -> None:
    """§4.2: a customer waits for an answer to it as well."""
    heard = await counter.hears(type="unsupported", content={"type": "order", "body": "?"})

    assert (heard.event, "order" in heard.text) == ("message", True)
    assert (heard.meta.raw["type"], heard.meta.raw["body"]) == ("order", "?")


async def test_deliveries_without_our_phrase_are_believed_by_the_path_alone(counter: Counter) -> None:
    """The header's name is not documented (§6.3); another one than those we know is as good as none."""
    await counter.shop.fault(auth_header="x-novelty")

    assert (await counter.hears(text="ау")).text == "ау"


@pytest.mark.parametrize("wh_type", ["incoming_message", "delivery_status"])
async def test_a_single_object_and_an_array_mean_the_same(counter: Counter, wh_type: str) -> None:
    await counter.shop.fault(object_for=[wh_type], fraction_digits=9)
    await counter.hears(text="ау")
    await counter.channel.send_text(CHAT, "да")
    await counter.shop.time.pass_(1)

    assert "delivered" in {one.message.event for one in counter.delivered()}


async def test_receipts_name_our_message(counter: Counter) -> None:
    sent = await counter.channel.send_text(CHAT, "Готово")
    await counter.shop.time.pass_(1)
    await counter.shop.control("POST", "/customers/Анна/read")

    told = [one.message for one in counter.delivered() if not one.own]
    assert [(one.event, one.external_message_id) for one in told] == [("delivered", sent), ("read", sent)]


@pytest.mark.parametrize("end", ["undelivered", "error", "temporary ban"])
async def test_a_send_that_ends_badly_is_noted_in_the_chat(counter: Counter, end: str) -> None:
    await counter.shop.fault(delivery_ends=end)
    sent = await counter.channel.send_text(CHAT, "Готово")
    await counter.shop.time.pass_(1)

    told = counter.delivered()[-1].message
    assert (told.event, told.reply_to, bool(told.text)) == ("notice", sent, True)


async def test_the_session_s_ups_and_downs_are_no_messages(counter: Counter) -> None:
    await counter.shop.fault(logged_out=True)
    await counter.shop.fault(logged_out=False)

    assert len(counter.shop.outside.requests) > 0
    assert counter.delivered() == []


async def test_every_kind_of_media_reaches_the_phone(counter: Counter) -> None:
    channel = counter.channel
    for send, file, kind in (
        (channel.send_image, PHOTO, "image"),
        (channel.send_voice, VOICE, "ptt"),
        (channel.send_video, VIDEO, "video"),
        (channel.send_document, PDF, "document"),
    ):
        message_id = await send(CHAT, file, caption="Вот")
        seen = await counter.seen()
        assert (seen["id"], seen["type"]) == (message_id, kind)
        assert (await counter.shop.web.get(seen["file_url"])).content == file.content
        assert seen["text"] == ("" if kind == "ptt" else "Вот")
    await settle()
    marks = [one.fingerprint for one in counter.delivered() if one.own]
    assert marks == ["image", "voice", "video", "document"]


async def test_a_reply_quotes_the_customer(counter: Counter) -> None:
    asked = await counter.hears(text="Есть?")
    sent = await counter.channel.send_reply(CHAT, "Есть", asked.external_message_id)

    seen = await counter.seen()
    assert (seen["id"], seen["quote"], seen["text"]) == (sent, asked.external_message_id, "Есть")


async def test_a_reply_to_another_customers_message_never_goes_there(counter: Counter) -> None:
    boris = await counter.hears("Борис", text="Есть?")
    sent = await counter.channel.send_reply(CHAT, "Для Анны", boris.external_message_id)
    lost = await counter.channel.send_reply(CHAT, "И это", MessageId("3EB0NONE"))

    assert [(one["id"], one["quote"]) for one in await counter.shop.seen()] == [(sent, None), (lost, None)]
    assert [one["text"] for one in await counter.shop.seen("Борис")] == ["Есть?"]


async def test_edit_reaction_and_deletion_reach_the_phone(counter: Counter) -> None:
    channel = counter.channel
    sent = await channel.send_text(CHAT, "Готова")
    await channel.edit_message(CHAT, sent, "Готово")
    assert (await counter.seen())["text"] == "Готово"

    asked = await counter.hears(text="Спасибо")
    await channel.react(CHAT, asked.external_message_id, "👍")
    assert (await counter.seen())["text"] == "👍"
    await channel.react(CHAT, asked.external_message_id, "")

    await channel.delete_message(CHAT, sent)
    assert (await counter.shop.seen())[0]["type"] == "deleted"
    with pytest.raises(Rejected):
        await channel.delete_message(CHAT, sent)


async def test_a_message_of_another_customer_is_not_changed(counter: Counter) -> None:
    boris = await counter.hears("Борис", text="Есть?")
    ours = await counter.channel.send_text(boris.external_chat_id, "Есть")
    for changing in (
        counter.channel.edit_message(CHAT, ours, "Для Анны"),
        counter.channel.delete_message(CHAT, ours),
        counter.channel.react(CHAT, boris.external_message_id, "👍"),
    ):
        with pytest.raises(NotFound):
            await changing

    assert [one["text"] for one in await counter.shop.seen("Борис")] == ["Есть?", "Есть"]


async def test_our_own_edit_bears_the_id_of_what_we_sent(counter: Counter) -> None:
    """So the inbox knows it for an echo."""
    sent = await counter.channel.send_text(CHAT, "Готова")
    await counter.channel.edit_message(CHAT, sent, "Готово")
    await settle()

    edit = next(one for one in counter.delivered() if one.message.event == "edit")
    assert (edit.own, edit.message.external_message_id) == (True, sent)


async def test_a_late_edit_names_the_rule(counter: Counter) -> None:
    sent = await counter.channel.send_text(CHAT, "Готова")
    await counter.shop.time.pass_(901)

    with pytest.raises(Rejected, match="within 15 minutes"):
        await counter.channel.edit_message(CHAT, sent, "Готово")


async def test_typing_and_read_marks_are_set(counter: Counter) -> None:
    await counter.hears(text="ау")
    await counter.channel.show_typing(CHAT)
    chats = (await counter.shop.control("GET", "/customers")).json()["customers"][0]["chats"]
    assert chats[0]["typing"] is True

    await counter.channel.mark_read(CHAT)
    dialog = (await counter.shop.post("sync/chats/get")).json()["dialogs"][0]
    assert dialog["unread_count"] == 0


async def test_a_group_is_marked_read_and_an_empty_chat_needs_no_mark(counter: Counter) -> None:
    await counter.hears(text="всем", chat=GROUP)
    await counter.channel.mark_read(ChatId(GROUP))
    await counter.channel.mark_read(ChatId("79000000099"))

    dialog = (await counter.shop.post("sync/chats/get")).json()["dialogs"][0]
    assert dialog["unread_count"] == 0


@pytest.mark.parametrize("suffix", ["c.us", "s.whatsapp.net"])
async def test_chats_are_listed_and_shown(counter: Counter, suffix: str) -> None:
    await counter.shop.fault(address_suffix=suffix)
    for customer in ("Анна", "Борис", "79000000099"):
        await counter.hears(customer, text=f"Я {customer}")

    first = await counter.channel.list_chats(2, "")
    rest = await counter.channel.list_chats(2, first.next_cursor)

    assert [chat.chat_id for chat in first.chats] == ["79000000099", "79000000003"]
    assert ([chat.chat_id for chat in rest.chats], rest.next_cursor) == ([ANNA], "")
    anna = await counter.channel.get_chat(CHAT)
    assert (anna.client_name_untrusted, anna.last_message_untrusted) == ("Анна", "Я Анна")
    assert anna.updated_at == "2025-11-22T08:26:40+00:00"
    nameless = await counter.channel.get_chat(ChatId("79000000099"))
    assert nameless.client_name_untrusted == "+79000000099"
    with pytest.raises(NotFound):
        await counter.channel.get_chat(ChatId("79000000098"))


async def test_the_history_shows_both_sides_newest_first(counter: Counter) -> None:
    asked = await counter.hears(text="Есть?")
    sent = await counter.channel.send_reply(CHAT, "Есть", asked.external_message_id)
    voice = await counter.hears(voice=True)
    picture = await counter.hears(image=True)

    page = await counter.channel.list_messages(CHAT, 3, "")
    rest = await counter.channel.list_messages(CHAT, 3, page.next_cursor)

    rows = [(one.message_id, one.direction, one.type) for one in [*page.messages, *rest.messages]]
    assert rows == [
        (picture.external_message_id, "in", "image"),
        (voice.external_message_id, "in", "ptt"),
        (sent, "out", "chat"),
        (asked.external_message_id, "in", "chat"),
    ]
    assert page.messages[0].image_url
    assert page.messages[1].voice_file_id == voice.external_message_id
    assert (page.messages[2].reply_to, page.messages[2].text_untrusted) == (asked.external_message_id, "Есть")
    assert rest.next_cursor == ""


@pytest.mark.parametrize("how", ["200", "400", "list"])
async def test_an_empty_chat_has_an_empty_history(counter: Counter, how: str) -> None:
    await counter.shop.fault(empty_chat=how)

    assert (await counter.channel.list_messages(CHAT, 10, "")).messages == []


async def test_a_customer_has_a_name_and_a_phone(counter: Counter) -> None:
    profile = await counter.channel.get_profile(UserId(ANNA))

    assert (profile.name_untrusted, profile.phone) == ("Анна", f"+{ANNA}")
    with pytest.raises(NotFound):
        await counter.channel.get_profile(UserId("990000000000001@lid"))


@pytest.mark.parametrize("phone", ["+79000000002", "8 (900) 000-00-02", "89000000002", "7 900 000 00 02"])
async def test_a_chat_is_opened_by_phone_however_it_is_written(counter: Counter, phone: str) -> None:
    """A number that starts with 8 would be answered `done` and never delivered (§2.1)."""
    chat = await counter.channel.chat_of_phone(phone)
    await counter.channel.send_text(chat, "Ваш телефон готов")

    assert chat == ANNA
    assert (await counter.seen())["text"] == "Ваш телефон готов"


async def test_a_number_without_whatsapp_is_told_before_the_send(counter: Counter) -> None:
    await counter.shop.fault(not_on_whatsapp=[ANNA])

    with pytest.raises(PeerUnreachable):
        await counter.channel.chat_of_phone(f"+{ANNA}")


async def test_a_sweep_finds_what_a_silent_webhook_lost(counter: Counter) -> None:
    old = await counter.hears(text="старое")
    await counter.shop.time.pass_(3_600)
    since = datetime.fromtimestamp(counter.shop.time.now(), UTC)
    heard = await counter.hears(text="слышно")
    [told] = counter.channel.normalize({"messages": counter.shop.outside.bodies[-1]}).arrivals
    await counter.shop.fault(silent_webhook=True)
    lost = await counter.shop.write(text="тихо")
    await counter.shop.write("Борис", image=True, text="и это")
    await counter.shop.control("POST", "/operator/messages", json={"chat": ANNA, "text": "Я Ольга"})

    swept = await counter.channel.arrivals_since(since, [])

    assert [one.message.text for one in swept] == ["слышно", "тихо", "и это", "Я Ольга"]
    assert swept[0].event_key == told.event_key
    assert swept[1].message.external_message_id == lost["message_ids"][0]
    assert [one.own for one in swept] == [False, False, False, True]
    assert swept[2].message.media.images[0].url
    assert old.external_message_id not in {one.message.external_message_id for one in swept}
    assert heard.external_message_id in {one.message.external_message_id for one in swept}


async def test_a_sweep_of_a_silent_day_is_empty(counter: Counter) -> None:
    assert list(await counter.channel.arrivals_since(datetime.fromtimestamp(0, UTC), [])) == []


async def test_the_swept_events_have_the_keys_of_the_webhook(counter: Counter) -> None:
    since = datetime.fromtimestamp(counter.shop.time.now(), UTC)
    await counter.shop.write(text="ошипка")
    await counter.shop.write(type="edit", text="ошибка")
    await counter.channel.send_text(CHAT, "Готово")
    await counter.shop.write(type="reaction")
    await counter.shop.write(type="album", content={"count": 2})
    await counter.shop.write(type="location")
    await settle()
    told = {one.event_key for one in counter.delivered() if one.message.event not in {"delivered", "read"}}

    swept = await counter.channel.arrivals_since(since, [])

    assert {one.event_key for one in swept} == told


@pytest.mark.parametrize(
    ("switches", "kind"),
    [
        ({"bad_token": True}, AuthFailed),
        ({"unpaid": True}, PlanRequired),
        ({"logged_out": True}, SessionLost),
        ({"refuse": {"shape": "detail"}}, Rejected),
        ({"refuse": {"shape": "bare"}}, Rejected),
        ({"refuse": {"shape": "as_200"}}, Rejected),
        ({"error": {"status": 500}}, OutcomeUnknown),
        ({"error": {"status": 502}}, OutcomeUnknown),
        ({"drop_after_storing": 1}, OutcomeUnknown),
        ({"rate_limit": {"retry_after": 600}}, RateLimited),
    ],
    ids=str,
)
async def test_every_switch_of_the_sandbox_becomes_the_right_error(
    counter: Counter, switches: dict[str, Any], kind: type[ChannelError]
) -> None:
    await counter.shop.fault(**switches)

    with pytest.raises(ChannelError) as caught:
        await counter.channel.send_text(CHAT, "Готово")
    assert type(caught.value) is kind


async def test_a_lost_answer_is_looked_up_in_the_history(counter: Counter) -> None:
    await counter.shop.fault(drop_after_storing=1)
    with pytest.raises(OutcomeUnknown):
        await counter.channel.send_text(CHAT, "Один раз")

    page = await counter.channel.list_messages(CHAT, 10, "")
    assert [(one.direction, one.text_untrusted) for one in page.messages] == [("out", "Один раз")]


async def test_a_short_pause_is_waited_out(counter: Counter) -> None:
    await counter.shop.fault(rate_limit={"retry_after": 3})

    assert await counter.channel.send_text(CHAT, "Готово")


async def test_a_read_is_repeated_and_a_vendor_that_stays_down_is_told(counter: Counter) -> None:
    await counter.shop.fault(error={"status": 503})
    assert (await counter.channel.list_chats(10, "")).chats == []

    await counter.shop.fault(error={"status": 503, "calls": 99})
    with pytest.raises(VendorDown):
        await counter.channel.list_chats(10, "")
    assert not await counter.channel.is_up()


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_profile_that_is_not_ours_is_told_as_wrong_credentials(status: int) -> None:
    async with open_counter(subscribed=False) as counter:
        await counter.shop.fault(unknown_profile=status)
        await counter.shop.post("profile/delete")

        with pytest.raises(AuthFailed):
            await counter.channel.send_text(CHAT, "Готово")
        assert not await counter.channel.is_up()


async def test_a_hidden_id_is_told_as_unreachable_unless_wappi_takes_it(counter: Counter) -> None:
    lid = ChatId((await counter.hears(text="ау")).meta.raw["whatsapp_chat_id"])
    with pytest.raises(PeerUnreachable, match="hidden id"):
        await counter.channel.send_text(lid, "Готово")

    await counter.shop.fault(lid_recipients=True)
    assert await counter.channel.send_text(lid, "Готово")


@pytest.mark.parametrize(
    ("switches", "codes"),
    [
        ({}, []),
        ({"logged_out": True}, ["session_lost"]),
        ({"unpaid": True}, ["plan_required"]),
    ],
    ids=str,
)
async def test_the_watch_hears_of_session_and_payment(
    counter: Counter, switches: dict[str, Any], codes: list[str]
) -> None:
    await counter.shop.fault(**switches)

    assert [trouble.code for trouble in await counter.channel.troubles()] == codes


async def test_a_number_that_whatsapp_bars_stops_sending_and_tries_again_later(counter: Counter) -> None:
    await counter.shop.fault(delivery_ends="temporary ban")
    await counter.channel.send_text(CHAT, "Раз")
    await counter.shop.time.pass_(1)

    assert [one.code for one in await counter.channel.troubles()] == ["vendor_down"]
    with pytest.raises(RateLimited) as caught:
        await counter.channel.send_text(CHAT, "Два")
    await counter.shop.fault(delivery_ends="delivered")
    await counter.shop.time.pass_(caught.value.retry_after or 0)
    await counter.channel.send_text(CHAT, "Три")
    await counter.shop.time.pass_(1)

    assert await counter.channel.troubles() == []
    assert [one["text"] for one in await counter.shop.seen()] == ["Три"]


async def test_a_payment_that_is_near_is_told_in_time() -> None:
    async with open_counter(paid_days=2) as counter:
        assert [trouble.code for trouble in await counter.channel.troubles()] == ["payment_due"]


async def test_missing_webhook_types_are_told_and_mended_by_a_subscription(counter: Counter) -> None:
    await counter.shop.post("webhook/types/set", ["incoming_message"])

    [trouble] = await counter.channel.troubles()
    assert trouble.code == "not_subscribed"
    assert "outgoing_message_phone" in trouble.detail
    await counter.channel.subscribe_webhook(SITE)
    assert await counter.channel.troubles() == []


async def test_a_short_drop_is_no_trouble_and_a_long_one_is(counter: Counter) -> None:
    await counter.shop.fault(app_status="connecting")

    looks = [[one.code for one in await counter.channel.troubles()] for _ in range(3)]
    assert looks == [[], [], ["vendor_down"]]
    await counter.shop.fault(app_status="open")
    assert await counter.channel.troubles() == []
