"""The real channel, through its real client, against the simulated VK."""

import json
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
from mcp_vk.channel import VkChannel
from mcp_vk.client import VkClient, random_id_of
from mcp_vk.settings import VkSettings
from sandbox.media import made_up_picture
from sandbox.settings import SandboxSettings
from sandbox.vk.media_objects import sample_voice
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.vendor import VkVendor
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.vk.world import CHAT, GROUP, TOKEN, VkReceiver, VkWorld
from tests.sandbox.world import settle

SECRET = "callback-secret-0123456789"
SITE = "https://shop.test"
GIVEN = f"{SITE}/webhook/vk/shop"

PHOTO = MediaFile(made_up_picture(40, 30).content, "image/png", "экран.bin")
VOICE = MediaFile(sample_voice().content, "audio/ogg", "запись")
PDF = MediaFile(b"%PDF-1.4\n%%EOF\n", "application/pdf", "Чек №42.pdf")


@dataclass
class CallbackServer(VkReceiver):
    """Our webhook route: the handshake first, then `verify`, then `ok`."""

    channel: VkChannel | None = None
    meanings: list[Normalized] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert self.channel is not None
        self.requests.append(request)
        path = request.url.path.removeprefix("/webhook/vk/shop").strip("/")
        shown = WebhookRequest(request.content, dict(request.headers), secret=path)
        if (code := self.channel.handshake(shown)) is not None:
            return httpx.Response(200, text=code)
        if not self.channel.verify(shown):
            return httpx.Response(401)
        self.meanings.append(self.channel.normalize(json.loads(request.content)))
        return httpx.Response(200, text="ok")


@dataclass
class Shop:
    """The channel, the world it speaks to, and what the webhook has brought."""

    world: VkWorld
    channel: VkChannel
    server: CallbackServer

    async def meanings(self) -> list[Normalized]:
        """What came since the last look."""
        await settle()
        came, self.server.meanings = self.server.meanings, []
        return came

    async def arrivals(self) -> list[Arrival]:
        return [arrival for meaning in await self.meanings() for arrival in meaning.arrivals]

    async def hear(self, customer: str = "Анна", **letter: Any) -> IncomingMessage:
        """What the webhook brings of one letter."""
        await self.world.write(customer, **letter)
        [arrival] = await self.arrivals()
        return arrival.message

    async def meet(self, customer: str = "Анна") -> ChatId:
        """A customer writes; the chat with them."""
        return (await self.hear(customer, text="Здравствуйте")).external_chat_id

    async def last(self, customer: str = "Анна") -> dict[str, Any]:
        return (await self.world.seen(customer))[-1]


@asynccontextmanager
async def opened(*, subscribed: bool = True, **given: Any) -> AsyncIterator[Shop]:
    """The sandbox with our channel in front of it; sleeping only lets the others work."""
    plain = {"access_token": SecretStr(TOKEN), "calls_per_second": 1000, **given}
    settings = SandboxSettings(
        avito_client_id="the-id", avito_client_secret=SecretStr("x"), public_url="http://sandbox.test"
    )
    vk, server = VkSandboxSettings(**plain), CallbackServer()
    async with opened_sandbox(settings, server, [lambda bench: VkVendor(vk, bench)]) as sandbox:
        now = sandbox.time.now
        timing = Timing(clock=now, wall=now, sleep=_let_others_work, jitter=lambda: 0.0)
        ours = VkSettings(
            access_token=SecretStr(TOKEN),
            group_id=GROUP,
            webhook_secret=SecretStr(SECRET),
            base_url="http://sandbox.test/vk/method/",
            requests_per_second=1_000,
            burst=1_000,
        )
        client = VkClient(ours, timing=timing, transport=httpx.ASGITransport(app=sandbox.app))
        server.channel = VkChannel(client, ours, account=AccountId("shop"))
        shop = Shop(VkWorld(sandbox.web, sandbox.time, server), server.channel, server)
        if subscribed:
            assert (await shop.channel.subscribe_webhook(SITE)).subscribed
        yield shop


async def _let_others_work(_: float) -> None:
    await settle()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as shop:
        yield shop


async def test_a_subscription_is_confirmed_by_the_code_in_its_address() -> None:
    async with opened(subscribed=False) as shop:
        status = await shop.channel.subscribe_webhook(SITE)

        assert status.model_dump() == {"subscribed": True, "urls": [f"{GIVEN}/***"]}
        assert await shop.channel.troubles() == []


