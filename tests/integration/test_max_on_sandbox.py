"""The real channel, through its real client, against the simulated MAX."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from core.channel import Arrival, MediaFile, Normalized, WebhookRequest
from core.errors import (
    AuthFailed,
    ChannelError,
    ContractBroken,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
    VendorDown,
)
from core.http import Timing
from core.ids import AccountId, ChatId, MessageId
from core.messages import IncomingMessage
from mcp_max.channel import MaxChannel
from mcp_max.client import MaxClient
from mcp_max.settings import MaxSettings
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.vendor import MaxVendor
from sandbox.media import made_up_picture, made_up_voice
from sandbox.settings import SandboxSettings
from tests.sandbox.max.world import BOT, TOKEN, MaxWorld
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.world import Receiver, settle

SECRET = "hook-secret-0123456789"
SITE = "https://shop.test"
OURS = f"{SITE}/webhook/max/shop"

PHOTO = MediaFile(made_up_picture(40, 30).content, "image/png", "экран.png")
VOICE = MediaFile(made_up_voice().content, "audio/mp4", "voice.mp4")
VIDEO = MediaFile(made_up_voice().content, "video/mp4", "video.mp4")
PDF = MediaFile(b"%PDF-1.4\n%%EOF\n", "application/pdf", "Чек №42.pdf")


@dataclass
class Shop:
    """The channel, the world it speaks to, and what the webhook has brought."""

    world: MaxWorld
    channel: MaxChannel
    read: int = 0

    def meanings(self) -> list[Normalized]:
        """What the deliveries since the last look mean; each is authentic."""
        requests = self.world.receiver.requests[self.read :]
        self.read += len(requests)
        for request in requests:
            assert self.channel.verify(WebhookRequest(request.content, dict(request.headers)))
        return [self.channel.normalize(update) for update in self.world.receiver.pushes[-len(requests) :]]

    def delivered(self) -> list[Arrival]:
        """The same for deliveries that can all be read."""
        meanings = self.meanings()
        assert {(one.unknown, one.foreign) for one in meanings} <= {("", frozenset())}
        return [arrival for one in meanings for arrival in one.arrivals]

    def last(self) -> Arrival:
        """The newest of them."""
        return self.delivered()[-1]

    async def dialog(self) -> ChatId:
        """A dialog that Анна has opened by writing."""
        await self.world.write(text="Здравствуйте")
        return self.last().message.external_chat_id

    async def sees_typing(self) -> bool:
        """Whether somebody seems to write to Анна."""
        customers = (await self.world.control("GET", "/customers")).json()["customers"]
        return bool(customers[0]["chats"][0]["typing"])

    async def seen(self) -> dict[str, Any]:
        """The newest message on Анна's phone."""
        return (await self.world.seen())[-1]


@asynccontextmanager
async def opened(token: str = TOKEN, **simulated: Any) -> AsyncIterator[Shop]:
    """The sandbox with MAX in it, and our channel in front of it; nobody waits in real time."""
    receiver = Receiver()
    own = MaxSandboxSettings(token=SecretStr(TOKEN), **simulated)
    others = SandboxSettings(
        avito_client_id="the-id", avito_client_secret=SecretStr("x"), public_url="http://sandbox.test"
    )
    async with opened_sandbox(others, receiver, [lambda bench: MaxVendor(own, bench)]) as sandbox:
        world = MaxWorld(sandbox.web, sandbox.time, receiver)
        settings = MaxSettings(
            token=SecretStr(token),
            webhook_secret=SecretStr(SECRET),
            base_url="http://sandbox.test/max",
        )
        timing = Timing(
            clock=sandbox.time.now, wall=sandbox.time.now, sleep=sandbox.time.pass_, jitter=lambda: 0.0
        )
        client = MaxClient(settings, timing=timing, transport=httpx.ASGITransport(sandbox.app))
        channel = MaxChannel(client, settings, account=AccountId("shop"))
        yield Shop(world, channel)
        await channel.aclose()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        await shop.channel.subscribe_webhook(SITE)
        yield shop


