"""The real channel, through its real client, against the simulated Telegram."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from core.channel import Arrival, MediaFile, WebhookRequest
from core.errors import (
    AuthFailed,
    ChannelError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
    VendorDown,
    WindowClosed,
)
from core.http import Timing
from core.ids import AccountId, ChatId, MessageId, UserId
from core.messages import IncomingMessage
from mcp_telegram.channel import TelegramChannel
from mcp_telegram.client import TelegramClient
from mcp_telegram.settings import TelegramSettings
from sandbox.telegram.samples import sample
from tests.sandbox.telegram.world import BUSINESS, GROUP, TOKEN, World, opened
from tests.sandbox.world import settle

SECRET = "hook-secret-0123456789"
SITE = "https://shop.example.test"
OURS = f"{SITE}/webhook/telegram/shop"
OWNER = "800000001"

PHOTO = MediaFile(sample("photo_y.jpg").content, "image/jpeg", "экран.jpg")
VOICE = MediaFile(sample("voice.oga").content, "audio/ogg", "voice.ogg")
VIDEO = MediaFile(sample("video.mp4").content, "video/mp4", "video.mp4")
PDF = MediaFile(sample("receipt.pdf").content, "application/pdf", "Чек №42.pdf")


@dataclass
class Shop:
    """The channel, the world it speaks to, and what the webhook has brought."""

    world: World
    channel: TelegramChannel
    read: int = 0

    def delivered(self) -> list[Arrival]:
        """What the deliveries since the last look mean; each is authentic and readable."""
        found: list[Arrival] = []
        for request in self.world.receiver.requests[self.read :]:
            shown = WebhookRequest(request.content, {k.lower(): v for k, v in request.headers.items()})
            assert self.channel.verify(shown)
            meaning = self.channel.normalize(self.world.receiver.updates[self.read])
            assert (meaning.unknown, meaning.foreign) == ("", frozenset())
            found += meaning.arrivals
            self.read += 1
        return found

    async def hears(self, customer: str = "Анна", **letter: Any) -> IncomingMessage:
        """What a customer wrote, as it reached us; of an album the last one."""
        await self.world.write(customer, **letter)
        await self.world.time.pass_(2)
        return self.delivered()[-1].message

    async def seen(self) -> dict[str, Any]:
        """The newest message on the customer's phone."""
        return (await self.world.seen())[-1]


@asynccontextmanager
async def open_shop(**changes: Any) -> AsyncIterator[Shop]:
    async with opened(**changes) as world:

        async def sleep(seconds: float) -> None:
            await world.time.pass_(seconds)

        settings = TelegramSettings(
            token=TOKEN,  # type: ignore[arg-type]  # pydantic wraps it
            webhook_secret=SECRET,  # type: ignore[arg-type]
            base_url="http://sandbox.test/telegram",
        )
        timing = Timing(clock=world.time.now, wall=world.time.now, sleep=sleep, jitter=lambda: 0.0)
        network = httpx.ASGITransport(app=world.app)
        client = TelegramClient(settings, timing=timing, transport=network)
        channel = TelegramChannel(client, settings, account=AccountId("shop"))
        status = await channel.subscribe_webhook(SITE)
        assert (status.subscribed, status.urls) == (True, [OURS])
        yield Shop(world, channel)
        await channel.aclose()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_a_text_comes_in_and_its_answer_goes_out(shop: Shop) -> None:
    asked = await shop.hears(text="Сколько стоит экран?")
    sent = await shop.channel.send_text(asked.external_chat_id, "7 900 ₽ <b>_*[")

    assert (asked.event, asked.text, asked.client_name) == ("message", "Сколько стоит экран?", "Анна")
    seen = await shop.seen()
    assert (seen["direction"], seen["text"], seen["id"]) == ("out", "7 900 ₽ <b>_*[", sent)


async def test_a_photo_can_be_opened(shop: Shop) -> None:
    message = await shop.hears(image=True, text="Вот трещина")
    [image] = message.media.images

    assert (message.text, image.url) == ("Вот трещина", None)
    opened_file = await shop.channel.open_file(image.file_id or "")
    assert (opened_file.content, opened_file.media_type) == (PHOTO.content, "image/jpeg")