@pytest.mark.parametrize("given", [{"bare_confirmation": True}, {"rotate_code": False}])
async def test_a_confirmation_may_be_bare_and_its_code_may_stay(given: dict[str, Any]) -> None:
    async with opened(**given) as shop:
        assert (await shop.channel.webhook_status()).subscribed


async def test_subscribing_again_adds_nothing(shop: Shop) -> None:
    for url in (SITE, f"{SITE}/webhook/vk", GIVEN):
        assert (await shop.channel.subscribe_webhook(url)).urls == [f"{GIVEN}/***"]


async def test_another_replica_answers_the_confirmation_of_the_first(shop: Shop) -> None:
    """It has never asked for a code; the address tells it."""
    await shop.channel.unsubscribe_webhook(GIVEN)
    settings = VkSettings(
        access_token=SecretStr(TOKEN), group_id=GROUP, webhook_secret=SecretStr(SECRET), base_url="http://x"
    )
    shop.server.channel = VkChannel(VkClient(settings), settings, account=AccountId("shop"))

    assert (await shop.channel.subscribe_webhook(SITE)).subscribed


async def test_a_failed_server_is_replaced_and_those_of_others_stay(shop: Shop) -> None:
    await shop.world.api(
        "groups.addCallbackServer", group_id=GROUP, url="https://crm.test/x?k=1", title="crm"
    )
    await shop.world.fault(servers_failed=True)
    assert not (await shop.channel.webhook_status()).subscribed

    status = await shop.channel.subscribe_webhook(SITE)

    assert (status.subscribed, sorted(status.urls)) == (True, ["***", f"{GIVEN}/***"])


async def test_an_address_that_does_not_answer_leaves_nothing_behind() -> None:
    async with opened(subscribed=False) as shop:
        shop.server.channel = VkChannel(shop.channel._client, _other_community(), account=AccountId("shop"))

        with pytest.raises(Rejected, match="Can the internet reach it"):
            await shop.channel.subscribe_webhook(SITE)
        assert (await shop.channel.webhook_status()).urls == []


def _other_community() -> VkSettings:
    return VkSettings(
        access_token=SecretStr(TOKEN), group_id=5, webhook_secret=SecretStr(SECRET), base_url="http://x"
    )


async def test_ten_servers_of_others_are_told_and_not_touched() -> None:
    async with opened(subscribed=False) as shop:
        for number in range(10):
            given = {"group_id": GROUP, "url": f"https://crm.test/{number}", "title": "crm"}
            await shop.world.api("groups.addCallbackServer", **given)

        with pytest.raises(Rejected, match="Servers number limit"):
            await shop.channel.subscribe_webhook(SITE)
        assert len((await shop.channel.webhook_status()).urls) == 10


@pytest.mark.parametrize("named", [SITE, GIVEN, f"{GIVEN}/***"])
async def test_a_subscription_ends_by_any_of_its_names(shop: Shop, named: str) -> None:
    status = await shop.channel.unsubscribe_webhook(named)

    assert status.model_dump() == {"subscribed": False, "urls": []}
    assert await shop.world.write(text="ау")
    assert await shop.meanings() == []


async def test_events_that_were_switched_off_are_a_trouble(shop: Shop) -> None:
    [server] = (await shop.world.api("groups.getCallbackServers", group_id=GROUP))["items"]
    off = {"message_new": 0, "message_event": 0}
    await shop.world.api("groups.setCallbackSettings", group_id=GROUP, server_id=server["id"], **off)

    [trouble] = await shop.channel.troubles()

    assert trouble.code == "deliveries_failing"
    assert "message_event, message_new" in trouble.detail
    await shop.channel.subscribe_webhook(SITE)
    assert await shop.channel.troubles() == []


async def test_a_key_that_lacks_rights_is_a_trouble() -> None:
    async with opened(subscribed=False, permissions=("messages", "photos")) as shop:
        [trouble] = await shop.channel.troubles()

        assert (trouble.code, trouble.detail) == (
            "credentials_refused",
            "The community key lacks the rights: manage, docs.",
        )


@pytest.mark.parametrize("switch", [{"wrong_secret": True}])
async def test_a_delivery_with_another_secret_is_refused(shop: Shop, switch: dict[str, Any]) -> None:
    await shop.world.fault(**switch)
    await shop.world.write(text="ау")

    assert await shop.meanings() == []