async def test_a_subscription_is_made_told_renewed_and_ended() -> None:
    async with opened() as shop:
        assert not (await shop.channel.webhook_status()).subscribed
        for _ in range(2):
            status = await shop.channel.subscribe_webhook(SITE)
        assert (status.subscribed, status.urls) == (True, [OURS])
        assert not (await shop.channel.unsubscribe_webhook(SITE)).subscribed
        assert await shop.world.subscriptions() == []


async def test_a_subscription_that_died_of_a_long_outage_is_seen_and_made_again(shop: Shop) -> None:
    """§5.2: eight hours without one success."""
    shop.world.receiver.statuses = [500] * 99
    await shop.world.write(text="ау")
    await shop.world.time.pass_(8 * 3600)
    assert not (await shop.channel.webhook_status()).subscribed

    shop.world.receiver.statuses.clear()
    shop.read = len(shop.world.receiver.requests)
    assert (await shop.channel.subscribe_webhook(SITE)).subscribed
    await shop.world.write(text="снова здесь")
    assert [one.message.text for one in shop.delivered()] == ["снова здесь"]


async def test_a_delivery_with_another_secret_is_refused(shop: Shop) -> None:
    await shop.world.fault(wrong_secret=True)
    await shop.world.write(text="ау")

    [request] = shop.world.receiver.requests
    assert not shop.channel.verify(WebhookRequest(request.content, dict(request.headers)))


async def test_a_customers_words_come_in_and_the_answer_goes_out(shop: Shop) -> None:
    written = await shop.world.write(text="Сколько стоит экран?")
    message = shop.last().message

    sent = await shop.channel.send_text(message.external_chat_id, "От 1500 *без* <b>разметки</b>")

    assert (message.text, message.client_name, message.event) == ("Сколько стоит экран?", "Анна", "message")
    assert message.external_message_id == written["message_ids"][0]
    assert message.external_user_id == written["customer_id"]
    seen = await shop.seen()
    assert (seen["id"], seen["direction"], seen["text"]) == (sent, "out", "От 1500 *без* <b>разметки</b>")


@pytest.mark.parametrize(
    ("letter", "check"),
    [
        ({"image": True, "text": "вот"}, lambda m: (m.text, len(m.media.images)) == ("вот", 1)),
        ({"type": "album", "content": {"count": 4}}, lambda m: len(m.media.images) == 4),
        ({"voice": True}, lambda m: m.media.has_voice and m.media.voice_url),
        (
            {"type": "audio", "content": {"transcription": "сколько стоит"}},
            lambda m: m.media.voice_transcribed_text == "сколько стоит",
        ),
        ({"type": "video"}, lambda m: m.media.videos[0].kind == "video"),
        ({"type": "file"}, lambda m: m.media.documents[0].name == "Акт приёмки.pdf"),
        ({"type": "sticker"}, lambda m: m.media.documents[0].kind == "sticker"),
        ({"type": "location"}, lambda m: round(m.media.locations[0].latitude, 2) == 55.78),
        ({"type": "share"}, lambda m: m.text.startswith("Ссылка: Ремонт телефонов")),
        ({"type": "forward"}, lambda m: m.text == "Переслано от Виктор: Отнеси телефон туда, мне там чинили"),
        ({"type": "attachment"}, lambda m: m.media.documents[0].kind == "data"),
        (
            {"type": "contact", "content": {"name": "Пётр", "phone": "79991112233"}},
            lambda m: (m.media.contacts[0].phone, m.client_phone) == ("+79991112233", None),
        ),
    ],
)
async def test_whatever_a_customer_sends_is_understood(
    shop: Shop, letter: dict[str, Any], check: Any
) -> None:
    await shop.world.write(**letter)

    assert check(shop.last().message)


async def test_a_customers_own_card_tells_their_number(shop: Shop) -> None:
    await shop.world.write(type="contact")
    message = shop.last().message

    assert message.client_phone == message.media.contacts[0].phone
    assert message.client_phone
    assert message.client_phone.startswith("+79")


