"""python-telegram-bot, a second reader of the same simulator, on the HTTP library that we use ourselves.

The addresses are its own settings: `base_url` and `base_file_url`.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import pytest_asyncio
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, TelegramObject, Update
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter

from sandbox.media import made_up_picture
from sandbox.telegram.letters import TYPES
from tests.sdk.serving import Served
from tests.sdk.telegram_rig import BOT_ID, BUSINESS, GROUP, SECRET, TOKEN, chat_with, served_telegram

pytestmark = pytest.mark.asyncio(loop_scope="module")
OLD_NAMES = {"thumb", "can_reply", "forward_from", "forward_date"}
LEFT_OVER = {"date"}  # of an inaccessible message: it is always 0, and the SDK does not take it up
SINCE_10_1 = {"rich_message"}  # python-telegram-bot 22.8 knows Bot API 10.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    async with served_telegram() as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def telegram(server: Served) -> Served:
    return await server.renewed()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bot(server: Served) -> AsyncIterator[Bot]:
    async with Bot(TOKEN, base_url=f"{server.url}/bot", base_file_url=f"{server.url}/file/bot") as bot:
        yield bot


def unknown_fields(given: object) -> Iterator[str]:
    if isinstance(given, tuple | list):
        for item in given:
            yield from unknown_fields(item)
    elif isinstance(given, TelegramObject):
        yield from given.api_kwargs
        for value in _values(given):
            yield from unknown_fields(value)


def _values(given: TelegramObject) -> list[object]:
    names = [name for kind in type(given).__mro__ for name in getattr(kind, "__slots__", ())]
    return [getattr(given, name, None) for name in names if name not in {"_bot", "api_kwargs"}]


async def test_the_bot_knows_itself(bot: Bot, telegram: Served) -> None:
    assert (bot.id, bot.first_name, bot.can_join_groups) == (BOT_ID, "Ремонт Про", True)
    assert (await bot.get_me()).api_kwargs == {}


async def test_a_text_is_sent_edited_and_deleted(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    markup = InlineKeyboardMarkup([[InlineKeyboardButton("Да", callback_data="ok:42")]])
    sent = await bot.send_message(chat, "<b>7 900</b> ₽", parse_mode="HTML", reply_markup=markup)
    assert (sent.text, sent.text_html, sent.reply_markup) == ("7 900 ₽", "<b>7 900</b> ₽", markup)
    edited = await bot.edit_message_text("8 900 ₽", chat_id=chat, message_id=sent.message_id)
    assert isinstance(edited, type(sent))
    assert edited.text == "8 900 ₽"
    assert await bot.delete_message(chat, sent.message_id)


async def test_a_photo_is_uploaded_and_downloaded(bot: Bot, telegram: Served) -> None:
    picture = made_up_picture().content
    sent = await bot.send_photo(await chat_with(telegram), picture, caption="Вот экран")
    assert sent.caption == "Вот экран"
    file = await bot.get_file(sent.photo[-1].file_id)
    assert bytes(await file.download_as_bytearray()) == picture


async def test_refusals_become_its_own_errors(
    bot: Bot, telegram: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # its own way to opt in to the type that will stay
    chat = await chat_with(telegram)
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(424_242, "ау")
    await telegram.fault(rate_limit={"retry_after": 17})
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(chat, "ау")
    assert caught.value.retry_after == timedelta(seconds=17)
    await bot.set_webhook(telegram.mailbox.url)
    with pytest.raises(Conflict):
        await bot.get_updates()
    await telegram.write(type="block")
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(chat, "ау")
    await telegram.fault(expired_token=True)
    with pytest.raises(InvalidToken):
        await bot.get_me()


async def test_an_upgraded_group_is_told(bot: Bot, telegram: Served) -> None:
    chat = int((await telegram.write(text="всем привет", ad=GROUP))["chat_id"])
    await telegram.write(type="upgrade_group", ad=GROUP)
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(chat, "ау")
    assert caught.value.new_chat_id == -1_000_000_000_000 + chat


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "view_once"])
async def test_every_update_is_read_whole(bot: Bot, telegram: Served, kind: str) -> None:
    await bot.set_webhook(telegram.mailbox.url, secret_token=SECRET)
    for topic in (1, BUSINESS):
        written = await telegram.write(type=kind, ad=topic)
        for _ in written["message_ids"]:
            delivery = await telegram.mailbox.take()
            assert delivery.headers["x-telegram-bot-api-secret-token"] == SECRET
            update = Update.de_json(delivery.json, bot)
            assert update.effective_message is not None
            assert set(unknown_fields(update)) - SINCE_10_1 - LEFT_OVER <= OLD_NAMES


async def test_polling_confirms_what_it_has_seen(bot: Bot, telegram: Served) -> None:
    for text in ("раз", "два"):
        await telegram.write(text=text)
    first = await bot.get_updates(timeout=5)
    assert [update.message.text for update in first if update.message] == ["раз", "два"]
    assert await bot.get_updates(offset=first[-1].update_id + 1, timeout=0) == ()
