"""What the simulated Telegram emits, taken by aiogram's webhook server, its dispatcher and its polling."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    Message,
    MessageReactionUpdated,
    ReplyKeyboardMarkup,
    TelegramObject,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from sandbox.telegram.letters import TYPES
from tests.sdk.serving import PATIENCE, Served
from tests.sdk.telegram_rig import BUSINESS, GROUP, SECRET, TOKEN, chat_with, served_telegram

pytestmark = pytest.mark.asyncio(loop_scope="module")
KINDS = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
)
OLD_NAMES = {"thumb", "can_reply", "forward_from", "forward_date"}
QUIET = {"view_once"}  # never delivered (contract §3)
CONTENT = Message.model_fields.keys() - {"text", "quote"}  # a letter of these two is a text in a manner


class Shop:
    """A bot made with aiogram: everything its dispatcher routes is put aside, by the name of the event."""

    def __init__(self, telegram: Served, dispatcher: Dispatcher, bot: Bot, url: str) -> None:
        self.telegram, self.dispatcher, self.bot, self.url = telegram, dispatcher, bot, url
        self.taken: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def take(self) -> tuple[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.taken.get()

    async def renewed(self) -> "Shop":
        await self.telegram.renewed()
        self.taken = asyncio.Queue()
        await self.bot.set_webhook(self.url, secret_token=SECRET, allowed_updates=list(KINDS))
        return self


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Shop]:
    async with served_telegram() as telegram:
        session = AiohttpSession(api=TelegramAPIServer.from_base(telegram.url), timeout=60)
        async with Bot(TOKEN, session=session) as bot:
            dispatcher, app = Dispatcher(), web.Application()
            handler = SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token=SECRET)
            handler.register(app, "/hook")
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            shop = Shop(telegram, dispatcher, bot, f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
            _listen(shop)
            yield shop
            await runner.cleanup()


def _listen(shop: Shop) -> None:
    for name, observer in shop.dispatcher.observers.items():
        if name not in {"update", "error"}:

            async def keep(event: TelegramObject, kind: str = name) -> None:
                await shop.taken.put((kind, event))

            observer.register(keep)


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Shop) -> Shop:
    return await opened.renewed()


def unknown_fields(given: object) -> Iterator[str]:
    """Names that aiogram's models do not have, at any depth."""
    if isinstance(given, list):
        for item in given:
            yield from unknown_fields(item)
    elif isinstance(given, TelegramObject):
        yield from given.model_extra or {}
        for name in type(given).model_fields:
            yield from unknown_fields(getattr(given, name))


@pytest.mark.promise("faithful")
@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in QUIET])
async def test_whatever_a_customer_sends_is_parsed(shop: Shop, kind: str) -> None:
    for topic, event in ((1, "message"), (BUSINESS, "business_message"), (GROUP, "message")):
        written = await shop.telegram.write(type=kind, ad=topic)
        for key in written["message_ids"]:
            name, message = await shop.take()
            assert (name, str(message.message_id)) == (event, key.split(":")[-1])
            assert set(unknown_fields(message)) <= OLD_NAMES
            assert kind not in CONTENT or getattr(message, kind) is not None


async def test_a_text_names_its_author_and_finds_links(shop: Shop) -> None:
    await shop.telegram.write(text="🔧 см. https://example.test/экран или @remont_pro", ad=1)
    _, message = await shop.take()
    assert isinstance(message, Message)
    assert message.from_user is not None
    assert (message.from_user.first_name, message.chat.type) == ("Анна", "private")
    found = {entity.type: entity.extract_from(message.text or "") for entity in message.entities or []}
    assert found == {"url": "https://example.test/экран", "mention": "@remont_pro"}


async def test_an_answer_shows_what_it_answers(shop: Shop) -> None:
    first = await shop.telegram.write(text="Сколько стоит экран?")
    await shop.take()
    await shop.telegram.write(text="Ау", type="quote", quote=first["message_ids"][0])
    _, message = await shop.take()
    assert message.reply_to_message.text == "Сколько стоит экран?"
    assert message.quote.text == "Сколько стоит экран?"[:20]