@pytest.mark.parametrize("kind", ["image", "audio", "video", "file", "sticker"])
async def test_links_open_without_our_token(shop: Shop, kind: str) -> None:
    await shop.world.write(type=kind)
    media = shop.last().message.media
    links = [media.voice_url, *(one.url for one in media.images)]
    links += [one.url for one in (*media.videos, *media.documents)]
    [url] = filter(None, links)

    assert (await shop.world.web.get(url)).status_code == 200


async def test_a_video_can_be_linked_anew(shop: Shop) -> None:
    await shop.world.write(type="video")
    [video] = shop.last().message.media.videos

    link = await shop.channel.media_link(str(video.file_id))

    assert (await shop.world.web.get(link.url)).headers["content-type"] == "video/mp4"


async def test_a_native_voice_note_is_kept_with_a_reason(shop: Shop) -> None:
    """§10.1: neither pushed with its content nor shown in the history."""
    await shop.world.fault(voice_without_message=True)
    await shop.world.write(voice=True)

    [meaning] = shop.meanings()
    assert "voice" in meaning.unknown


async def test_edits_and_deletions_name_their_message(shop: Shop) -> None:
    written = await shop.world.write(text="Сколько?")
    [mid] = written["message_ids"]
    for text in ("Сколько стоит?", "Сколько стоит экран?"):
        shop.world.time.moment += 1
        await shop.world.act("edit", message=mid, text=text)
    await shop.world.control("DELETE", f"/messages/{mid}")

    arrivals = shop.delivered()
    assert [(one.message.event, one.message.text) for one in arrivals] == [
        ("message", "Сколько?"),
        ("edit", "Сколько стоит?"),
        ("edit", "Сколько стоит экран?"),
        ("delete", ""),
    ]
    assert {one.message.external_message_id for one in arrivals} == {mid}
    assert len({one.event_key for one in arrivals}) == 4


async def test_a_repeated_delivery_has_the_same_key(shop: Shop) -> None:
    await shop.world.fault(duplicate=2)
    await shop.world.write(text="ау")

    first, second = shop.delivered()
    assert first.event_key == second.event_key


@pytest.mark.parametrize("quirk", [None, "zero", "absent"])
async def test_a_press_comes_back_is_answered_and_can_be_replied_to(shop: Shop, quirk: str | None) -> None:
    """§10.2: a press may come without the number of its dialog."""
    chat = await shop.dialog()
    asked = await shop.channel.send_buttons(chat, "Когда удобно?", ["Сегодня", "Завтра"])
    await shop.world.fault(press_without_chat=quirk)
    await shop.world.act("press", button="Завтра")
    press = shop.last().message

    await shop.channel.answer_press(press)
    await shop.channel.send_text(press.external_chat_id, "Ждём завтра")

    assert (press.event, press.text, press.reply_to) == ("postback", "Завтра", asked)
    assert (press.external_chat_id == chat) == (quirk is None)
    question, answer = (await shop.world.seen())[-2:]
    assert (question["notes"], answer["text"], answer["chat_id"]) == (["Принято"], "Ждём завтра", chat)


async def test_a_press_below_a_deleted_message_keeps_its_words(shop: Shop) -> None:
    chat = await shop.dialog()
    asked = await shop.channel.send_buttons(chat, "Когда?", ["Завтра"])
    await shop.channel.delete_message(chat, asked)
    await shop.world.act("press", message=asked, payload="Завтра")

    assert shop.last().message.text == "Завтра"