async def test_a_delivery_for_another_community_is_kept_apart(shop: Shop) -> None:
    await shop.world.fault(wrong_group=True)
    await shop.world.write(text="ау")

    assert await shop.meanings() == [Normalized(foreign=frozenset({str(GROUP + 1)}))]


async def test_a_repeated_delivery_has_one_key(shop: Shop) -> None:
    await shop.world.fault(duplicate=2)
    await shop.world.write(text="ау")

    first, second = await shop.arrivals()
    assert first.event_key == second.event_key


async def test_a_text_comes_in_and_an_answer_goes_out(shop: Shop) -> None:
    message = await shop.hear(text="Сколько?")
    sent = await shop.channel.send_text(message.external_chat_id, "От 1500 ₽ 😀\nи выше", key="k-1#0")
    seen = await shop.last()
    [echo] = await shop.arrivals()

    assert (message.event, message.text) == ("message", "Сколько?")
    assert (seen["id"], seen["text"]) == (sent, "От 1500 ₽ 😀\nи выше")
    assert (echo.own, echo.message.external_message_id, echo.message.event) == (
        True,
        sent,
        "operator_message",
    )
    assert echo.fingerprint


async def test_a_group_chat_has_ids_of_its_own(shop: Shop) -> None:
    """Messages of group chats have no id in the mailbox (§1)."""
    message = await shop.hear(text="Кто тут?", chat=str(CHAT))
    sent = await shop.channel.send_text(message.external_chat_id, "Мы")
    [echo] = await shop.arrivals()

    assert (message.external_chat_id, message.external_message_id) == (str(CHAT), f"{CHAT}:1")
    assert (sent, echo.message.external_message_id) == (f"{CHAT}:2", f"{CHAT}:2")
    await shop.channel.edit_message(message.external_chat_id, sent, "Мы здесь")
    assert (await shop.last())["text"] == "Мы здесь"
    await shop.channel.delete_message(message.external_chat_id, sent)
    assert (await shop.last())["text"] == "Кто тут?"


async def test_a_photo_comes_in_with_a_link_that_opens(shop: Shop) -> None:
    message = await shop.hear(text="Вот", image=True)
    [image] = message.media.images

    assert (message.text, message.media.has_images) == ("Вот", True)
    assert (await shop.world.web.get(image.url or "")).headers["content-type"].startswith("image/")
    assert (await shop.channel.media_link(image.file_id or "")).url == image.url


async def test_a_voice_note_comes_in_and_its_transcript_later(shop: Shop) -> None:
    message = await shop.hear(voice=True)
    chat = message.external_chat_id
    opened = await shop.world.web.get(message.media.voice_url or "")
    await shop.world.time.pass_(10)
    [row] = (await shop.channel.list_messages(chat, 5, "")).messages

    assert (message.media.has_voice, message.media.voice_transcribed_text) == (True, None)
    assert opened.headers["content-type"] == "audio/ogg"
    assert (row.type, row.text_untrusted) == ("voice", "Сколько стоит новый экран?")
    assert row.voice_file_id == message.media.voice_file_id


@pytest.mark.parametrize(
    ("letter", "text", "media"),
    [
        ({"type": "album", "content": {"count": 3}}, "", "images"),
        ({"type": "document"}, "", "documents"),
        ({"type": "gif"}, "", "documents"),
        ({"type": "video"}, "", "videos"),
        ({"type": "sticker"}, "", "documents"),
        ({"type": "graffiti"}, "Граффити", "images"),
        ({"type": "location"}, "", "locations"),
        ({"type": "market"}, "Товар: Замена экрана iPhone, 4 500 ₽", ""),
        ({"type": "wall"}, "Запись: Скидка на замену экранов до конца недели", ""),
        ({"type": "link"}, "Ссылка: Экраны, https://example.test/screens", ""),
        ({"type": "wall_reply"}, "Комментарий: Комментарий", ""),
        ({"type": "poll"}, "Опрос: Когда удобно?", ""),
        ({"type": "gift"}, "Подарок", ""),
        ({"type": "story"}, "История", ""),
        ({"type": "call"}, "Звонок", ""),
        ({"type": "audio"}, "Аудиозапись: Хор, Песня", ""),
        ({"type": "article"}, "Статья: Статья, https://example.test/article", ""),
        ({"type": "podcasts"}, "Подкаст: Подкаст", ""),
        ({"type": "video_playlist"}, "Плейлист: Плейлист", ""),
        ({"type": "unknown_attachment"}, "Вложение mini_app: Калькулятор", ""),
        ({"type": "forward"}, "Переслано: Переслано от мастера", ""),
    ],
)
async def test_everything_that_can_be_attached_comes_in(
    shop: Shop, letter: dict[str, Any], text: str, media: str
) -> None:
    message = await shop.hear(**letter)

    assert (message.event, message.text) == ("message", text)
    assert not media or getattr(message.media, media)
    assert message.media.is_empty == (not media)