async def test_an_album_comes_as_messages_of_one_group(shop: Shop) -> None:
    await shop.telegram.write(type="album", text="Вот трещина")
    messages = [(await shop.take())[1] for _ in range(3)]
    assert [message.caption for message in messages] == ["Вот трещина", None, None]
    assert len({message.media_group_id for message in messages}) == 1


async def test_a_photo_of_the_customer_is_downloaded(shop: Shop) -> None:
    await shop.telegram.write(image=True, voice=True)
    (_, photo), (_, voice) = await shop.take(), await shop.take()
    for file, start in ((photo.photo[-1], b"\xff\xd8\xff"), (voice.voice, b"OggS")):
        content = await shop.bot.download(file)
        assert content is not None
        assert content.read(len(start)) == start


async def test_an_edit_carries_the_whole_message(shop: Shop) -> None:
    await shop.telegram.write(text="Сколько стоит экран?")
    await shop.take()
    await shop.telegram.write(type="edit", text="Сколько стоит экран 13?")
    name, message = await shop.take()
    assert (name, message.text) == ("edited_message", "Сколько стоит экран 13?")
    assert message.edit_date >= int(message.date.timestamp())


async def test_a_press_is_answered_through_its_own_method(shop: Shop) -> None:
    chat = await chat_with(shop.telegram)
    await shop.take()
    buttons = [[InlineKeyboardButton(text="Да", callback_data="ok:42")]]
    sent = await shop.bot.send_message(
        chat, "Записать?", reply_markup=InlineKeyboardMarkup(inline_keyboard=buttons)
    )
    await shop.telegram.write(type="press", text="Да")
    name, query = await shop.take()
    assert isinstance(query, CallbackQuery)
    assert (name, query.data, query.from_user.first_name) == ("callback_query", "ok:42", "Анна")
    assert isinstance(query.message, Message)
    assert query.message.message_id == sent.message_id
    assert await query.answer("Записали").as_(shop.bot) is True


async def test_a_press_on_a_vanished_message_is_understood(shop: Shop) -> None:
    chat = await chat_with(shop.telegram)
    await shop.take()
    markup = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Да", callback_data="ok")]])
    await shop.bot.send_message(chat, "Записать?", reply_markup=markup)
    await shop.telegram.write(type="press", content={"inaccessible": True})
    _, query = await shop.take()
    assert type(query.message).__name__ == "InaccessibleMessage"


async def test_a_shared_number_is_the_customers_own(shop: Shop) -> None:
    chat = await chat_with(shop.telegram)
    await shop.take()
    markup = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Номер", request_contact=True)]])
    await shop.bot.send_message(chat, "Ваш номер?", reply_markup=markup)
    await shop.telegram.write(type="press", text="Номер")
    _, message = await shop.take()
    assert message.contact.user_id == message.from_user.id
    assert message.reply_to_message.text == "Ваш номер?"


async def test_blocking_and_unblocking_are_told(shop: Shop) -> None:
    await chat_with(shop.telegram)
    await shop.take()
    for deed, status in (("block", "kicked"), ("unblock", "member")):
        await shop.telegram.write(type=deed)
        name, change = await shop.take()
        assert (name, change.new_chat_member.status) == ("my_chat_member", status)


async def test_the_group_tells_of_the_bots_coming_and_going(shop: Shop) -> None:
    await shop.telegram.write(text="всем привет", ad=GROUP)
    await shop.take()
    for deed, status in (("remove_bot", "left"), ("add_bot", "member"), ("kick_bot", "kicked")):
        await shop.telegram.write(type=deed, ad=GROUP)
        name, change = await shop.take()
        assert (name, change.new_chat_member.status) == ("my_chat_member", status)