async def test_start_stop_and_removal_are_told(shop: Shop) -> None:
    await shop.world.act("start", payload="avito42")
    started = shop.last()
    await shop.world.act("stop")
    stopped = shop.last()
    chat = started.message.external_chat_id

    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(chat, "Вы тут?")
    await shop.channel.answer_press(started.message)

    assert (started.message.event, started.message.text) == ("postback", "Диалог начат: avito42")
    assert (stopped.message.event, stopped.message.text, stopped.ends_chat) == (
        "notice",
        "Бот остановлен",
        True,
    )
    await shop.world.act("start")
    assert await shop.channel.send_text(chat, "С возвращением")
    await shop.world.act("dialog_removed")
    assert [one.ends_chat for one in shop.delivered()] == [False, True, True]
    with pytest.raises(PeerUnreachable):
        await shop.channel.get_chat(chat)


@pytest.mark.parametrize("kind", ["dialog_cleared", "dialog_muted", "dialog_unmuted"])
async def test_what_a_customer_does_with_the_dialog_is_a_notice(shop: Shop, kind: str) -> None:
    await shop.world.act(kind)

    assert shop.last().message.event == "notice"


async def test_a_group_is_talked_in_and_its_changes_are_notices(shop: Shop) -> None:
    chat = str(await shop.world.group(title="Мастера"))
    await shop.world.write(customer="Борис", text="Кто работает?", chat=chat)
    message = shop.last().message
    await shop.channel.send_text(message.external_chat_id, "Я")
    for kind in ("user_added", "user_removed", "chat_title_changed", "bot_removed"):
        await shop.world.act(kind, chat=chat)

    assert (message.external_chat_id, message.client_name, message.event) == (chat, "Борис", "message")
    assert {one.message.event for one in shop.delivered()} == {"notice"}
    with pytest.raises(Forbidden):
        await shop.channel.send_text(ChatId(chat), "Я")


async def test_a_channels_post_and_its_comments_are_never_answered(shop: Shop) -> None:
    chat = str(await shop.world.group(title="Новости", is_channel=True))
    written = await shop.world.write(text="Скидки", chat=chat)
    await shop.world.act("comment", customer="Борис", chat=chat, post=written["message_ids"][0])

    assert [one.message.event for one in shop.delivered()][1:] == ["notice", "notice"]


async def test_a_bot_that_hears_itself_does_not_answer() -> None:
    """MAX is not known to push our own messages; if it does, nobody takes them for a customer's."""
    async with opened(echo=True) as shop:
        await shop.channel.subscribe_webhook(SITE)
        sent = await shop.channel.send_text(await shop.dialog(), "Добрый день")
        await settle()
        echo = shop.last()

    assert (echo.own, echo.message.event, echo.message.external_message_id) == (
        True,
        "operator_message",
        sent,
    )
    assert echo.fingerprint


@pytest.mark.parametrize(
    ("send", "file", "kind"),
    [
        ("send_image", PHOTO, "image"),
        ("send_video", VIDEO, "video"),
        ("send_document", PDF, "file"),
        ("send_voice", VOICE, "audio"),
    ],
)
@pytest.mark.parametrize("processing", [0.0, 1.0, 20.0])
async def test_files_arrive_also_while_max_still_processes_them(
    send: str, file: MediaFile, kind: str, processing: float
) -> None:
    async with opened(processing=processing) as shop:
        await shop.channel.subscribe_webhook(SITE)
        chat = await shop.dialog()
        sent = await getattr(shop.channel, send)(chat, file, caption="Вот")
        seen = await shop.seen()

    assert (seen["id"], seen["type"]) == (sent, kind)
    assert seen["text"] == ("" if kind == "audio" else "Вот")


async def test_a_file_that_is_never_ready_is_given_up_with_nothing_sent() -> None:
    async with opened(processing=600) as shop:
        await shop.channel.subscribe_webhook(SITE)
        chat = await shop.dialog()
        with pytest.raises(VendorDown):
            await shop.channel.send_video(chat, VIDEO)

        assert (await shop.seen())["direction"] == "in"


async def test_an_executable_is_refused_by_name(shop: Shop) -> None:
    chat = await shop.dialog()

    with pytest.raises(Rejected, match="forbidden"):
        await shop.channel.send_document(chat, MediaFile(b"MZ", "application/x-msdownload", "virus.exe"))