async def test_a_cropped_forward_says_so(shop: Shop) -> None:
    assert "не полностью" in (await shop.hear(type="cropped")).text


async def test_a_reply_names_what_it_answers(shop: Shop) -> None:
    first = await shop.hear(text="Какая модель?")

    assert (
        await shop.hear(text="A51", quote=first.external_message_id)
    ).reply_to == first.external_message_id


async def test_a_reference_and_a_start_are_told(shop: Shop) -> None:
    by_link = await shop.hear(type="ref")
    start = await shop.hear(type="start")
    service = await shop.hear(type="service", chat=str(CHAT))

    assert by_link.meta.ad_id == "shop"
    assert (start.event, start.text) == ("postback", "Начать")
    assert service.event == "notice"


async def test_an_edit_is_another_event_of_the_same_message(shop: Shop) -> None:
    first = await shop.hear(text="цена")
    await shop.world.time.pass_(1)
    edit = await shop.hear(type="edit", text="цена стекла?")
    await shop.world.time.pass_(1)
    await shop.world.write(type="edit", text="цена экрана?")
    [again] = await shop.arrivals()

    assert (edit.event, edit.text) == ("edit", "цена стекла?")
    assert edit.external_message_id == first.external_message_id == again.message.external_message_id
    assert again.event_key.startswith(f"{first.external_message_id}:edit:")


async def test_reactions_reading_and_consent_come_in(shop: Shop) -> None:
    chat = await shop.meet()
    sent = await shop.channel.send_text(chat, "Готово")
    await shop.arrivals()
    reaction = await shop.hear(type="reaction", content={"reaction_id": 3})
    taken_back = await shop.hear(type="unreaction")
    await shop.world.control("POST", "/customers/Анна/read")
    [read] = await shop.arrivals()
    allowed = await shop.hear(type="message_allow")
    await shop.world.write(type="message_deny")
    [denied] = await shop.arrivals()

    assert (reaction.event, reaction.text, reaction.external_message_id) == ("reaction", "Реакция № 3", sent)
    assert (taken_back.event, taken_back.text) == ("reaction", "")
    assert (read.message.event, read.message.external_message_id) == ("read", sent)
    assert (allowed.event, denied.message.event, denied.ends_chat) == ("notice", "notice", True)


@pytest.mark.promise("typing")
async def test_a_customer_who_types_is_told_as_that(shop: Shop) -> None:
    """Each time anew: the second one is no repeat of the first."""
    chat = await shop.meet()
    await shop.world.write(type="typing")
    await shop.world.write(type="typing")
    first, second = [one.message for one in await shop.arrivals()]

    assert first.event == "typing"
    assert (first.external_chat_id, str(first.external_user_id)) == (chat, chat)
    assert second.external_message_id != first.external_message_id


async def test_other_news_are_kept(shop: Shop) -> None:
    await shop.meet()
    [server] = (await shop.world.api("groups.getCallbackServers", group_id=GROUP))["items"]
    await shop.world.api(
        "groups.setCallbackSettings",
        group_id=GROUP,
        server_id=server["id"],
        group_join=1,
    )
    await shop.world.write(type="event", content={"type": "group_join", "object": {"user_id": 5}})

    assert await shop.meanings() == [Normalized(unknown="unknown event type 'group_join'")]


async def test_text_buttons_are_pressed(shop: Shop) -> None:
    chat = await shop.meet()
    labels = [f"Вариант «{number}»" for number in range(10)]
    await shop.channel.send_buttons(chat, "Выберите", labels)
    rows = (await shop.last())["content"]["keyboard"]["buttons"]
    await shop.arrivals()
    pressed = await shop.hear(type="button")

    assert [button["action"]["label"] for row in rows for button in row] == labels
    assert (pressed.event, pressed.text) == ("postback", labels[0])
    await shop.channel.answer_press(pressed)