async def test_a_voice_note_can_be_opened(shop: Shop) -> None:
    media = (await shop.hears(voice=True)).media
    found = await shop.channel.open_file(media.voice_file_id or "")

    assert (media.has_voice, media.voice_seconds, media.voice_url) == (True, 3.0, None)
    assert (found.content, found.media_type) == (VOICE.content, "audio/ogg")


@pytest.mark.parametrize(
    ("kind", "called"),
    [("video", "video"), ("video_note", "video_note"), ("animation", "animation")],
)
async def test_videos_of_every_kind(shop: Shop, kind: str, called: str) -> None:
    media = (await shop.hears(type=kind)).media

    assert [video.kind for video in media.videos] == [called]
    assert (await shop.channel.open_file(media.videos[0].file_id or "")).media_type == "video/mp4"


@pytest.mark.parametrize("kind", ["document", "audio", "sticker"])
async def test_documents_of_every_kind(shop: Shop, kind: str) -> None:
    media = (await shop.hears(type=kind)).media

    assert [document.kind for document in media.documents] == [kind]
    assert (await shop.channel.open_file(media.documents[0].file_id or "")).content


async def test_an_album_is_so_many_messages(shop: Shop) -> None:
    await shop.world.write(type="album", text="Три снимка")
    await shop.world.time.pass_(2)
    arrivals = shop.delivered()

    assert [one.message.text for one in arrivals] == ["Три снимка", "", ""]
    assert len({one.message.meta.raw["media_group_id"] for one in arrivals}) == 1
    assert len({one.event_key for one in arrivals}) == 3


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("venue", "Метро, Лесная, 7"),
        ("location", ""),
        ("contact", ""),
        ("dice", "Бросок: 🎲 4"),
        ("poll", "Опрос: Когда удобно?"),
        ("game", "Игра: Игра"),
        ("invoice", "Счёт: Экран для телефона"),
        ("story", "История"),
        ("paid_media", "Платные снимки"),
        ("checklist", "Список дел: Что починить"),
        ("rich_message", "Оформленное сообщение"),
    ],
)
async def test_every_other_content_is_a_message(shop: Shop, kind: str, text: str) -> None:
    message = await shop.hears(type=kind)

    assert (message.event, message.text) == ("message", text)


async def test_edits_of_a_message_are_told_each(shop: Shop) -> None:
    first = await shop.hears(text="раз")
    await shop.world.write(type="edit", text="два")
    await shop.world.write(type="edit", text="три")
    edits = shop.delivered()

    assert [(one.message.event, one.message.text) for one in edits] == [("edit", "два"), ("edit", "три")]
    assert {one.message.external_message_id for one in edits} == {first.external_message_id}
    assert len({one.event_key for one in edits}) == 2