async def test_our_words_can_be_quoted_changed_and_taken_back(shop: Shop) -> None:
    chat = await shop.dialog()
    asked = (await shop.world.seen())[-1]["id"]
    sent = await shop.channel.send_reply(chat, "От 1500", MessageId(asked))
    assert (await shop.seen())["content"]["link"] == asked

    await shop.channel.edit_message(chat, sent, "От 1400")
    assert (await shop.seen())["text"] == "От 1400"
    await shop.channel.delete_message(chat, sent)
    assert (await shop.seen())["type"] == "deleted"
    with pytest.raises(NotFound):
        await shop.channel.edit_message(chat, sent, "От 1300")
    assert await shop.channel.send_reply(chat, "Итак", sent)


async def test_a_late_edit_is_refused_with_the_rule(shop: Shop) -> None:
    chat = await shop.dialog()
    sent = await shop.channel.send_text(chat, "От 1500")
    buttons = await shop.channel.send_buttons(chat, "Когда?", ["Завтра"])
    shop.world.time.moment += 7 * 24 * 3600

    with pytest.raises(Rejected, match="7 days"):
        await shop.channel.edit_message(chat, sent, "От 1400")
    await shop.channel.edit_message(chat, buttons, "Когда удобно?")


async def test_typing_shows_on_the_phone(shop: Shop) -> None:
    chat = await shop.dialog()
    before = await shop.sees_typing()

    await shop.channel.show_typing(chat)

    assert (before, await shop.sees_typing()) == (False, True)


async def test_texts_of_the_whole_limit_are_taken_in_any_unit() -> None:
    for unit in ("characters", "utf-16"):
        async with opened(text_unit=unit) as shop:
            await shop.channel.subscribe_webhook(SITE)
            chat = await shop.dialog()
            for text in ("ы" * 4000, "👍" * 2000):
                assert await shop.channel.send_text(chat, text)


async def test_a_burst_into_one_chat_keeps_the_vendors_rate(shop: Shop) -> None:
    chat = await shop.dialog()
    for number in range(7):
        await shop.channel.send_text(chat, f"часть {number}")

    assert [one["text"] for one in (await shop.world.seen())[1:]] == [f"часть {n}" for n in range(7)]


async def test_a_chat_and_its_history_are_shown(shop: Shop) -> None:
    chat = await shop.dialog()
    for number in range(5):
        await shop.channel.send_text(chat, f"часть {number}")
    shown, cursor = [], ""
    for _ in range(9):
        page = await shop.channel.list_messages(chat, 2, cursor)
        shown += [(one.direction, one.text_untrusted) for one in page.messages]
        if not (cursor := page.next_cursor):
            break

    assert (await shop.channel.get_chat(chat)).client_name_untrusted == "Анна"
    assert shown == [("out", f"часть {n}") for n in range(4, -1, -1)] + [("in", "Здравствуйте")]


async def test_a_sweep_finds_what_a_silent_webhook_lost_under_the_same_keys(shop: Shop) -> None:
    chat = await shop.dialog()
    shop.world.time.moment += 1
    began = datetime.fromtimestamp(shop.world.time.moment, UTC)
    await shop.world.write(text="пришло")
    [came] = shop.delivered()
    await shop.world.fault(silent_webhook=True)
    await shop.world.write(text="потерялось", image=True)
    await shop.channel.send_text(chat, "наше")

    found = await shop.channel.arrivals_since(began, [chat, ChatId("1"), ChatId("user:5")])

    assert [one.message.text for one in found] == ["пришло", "потерялось"]
    assert found[0] == Arrival(_with_raw(came.message, found[0].message), came.event_key)