@pytest.mark.parametrize("as_text", [False, True])
async def test_a_callback_button_is_heard_and_stops_waiting(shop: Shop, *, as_text: bool) -> None:
    """Other programs of the community may send them."""
    chat = await shop.meet()
    keyboard = {
        "inline": True,
        "buttons": [[{"action": {"type": "callback", "label": "Да", "payload": '{"a":1}'}}]],
    }
    await shop.world.send(int(chat), "Ждём?", keyboard=json.dumps(keyboard))
    await shop.world.fault(string_payload=as_text)
    await shop.arrivals()
    press = await shop.hear(type="press")

    assert (press.event, press.text, press.reply_to) == ("postback", '{"a":1}', f"{chat}:2")
    await shop.channel.answer_press(press)
    assert (await shop.last())["content"]["answers"] == [{}]


async def test_an_operators_words_are_not_taken_for_an_echo(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.control("POST", "/operator/messages", json={"chat": chat, "text": "Я сам"})
    [arrival] = await shop.arrivals()

    assert (arrival.own, arrival.fingerprint) == (True, "")
    assert (arrival.message.event, arrival.message.text) == ("operator_message", "Я сам")


async def test_a_picture_goes_out_with_its_caption(shop: Shop) -> None:
    chat = await shop.meet()
    sent = await shop.channel.send_image(chat, PHOTO, caption="Вот экран", key="k")
    seen = await shop.last()
    [echo] = await shop.arrivals()

    assert (seen["id"], seen["type"], seen["text"]) == (sent, "image", "Вот экран")
    assert (await shop.world.web.get(seen["image_url"])).content == PHOTO.content
    assert (echo.fingerprint, echo.message.text) == ("image", "Вот экран")


async def test_a_voice_note_goes_out(shop: Shop) -> None:
    chat = await shop.meet()
    sent = await shop.channel.send_voice(chat, VOICE)
    seen = await shop.last()
    [echo] = await shop.arrivals()

    assert (seen["id"], seen["type"]) == (sent, "voice")
    assert (await shop.world.web.get(seen["voice_url"])).content == VOICE.content
    assert echo.fingerprint == "voice"


async def test_a_document_goes_out_under_its_name(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.channel.send_document(chat, PDF, caption="Ваш чек")
    seen = await shop.last()
    [echo] = await shop.arrivals()

    assert (seen["type"], seen["text"]) == ("doc", "Ваш чек")
    assert seen["content"]["attachments"][0]["doc"]["title"] == "Чек №42.pdf"
    assert echo.fingerprint == "document"


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("image", MediaFile(b"%PDF", "image/png", "p.png")),
        ("image", MediaFile(PHOTO.content, "image/webp", "p.webp")),
        ("voice", MediaFile(b"ftypM4A", "audio/ogg", "v.ogg")),
        ("document", MediaFile(b"ID3", "audio/mpeg", "song.mp3")),
    ],
)
async def test_a_file_that_vk_refuses_is_rejected(shop: Shop, kind: str, file: MediaFile) -> None:
    chat = await shop.meet()
    send = {
        "image": shop.channel.send_image,
        "voice": shop.channel.send_voice,
        "document": shop.channel.send_document,
    }[kind]

    with pytest.raises(Rejected):
        await send(chat, file)
    assert (await shop.last())["text"] == "Здравствуйте"