async def test_an_upgraded_group_says_where_it_went_and_whence_it_came(shop: Shop) -> None:
    await shop.telegram.write(text="всем привет", ad=GROUP)
    await shop.take()
    await shop.telegram.write(type="upgrade_group", ad=GROUP)
    messages = [(await shop.take())[1] for _ in range(2)]
    to, since = sorted(messages, key=lambda message: message.migrate_to_chat_id is None)
    assert to.migrate_to_chat_id == since.chat.id
    assert since.migrate_from_chat_id == to.chat.id


async def test_a_reaction_is_given_and_taken_back(shop: Shop) -> None:
    chat = await chat_with(shop.telegram)
    await shop.take()
    sent = await shop.bot.send_message(chat, "Готово")
    await shop.telegram.write(type="reaction", content={"emoji": "🔥"})
    name, reaction = await shop.take()
    assert isinstance(reaction, MessageReactionUpdated)
    assert (name, reaction.message_id) == ("message_reaction", sent.message_id)
    assert [one.model_dump()["emoji"] for one in reaction.new_reaction] == ["🔥"]
    await shop.telegram.write(type="reaction", content={"emoji": ""})
    assert (await shop.take())[1].new_reaction == []


async def test_a_business_connection_and_its_edits_and_deletions_are_told(shop: Shop) -> None:
    rights = {"rights": {"can_reply": True}}
    await shop.telegram.write(type="business_connection", ad=BUSINESS, content=rights)
    name, connection = await shop.take()
    assert (name, connection.rights.can_reply, connection.is_enabled) == ("business_connection", True, True)
    assert set(unknown_fields(connection)) <= OLD_NAMES
    written = await shop.telegram.write(text="Добрый день", ad=BUSINESS)
    _, message = await shop.take()
    assert message.business_connection_id == connection.id
    await shop.telegram.write(type="edit", text="Добрый вечер", ad=BUSINESS)
    assert (await shop.take())[0] == "edited_business_message"
    await shop.telegram.write(type="delete", ad=BUSINESS)
    name, deleted = await shop.take()
    assert (name, deleted.message_ids) == ("deleted_business_messages", [message.message_id])
    assert written["chat_id"].startswith(connection.id)


@pytest.mark.parametrize("kind", ["owner", "away"])
async def test_the_owners_own_words_are_a_business_message(shop: Shop, kind: str) -> None:
    await shop.telegram.write(text="Добрый день", ad=BUSINESS)
    await shop.take()
    await shop.telegram.write(type=kind, ad=BUSINESS)
    name, message = await shop.take()
    assert (name, message.from_user.first_name) == ("business_message", "Иван")
    assert bool(message.is_from_offline) is (kind == "away")


async def test_a_wrong_secret_is_refused_by_the_sdk_and_repeated(shop: Shop) -> None:
    await shop.telegram.fault(secret="wrong")
    await shop.telegram.write(text="ау")
    async with asyncio.timeout(PATIENCE):
        # Telegram tells of a failed webhook only when it is asked.
        while not (info := await shop.bot.get_webhook_info()).last_error_message:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert info.last_error_message == "Wrong response from the webhook: 401 Unauthorized"
    assert info.last_error_date is not None
    assert shop.taken.empty()


async def test_the_dispatcher_polls_without_a_webhook(shop: Shop) -> None:
    await shop.bot.delete_webhook()
    for text in ("раз", "два"):
        await shop.telegram.write(text=text)
    polling = asyncio.create_task(
        shop.dispatcher.start_polling(
            shop.bot, polling_timeout=10, handle_signals=False, close_bot_session=False
        )
    )
    assert [(await shop.take())[1].text for _ in range(2)] == ["раз", "два"]
    await shop.telegram.write(text="три")
    assert (await shop.take())[1].text == "три"
    await shop.dispatcher.stop_polling()
    with suppress(asyncio.CancelledError):
        await polling