def _with_raw(message: IncomingMessage, like: IncomingMessage) -> IncomingMessage:
    """The webhook's envelope carries a little more than the history's row."""
    return message.model_copy(update={"meta": like.meta})


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        ({"rate_limit": {"calls": 9}}, RateLimited),
        ({"rate_limit": {"calls": 9, "retry_after": 600}}, RateLimited),
        ({"expired_token": True}, AuthFailed),
        ({"expired_token": True, "auth_status": 403}, AuthFailed),
        ({"suspended": True}, PeerUnreachable),
        ({"drop_after_storing": 1}, OutcomeUnknown),
        ({"error": {"status": 500, "calls": 9}}, OutcomeUnknown),
        ({"error": {"status": 503, "calls": 9}}, OutcomeUnknown),
        ({"error": {"status": 400, "calls": 9}}, Rejected),
        ({"error": {"status": 403, "calls": 9}}, Forbidden),
        ({"error": {"status": 404, "calls": 9}}, NotFound),
        ({"error": {"status": 405, "calls": 9}}, ContractBroken),
        ({"error": {"status": 404, "calls": 9, "code": "dialog.not.found"}}, PeerUnreachable),
        ({"error": {"status": 404, "calls": 9, "code": "chat.not.found"}}, PeerUnreachable),
    ],
)
async def test_every_fault_of_max_is_told_as_what_it_means(
    shop: Shop, switches: dict[str, Any], error: type[ChannelError]
) -> None:
    chat = await shop.dialog()
    await shop.world.fault(**switches)

    with pytest.raises(error) as caught:
        await shop.channel.send_text(chat, "Ровно один раз")
    assert isinstance(caught.value, error)
    assert TOKEN not in str(caught.value)


async def test_a_short_refusal_is_waited_out(shop: Shop) -> None:
    chat = await shop.dialog()
    await shop.world.fault(rate_limit={"calls": 1})

    assert await shop.channel.send_text(chat, "Готово") == (await shop.seen())["id"]


async def test_a_lost_answer_is_unknown_and_found_in_the_history(shop: Shop) -> None:
    chat = await shop.dialog()
    await shop.world.fault(drop_after_storing=1)

    with pytest.raises(OutcomeUnknown):
        await shop.channel.send_text(chat, "Ровно один раз")
    page = await shop.channel.list_messages(chat, 10, "")
    assert [one.text_untrusted for one in page.messages if one.direction == "out"] == ["Ровно один раз"]


@pytest.mark.parametrize(
    "call",
    [
        lambda channel, chat, sent: channel.subscribe_webhook(SITE),
        lambda channel, chat, sent: channel.show_typing(chat),
        lambda channel, chat, sent: channel.edit_message(chat, sent, "От 1400"),
        lambda channel, chat, sent: channel.delete_message(chat, sent),
    ],
    ids=["subscribe", "typing", "edit", "delete"],
)
async def test_a_no_in_a_200_is_a_refusal(shop: Shop, call: Any) -> None:
    chat = await shop.dialog()
    sent = await shop.channel.send_text(chat, "От 1500")
    await shop.world.fault(soft_failure=9)

    with pytest.raises(Rejected, match="made up"):
        await call(shop.channel, chat, sent)


async def test_whoever_never_wrote_cannot_be_written_to(shop: Shop) -> None:
    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(ChatId("user:5"), "Здравствуйте")
    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(ChatId("12345"), "Здравствуйте")


async def test_another_bots_updates_are_not_ours(shop: Shop) -> None:
    await shop.channel.is_up()
    sender = {"user_id": 50_100, "first_name": "Анна", "is_bot": False}
    place = {"chat_id": 90_010, "chat_type": "dialog", "user_id": BOT + 1}
    message = {"sender": sender, "recipient": place, "timestamp": 1, "body": {"mid": "m", "text": "x"}}
    await shop.world.act("update", update_type="message_created", message=message)

    assert [one.foreign for one in shop.meanings()] == [frozenset({str(BOT + 1)})]


async def test_a_right_token_is_up_and_a_wrong_one_is_not(shop: Shop) -> None:
    assert await shop.channel.is_up()
    async with opened(token="another-token-0123456789") as wrong:
        assert not await wrong.channel.is_up()
        with pytest.raises(AuthFailed):
            await wrong.channel.webhook_status()