async def test_an_upload_that_comes_back_empty_is_rejected(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.fault(empty_upload=True)

    for send in (shop.channel.send_image(chat, PHOTO), shop.channel.send_document(chat, PDF)):
        with pytest.raises(Rejected):
            await send


@pytest.mark.parametrize("code", [105, 121])
async def test_a_file_that_was_not_saved_is_uploaded_once_more(shop: Shop, code: int) -> None:
    chat = await shop.meet()
    await shop.world.fault(api_error={"code": code, "calls": 1, "path": "docs.save"})
    await shop.channel.send_document(chat, PDF)
    await shop.world.fault(api_error={"code": code, "calls": 2, "path": "docs.save"})

    with pytest.raises(Rejected):
        await shop.channel.send_document(chat, PDF)
    assert [one["type"] for one in await shop.world.seen()] == ["text", "doc"]


async def test_a_reply_quotes_and_what_is_gone_is_not_quoted(shop: Shop) -> None:
    asked = await shop.hear(text="Модель?")
    chat = asked.external_chat_id
    await shop.channel.send_reply(chat, "A51", asked.external_message_id)
    [answer, _] = (await shop.channel.list_messages(chat, 5, "")).messages
    await shop.channel.send_reply(chat, "A52", MessageId(f"{chat}:99"))
    await shop.channel.send_reply(chat, "A53", MessageId("elsewhere"))

    assert answer.reply_to == asked.external_message_id
    assert [one["text"] for one in await shop.world.seen()] == ["Модель?", "A51", "A52", "A53"]


async def test_an_edit_leaves_the_picture_and_the_buttons_where_they_are(shop: Shop) -> None:
    chat = await shop.meet()
    pictured = await shop.channel.send_image(chat, PHOTO, caption="Черный")
    await shop.channel.edit_message(chat, pictured, "Чёрный")
    seen = await shop.last()
    buttons = await shop.channel.send_buttons(chat, "Выбирете", ["Да"])
    await shop.channel.edit_message(chat, buttons, "Выберите")
    edits = [one for one in await shop.arrivals() if one.message.event == "edit"]

    assert (seen["type"], seen["text"]) == ("image", "Чёрный")
    assert (await shop.last())["text"] == "Выберите"
    assert (await shop.last())["content"]["keyboard"]["buttons"][0][0]["action"]["label"] == "Да"
    assert [(one.own, str(one.message.external_user_id)) for one in edits] == [(True, chat)] * 2


async def test_what_is_too_old_or_not_ours_is_not_changed(shop: Shop) -> None:
    theirs = await shop.hear(text="Моё")
    chat = theirs.external_chat_id
    ours = await shop.channel.send_text(chat, "Наше")
    for change in (
        shop.channel.edit_message(chat, theirs.external_message_id, "x"),
        shop.channel.delete_message(chat, theirs.external_message_id),
    ):
        with pytest.raises(Rejected):
            await change
    await shop.world.time.pass_(86_401)
    for change in (shop.channel.edit_message(chat, ours, "x"), shop.channel.delete_message(chat, ours)):
        with pytest.raises(Rejected):
            await change
    with pytest.raises(NotFound):
        await shop.channel.edit_message(chat, MessageId(f"{chat}:99"), "x")


@pytest.mark.parametrize("as_map", [False, True])
async def test_our_message_is_deleted_for_everybody(shop: Shop, *, as_map: bool) -> None:
    chat = await shop.meet()
    sent = await shop.channel.send_text(chat, "Ошибка")
    await shop.world.fault(delete_as_map=as_map)
    await shop.channel.delete_message(chat, sent)

    assert (await shop.last())["text"] == "Здравствуйте"
    if as_map:
        with pytest.raises(Rejected):
            await shop.channel.delete_message(chat, sent)


async def test_reading_and_typing_are_shown(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.channel.mark_read(chat)
    await shop.channel.show_typing(chat)
    customers = (await shop.world.control("GET", "/customers")).json()["customers"]
    [row] = (await shop.channel.list_messages(chat, 5, "")).messages

    assert (await shop.last())["read"]
    assert customers[0]["chats"][0]["note"] == "typing"
    assert (row.direction, row.read) == ("in", True)


async def test_chats_and_history_are_listed_in_pages(shop: Shop) -> None:
    anna, boris = await shop.meet("Анна"), await shop.meet("Борис")
    await shop.channel.send_text(anna, "Да")
    await shop.world.control("POST", "/customers/Анна/read")
    first = await shop.channel.list_chats(1, "")
    second = await shop.channel.list_chats(1, first.next_cursor)
    page = await shop.channel.list_messages(anna, 1, "")
    rest = await shop.channel.list_messages(anna, 1, page.next_cursor)
    found = await shop.channel.get_chat(boris)

    assert [chat.client_name_untrusted for chat in (*first.chats, *second.chats)] == ["Анна", "Борис"]
    assert (first.chats[0].last_message_untrusted, first.chats[0].chat_id) == ("Да", anna)
    assert [(one.direction, one.text_untrusted, one.read) for one in (*page.messages, *rest.messages)] == [
        ("out", "Да", True),
        ("in", "Здравствуйте", False),
    ]
    assert (found.chat_id, found.client_name_untrusted) == (boris, "Борис")


async def test_a_person_has_a_profile_and_may_be_written_to(shop: Shop) -> None:
    chat = await shop.meet()
    profile = await shop.channel.get_profile(UserId(chat))

    assert (profile.user_id, profile.name_untrusted) == (chat, "Анна")
    assert profile.avatar_url.endswith("/100.png")
    assert await shop.channel.may_write(UserId(chat))
    for nobody in ("5", f"-{GROUP}", str(CHAT)):
        with pytest.raises(NotFound):
            await shop.channel.get_profile(UserId(nobody))
    with pytest.raises(PeerUnreachable):
        await shop.channel.get_chat(ChatId("5"))


async def test_a_sweep_finds_what_a_silent_webhook_lost(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.time.pass_(60)
    since = datetime.fromtimestamp(shop.world.time.now(), UTC)
    await shop.world.fault(silent_webhook=True)
    await shop.world.write(text="первое")
    await shop.world.write("Борис", text="второе")
    await shop.channel.send_text(chat, "ответ")
    await shop.world.time.pass_(1)
    await shop.world.write(type="edit", text="первое, но иначе")
    swept = await shop.channel.arrivals_since(since, [])

    told = [(one.message.event, one.message.text, one.own) for one in swept]
    assert sorted(told[:3]) == [
        ("message", "второе", False),
        ("message", "первое, но иначе", False),
        ("operator_message", "ответ", True),
    ]
    assert told[3:] == [("edit", "первое, но иначе", False)]


async def test_a_sweep_names_events_as_the_webhook_does(shop: Shop) -> None:
    since = datetime.fromtimestamp(shop.world.time.now(), UTC)
    await shop.world.write(text="раз", image=True)
    await shop.world.write(type="edit", text="два")
    await shop.world.write(text="в беседе", chat=str(CHAT))
    came = await shop.arrivals()

    swept = await shop.channel.arrivals_since(since, [])
    assert {one.event_key for one in swept} == {one.event_key for one in came}


async def test_a_chat_that_was_left_does_not_stop_the_sweep(shop: Shop) -> None:
    since = datetime.fromtimestamp(shop.world.time.now(), UTC)
    await shop.meet("Анна")
    await shop.meet("Борис")
    await shop.world.fault(api_error={"code": 917, "calls": 1, "path": "messages.getHistory"})

    assert len(await shop.channel.arrivals_since(since, [])) == 1


async def test_a_lost_answer_is_unknown_and_a_repeat_sends_nothing_twice(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.fault(drop_after_storing=1)
    with pytest.raises(OutcomeUnknown):
        await shop.channel.send_text(chat, "Ровно один раз", key="k-1")
    repeated = await shop.channel.send_text(chat, "Ровно один раз", key="k-1")

    assert repeated == f"{chat}:2"
    assert [one["text"] for one in await shop.world.seen()] == ["Здравствуйте", "Ровно один раз"]


async def test_equal_keys_in_two_chats_are_two_messages(shop: Shop) -> None:
    """VK may compare random_id over all peers (§3.1)."""
    anna, boris = await shop.meet("Анна"), await shop.meet("Борис")
    for chat in (anna, boris):
        await shop.channel.send_text(chat, "Всем", key="k")
    for _ in range(2):
        await shop.channel.send_text(anna, "Без имени")

    assert (await shop.last("Борис"))["text"] == "Всем"
    assert [one["text"] for one in await shop.world.seen()][1:] == ["Всем", "Без имени", "Без имени"]


@pytest.mark.parametrize("age", [0, 32 * 86_400])
async def test_a_random_id_that_an_earlier_message_used_up_loses_nothing(shop: Shop, age: int) -> None:
    """In 31 bits two sends may meet: in two chats (§3.1 leaves that open), or in one after a long time."""
    anna, boris = await shop.meet("Анна"), await shop.meet("Борис")
    used_up = random_id_of(int(anna), "k")
    met = anna if age else boris
    await shop.world.api("messages.send", peer_id=met, random_id=used_up, message="Давно")
    await shop.world.time.pass_(age)
    await shop.channel.send_text(boris, "Недавно", key="another")
    for _ in range(2):
        sent = await shop.channel.send_text(anna, "Не потерять", key="k")

    assert (await shop.last())["text"] == "Не потерять"
    texts = [one["text"] for one in await shop.world.seen()]
    assert (texts.count("Не потерять"), sent) == (1, f"{anna}:{len(texts)}")


CODES: list[tuple[int, type[ChannelError]]] = [
    (1, OutcomeUnknown),
    (5, AuthFailed),
    (7, AuthFailed),
    (9, RateLimited),
    (10, OutcomeUnknown),
    (14, AuthFailed),
    (15, Forbidden),
    (27, AuthFailed),
    (29, RateLimited),
    (900, PeerUnreachable),
    (901, PeerUnreachable),
    (902, PeerUnreachable),
    (914, Rejected),
    (917, PeerUnreachable),
    (950, WindowClosed),
    (1117, AuthFailed),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
async def test_an_error_of_vk_is_told_as_what_it_means(
    shop: Shop, code: int, kind: type[ChannelError]
) -> None:
    chat = await shop.meet()
    await shop.world.fault(api_error={"code": code, "calls": 1})

    with pytest.raises(kind) as caught:
        await shop.channel.send_text(chat, "x")
    assert str(code) in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert (await shop.last())["text"] == "Здравствуйте"


@pytest.mark.parametrize("code", [18, 900, 902, 917, 985])
async def test_a_peer_out_of_reach_is_told_in_a_row(shop: Shop, code: int) -> None:
    """In the form for many peers the error stands in the peer's row (§3.1)."""
    chat = await shop.meet()
    await shop.world.fault(peers={chat: code})

    with pytest.raises(PeerUnreachable):
        await shop.channel.send_text(chat, "x")


async def test_a_stranger_cannot_be_written_to_first(shop: Shop) -> None:
    with pytest.raises(PeerUnreachable, match="901"):
        await shop.channel.send_text(ChatId("123456"), "Здравствуйте")


async def test_a_closed_window_is_told_until_the_customer_writes(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.fault(closed_window=True)
    with pytest.raises(WindowClosed):
        await shop.channel.send_text(chat, "x")
    await shop.meet()
    await shop.channel.send_text(chat, "Теперь можно")


async def test_a_flood_is_told_with_a_long_wait() -> None:
    async with opened(messages_per_hour=1) as shop:
        chat = await shop.meet()
        await shop.channel.send_text(chat, "раз")
        with pytest.raises(RateLimited) as caught:
            await shop.channel.send_text(chat, "два")
        assert caught.value.retry_after == 300


async def test_too_many_calls_and_a_short_failure_are_waited_out(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.fault(rate_limit=2)
    await shop.channel.send_text(chat, "раз")
    await shop.world.fault(api_error={"code": 43, "calls": 1})
    await shop.channel.send_text(chat, "два")

    assert [one["text"] for one in await shop.world.seen()][1:] == ["раз", "два"]


@pytest.mark.parametrize("mode", ["5", "27", "1117"])
async def test_a_bad_key_is_told_by_name(shop: Shop, mode: str) -> None:
    chat = await shop.meet()
    await shop.world.fault(expired_token=mode)

    assert not await shop.channel.is_up()
    with pytest.raises(AuthFailed):
        await shop.channel.send_text(chat, "x")


async def test_buttons_without_bot_abilities_are_refused_and_texts_are_not(shop: Shop) -> None:
    chat = await shop.meet()
    await shop.world.fault(bots_off=True)
    with pytest.raises(Forbidden, match="912"):
        await shop.channel.send_buttons(chat, "Выберите", ["Да"])
    await shop.channel.send_text(chat, "Выберите")


@pytest.mark.parametrize(("path", "kind"), [("messages.send", OutcomeUnknown), ("/upload/", VendorDown)])
async def test_a_page_of_vks_front_is_no_answer(shop: Shop, path: str, kind: type[ChannelError]) -> None:
    chat = await shop.meet()
    await shop.world.fault(error={"status": 502, "calls": 9, "path": path})

    with pytest.raises(kind):
        await shop.channel.send_image(chat, PHOTO)


async def test_is_up_tells(shop: Shop) -> None:
    assert await shop.channel.is_up()
    await shop.world.fault(rate_limit=9)
    assert await shop.channel.is_up()
    await shop.world.fault(rate_limit=0, error={"status": 500, "calls": 9})
    assert not await shop.channel.is_up()