async def test_a_reply_names_what_it_answers(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    sent = await shop.channel.send_text(chat, "Оставьте номер")

    assert (await shop.hears(text="зачем?", quote=sent)).reply_to == sent
    answer = await shop.hears(type="own_contact")
    assert (answer.client_phone or "").startswith("+7903")


async def test_buttons_are_pressed_and_the_press_is_answered(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    long = "Подтвердить запись на завтра в десять часов утра, пожалуйста"
    sent = await shop.channel.send_buttons(chat, "Подтвердить?", ["Да", long])

    press = await shop.hears(type="press", text=long)
    assert (press.event, press.text, press.reply_to) == ("postback", long, sent)
    inaccessible = await shop.hears(type="press", content={"data": "Да", "inaccessible": True})
    assert inaccessible.text == "Да"
    await shop.channel.answer_press(press)
    late = press.model_copy(update={"external_message_id": MessageId("press:1")})
    await shop.channel.answer_press(late)


async def test_reactions_come_and_go_both_ways(shop: Shop) -> None:
    asked = await shop.hears(text="ау")
    chat = asked.external_chat_id
    sent = await shop.channel.send_text(chat, "Готово")
    put = await shop.hears(type="reaction", content={"emoji": "🔥"})
    taken = await shop.hears(type="reaction", content={"emoji": ""})

    assert [(one.event, one.text, one.external_message_id) for one in (put, taken)] == [
        ("reaction", "🔥", sent),
        ("reaction", "", sent),
    ]
    await shop.channel.react(chat, asked.external_message_id, "👍")
    assert (await shop.world.seen())[0]["reactions"] == [{"type": "emoji", "emoji": "👍"}]
    await shop.channel.react(chat, asked.external_message_id, "")
    assert (await shop.world.seen())[0]["reactions"] == []


async def test_a_customer_who_blocks_the_bot_is_told_of_and_cannot_be_reached(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.world.write(type="block")
    [gone] = shop.delivered()

    assert (gone.message.event, gone.message.text, gone.ends_chat) == (
        "notice",
        "Клиент заблокировал бота",
        True,
    )
    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(chat, "x")
    assert (await shop.hears(type="unblock")).text == "Клиент разблокировал бота"
    await shop.channel.send_text(chat, "снова с вами")


@pytest.mark.parametrize("topic", [BUSINESS, GROUP])
async def test_files_of_every_kind_go_out(shop: Shop, topic: int) -> None:
    chat = (await shop.hears(text="ау", ad=topic)).external_chat_id
    channel = shop.channel
    for send, file, kind in (
        (channel.send_image, PHOTO, "photo"),
        (channel.send_voice, VOICE, "voice"),
        (channel.send_video, VIDEO, "video"),
        (channel.send_document, PDF, "document"),
    ):
        sent = await send(chat, file, caption="Подпись & <i>всё</i>")
        seen = await shop.seen()
        assert (seen["id"], seen["type"], seen["text"]) == (sent, kind, "Подпись & <i>всё</i>")
    assert (await shop.seen())["content"]["document"]["file_name"] == "Чек №42.pdf"


async def test_a_reply_quotes_and_falls_back_to_plain(shop: Shop) -> None:
    asked = await shop.hears(text="ау")
    chat = asked.external_chat_id
    await shop.channel.send_reply(chat, "Слушаю", asked.external_message_id)
    await shop.channel.send_reply(chat, "И ещё", MessageId(f"{chat}:9999"))

    assert [one["text"] for one in await shop.world.seen()] == ["ау", "Слушаю", "И ещё"]


@pytest.mark.parametrize("topic", [1, BUSINESS])
async def test_our_words_can_be_changed_and_taken_back(shop: Shop, topic: int) -> None:
    chat = (await shop.hears(text="ау", ad=topic)).external_chat_id
    sent = await shop.channel.send_text(chat, "7 900")
    for _ in range(2):
        await shop.channel.edit_message(chat, sent, "8 900")
    assert (await shop.seen())["text"] == "8 900"

    rights = {"can_reply": True, "can_delete_sent_messages": True}
    await shop.world.write(type="business_connection", content={"rights": rights})
    await shop.channel.delete_message(chat, sent)
    assert (await shop.seen())["text"] == "ау"
    with pytest.raises(ChannelError):
        await shop.channel.delete_message(chat, sent)


async def test_somebody_is_seen_typing(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.channel.show_typing(chat)

    customers = (await shop.world.control("GET", "/customers")).json()["customers"]
    assert [one["note"] for who in customers for one in who["chats"]] == ["бот печатает…"]


async def test_who_it_is(shop: Shop) -> None:
    asked = await shop.hears("Борис Петров", text="ау")
    info = await shop.channel.get_chat(asked.external_chat_id)
    profile = await shop.channel.get_profile(asked.external_user_id)

    assert (info.client_name_untrusted, info.client_user_id) == ("Борис Петров", asked.external_user_id)
    assert profile.name_untrusted == "Борис Петров"
    assert profile.username_untrusted == f"client_{asked.external_user_id}"
    for nobody in ("1", "x"):
        with pytest.raises(NotFound):
            await shop.channel.get_profile(UserId(nobody))


async def test_a_business_chat_is_answered_through_its_connection(shop: Shop) -> None:
    asked = await shop.hears(text="Вы работаете?", ad=BUSINESS)
    sent = await shop.channel.send_text(asked.external_chat_id, "Да")
    await shop.channel.mark_message_read(asked.external_chat_id, asked.external_message_id)

    assert asked.external_chat_id == f"bcAAAAexample:{asked.external_user_id}"
    assert [(one["id"], one["text"]) for one in await shop.world.seen()][-1] == (sent, "Да")
    assert (await shop.world.seen())[0]["read"] is True


async def test_the_owner_takes_over_and_telegram_answers_for_the_owner(shop: Shop) -> None:
    chat = (await shop.hears(text="ау", ad=BUSINESS)).external_chat_id
    await shop.world.control("POST", "/operator/messages", json={"chat": chat, "text": "Сейчас отвечу"})
    [typed] = shop.delivered()
    await shop.world.write(type="away", ad=BUSINESS)
    [away] = shop.delivered()

    assert (typed.own, typed.message.event, typed.message.external_user_id) == (
        True,
        "operator_message",
        OWNER,
    )
    assert (away.message.event, away.message.text) == ("notice", "Мы ответим утром.")


async def test_what_we_send_over_a_connection_bears_the_same_id_when_it_is_echoed() -> None:
    """Whether Telegram echoes it is not settled (§3, §9)."""
    async with open_shop(business_echo=True) as shop:
        chat = (await shop.hears(text="ау", ad=BUSINESS)).external_chat_id
        sent = await shop.channel.send_text(chat, "эхо")
        await settle()
        [echo] = shop.delivered()

    assert (echo.own, echo.message.event, echo.message.external_message_id) == (
        True,
        "operator_message",
        sent,
    )
    assert echo.fingerprint


async def test_business_edits_and_deletions(shop: Shop) -> None:
    first = await shop.hears(text="раз", ad=BUSINESS)
    edit = await shop.hears(type="edit", text="1", ad=BUSINESS)
    gone = await shop.hears(type="delete", ad=BUSINESS)

    assert [(one.event, one.external_message_id) for one in (edit, gone)] == [
        ("edit", first.external_message_id),
        ("delete", first.external_message_id),
    ]


async def test_a_silent_day_closes_a_business_chat(shop: Shop) -> None:
    chat = (await shop.hears(text="ау", ad=BUSINESS)).external_chat_id
    await shop.world.fault(closed_window=True)

    with pytest.raises(WindowClosed):
        await shop.channel.send_text(chat, "x")


async def test_a_connection_that_ends_is_told_of(shop: Shop) -> None:
    chat = (await shop.hears(text="ау", ad=BUSINESS)).external_chat_id
    gone = await shop.hears(type="business_connection", content={"is_enabled": False})

    assert gone.text == "Бизнес-подключение bcAAAAexample (Иван) отключено"
    with pytest.raises(Forbidden):
        await shop.channel.send_text(chat, "x")
    await shop.hears(type="business_connection")
    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(ChatId("bcAAAAexample:900000009"), "x")


async def test_a_group_that_moved_is_reached_where_it_is(shop: Shop) -> None:
    chat = (await shop.hears(text="всем привет", ad=GROUP)).external_chat_id
    await shop.world.write(type="upgrade_group", ad=GROUP)
    old, new = shop.delivered()
    sent = await shop.channel.send_text(chat, "и вам")

    assert [(one.message.event, one.ends_chat) for one in (old, new)] == [("notice", True), ("notice", False)]
    assert sent.startswith(f"{new.message.external_chat_id}:")
    with pytest.raises(NotFound):
        await shop.channel.show_typing(chat)


@pytest.mark.parametrize(("kind", "event"), [("new_chat_members", "notice"), ("pinned_message", "notice")])
async def test_service_messages_are_notices(shop: Shop, kind: str, event: str) -> None:
    assert (await shop.hears(type=kind, ad=GROUP)).event == event


async def test_a_stranger_and_a_gone_customer_cannot_be_written_to(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.channel.send_text(ChatId("123456"), "x")
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.world.write(type="deactivate")
    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(chat, "x")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"error": {"status": 500}}, OutcomeUnknown),
        ({"error": {"status": 504}}, OutcomeUnknown),
        ({"error": {"status": 401}}, AuthFailed),
        ({"error": {"status": 413}}, Rejected),
        ({"error": {"status": 400, "description": "have no write access to the chat"}}, Forbidden),
        ({"forbidden": {"calls": 1}}, PeerUnreachable),
        ({"expired_token": True}, AuthFailed),
        ({"rate_limit": {"calls": 3, "retry_after": 60}}, RateLimited),
    ],
)
async def test_every_fault_is_told_by_name(
    shop: Shop, fault: dict[str, Any], kind: type[ChannelError]
) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.world.fault(**fault)

    with pytest.raises(kind):
        await shop.channel.send_text(chat, "x")


@pytest.mark.parametrize("how", ["502", "500"])
async def test_a_lost_answer_is_unknown_and_the_message_is_out_once(shop: Shop, how: str) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.world.fault(drop_after_storing=1, drop_as=how)

    with pytest.raises(OutcomeUnknown):
        await shop.channel.send_text(chat, "один раз")
    assert [one["text"] for one in await shop.world.seen()] == ["ау", "один раз"]


async def test_a_short_pause_is_waited_out(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    before = shop.world.time.now()
    await shop.world.fault(rate_limit={"calls": 1, "retry_after": 7})
    await shop.channel.send_text(chat, "дождались")

    assert shop.world.time.now() - before >= 7


async def test_many_messages_stay_within_the_limits_of_a_chat(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    for number in range(12):
        await shop.channel.send_text(chat, str(number))

    assert [one["text"] for one in await shop.world.seen()][1:] == [str(number) for number in range(12)]


async def test_a_file_above_twenty_megabytes_is_refused_by_that_limit(shop: Shop) -> None:
    message = await shop.hears(type="document", content={"file_size": (20 << 20) + 1})

    with pytest.raises(Rejected, match="20 MB"):
        await shop.channel.open_file(message.media.documents[0].file_id or "")
    with pytest.raises(NotFound):
        await shop.channel.open_file("nothing")


async def test_nobody_elses_address_is_replaced(shop: Shop) -> None:
    await shop.world.subscribe("https://crm.example.test/hooks/s3cret")

    with pytest.raises(Rejected, match=r"crm\.example\.test/\*\*\*") as caught:
        await shop.channel.subscribe_webhook(SITE)
    assert "s3cret" not in str(caught.value)
    assert not (await shop.channel.webhook_status()).subscribed
    await shop.channel.unsubscribe_webhook("https://crm.example.test/***")
    assert (await shop.channel.subscribe_webhook("https://new.example.test")).subscribed


async def test_failing_deliveries_are_told(shop: Shop) -> None:
    assert await shop.channel.troubles() == []
    shop.world.receiver.usual = 500
    await shop.world.write(text="не дойдёт")

    [trouble] = await shop.channel.troubles()
    assert (trouble.code, "500 Internal Server Error" in trouble.detail) == ("deliveries_failing", True)


async def test_kinds_that_never_come_are_told(shop: Shop) -> None:
    await shop.world.subscribe(OURS, allowed_updates=["message"], secret_token=SECRET)

    [trouble] = await shop.channel.troubles()
    assert (trouble.code, "callback_query" in trouble.detail) == ("not_subscribed", True)
    await shop.world.time.pass_(1)
    await shop.channel.subscribe_webhook(SITE)
    assert await shop.channel.troubles() == []


async def test_a_phone_is_asked_for_and_given(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.channel.ask_for_phone(chat, "Как вам позвонить?", "Отправить номер")
    answer = await shop.hears(type="press", text="Отправить номер")

    assert (answer.client_phone or "").startswith("+7903")
    assert answer.media.contacts[0].phone


async def test_a_forged_delivery_is_not_believed(shop: Shop) -> None:
    for how in ("wrong", "absent"):
        await shop.world.fault(secret=how)
        await shop.world.write(text="x")
        request = shop.world.receiver.requests[-1]
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert not shop.channel.verify(WebhookRequest(request.content, headers))


async def test_the_vendor_is_up_and_down(shop: Shop) -> None:
    assert await shop.channel.is_up()
    await shop.world.fault(expired_token=True)
    assert not await shop.channel.is_up()


async def test_two_who_set_the_address_at_once_do_not_disturb_each_other() -> None:
    """409 "terminated by other setWebhook" is tried again (§2.1)."""
    async with open_shop() as shop:
        await shop.world.time.pass_(1)
        conflict = {"status": 409, "description": "terminated by other setWebhook", "path": "setWebhook"}
        await shop.world.fault(error=conflict)

        assert (await shop.channel.subscribe_webhook(SITE)).subscribed


async def test_a_read_is_tried_again_after_a_failure(shop: Shop) -> None:
    chat = (await shop.hears(text="ау")).external_chat_id
    await shop.world.fault(error={"status": 502, "calls": 2})
    assert (await shop.channel.get_chat(chat)).client_name_untrusted == "Анна"
    await shop.world.fault(error={"status": 502, "calls": 3})
    with pytest.raises(VendorDown):
        await shop.channel.get_chat(chat)
