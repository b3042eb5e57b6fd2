"""aiogram calls the simulated Telegram; its pydantic models, strict on types, read every answer.

The address is aiogram's own setting: `TelegramAPIServer.from_base`.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    KeyboardButton,
    ReactionTypeEmoji,
    ReplyKeyboardMarkup,
    ReplyParameters,
)

from sandbox.media import made_up_picture, made_up_voice
from tests.sdk.serving import Served
from tests.sdk.telegram_rig import BOT_ID, BUSINESS, GROUP, SECRET, TOKEN, chat_with, served_telegram

PICTURE = BufferedInputFile(made_up_picture().content, "экран.jpg")
VOICE = BufferedInputFile(made_up_voice().content, "voice.ogg")
PDF = BufferedInputFile(b"%PDF-1.4 receipt", "чек.pdf")
ABC = BufferedInputFile(b"abc", "media.bin")


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    async with served_telegram() as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def telegram(server: Served) -> Served:
    return await server.renewed()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bot(server: Served) -> AsyncIterator[Bot]:
    async with bot_of(server) as bot:
        yield bot


def bot_of(telegram: Served, token: str = TOKEN) -> Bot:
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(telegram.url), timeout=5))


async def test_get_me_tells_of_the_bot(bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.id, me.is_bot, me.first_name, me.username) == (BOT_ID, True, "Ремонт Про", "remont_pro_bot")
    assert me.can_connect_to_business is True
    assert me.model_extra == {}


async def test_a_text_comes_back_as_a_message_with_entities_and_reply(bot: Bot, telegram: Served) -> None:
    written = await telegram.write(text="Сколько стоит экран?")
    chat, number = (int(part) for part in written["message_ids"][0].split(":"))
    answered = ReplyParameters(message_id=number)
    sent = await bot.send_message(
        chat, "Экран 🔧: <b>7 900 ₽</b>", parse_mode="HTML", reply_parameters=answered
    )
    assert sent.text == "Экран 🔧: 7 900 ₽"
    assert sent.html_text == "Экран 🔧: <b>7 900 ₽</b>"
    assert sent.from_user is not None
    assert sent.from_user.id == BOT_ID
    assert sent.reply_to_message is not None
    assert sent.reply_to_message.text == "Сколько стоит экран?"
    assert abs((datetime.now(UTC) - sent.date).total_seconds()) < 30
    assert (await telegram.seen())[-1]["text"] == sent.text


async def test_a_photo_is_uploaded_described_and_downloaded(bot: Bot, telegram: Served) -> None:
    sent = await bot.send_photo(await chat_with(telegram), PICTURE, caption="Вот экран")
    assert sent.caption == "Вот экран"
    assert sent.photo is not None
    assert [size.width for size in sent.photo] == sorted(size.width for size in sent.photo)
    file = await bot.get_file(sent.photo[-1].file_id)
    assert (file.file_unique_id, file.file_size) == (sent.photo[-1].file_unique_id, sent.photo[-1].file_size)
    assert file.file_path is not None
    content = await bot.download_file(file.file_path)
    assert content is not None
    assert content.read() == PICTURE.data


async def test_a_file_id_is_sent_again_without_an_upload(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    first = await bot.send_document(chat, PDF)
    assert first.document is not None
    again = await bot.send_document(chat, first.document.file_id)
    assert again.document is not None
    assert again.document.file_unique_id == first.document.file_unique_id


async def test_a_document_keeps_its_name(bot: Bot, telegram: Served) -> None:
    sent = await bot.send_document(await chat_with(telegram), PDF, caption="Чек")
    assert sent.document is not None
    assert sent.document.file_name == "чек.pdf"
    assert sent.document.file_size == len(PDF.data)


async def test_a_voice_note_stays_one(bot: Bot, telegram: Served) -> None:
    sent = await bot.send_voice(await chat_with(telegram), VOICE, duration=2)
    assert sent.voice is not None
    assert sent.voice.duration == 2


async def test_every_other_kind_of_file_is_understood(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    assert (await bot.send_video(chat, ABC)).video is not None
    assert (await bot.send_audio(chat, ABC)).audio is not None
    assert (await bot.send_video_note(chat, ABC)).video_note is not None
    animation = await bot.send_animation(chat, ABC)
    assert animation.animation is not None
    assert animation.document is not None


async def test_a_contact_and_a_place_are_understood(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    contact = await bot.send_contact(chat, "79990000000", "Мастер")
    assert contact.contact is not None
    assert contact.contact.phone_number == "79990000000"
    place = await bot.send_location(chat, 55.75, 37.61)
    assert place.location is not None
    assert place.location.latitude == 55.75


async def test_an_album_is_a_list_of_messages(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    sent = await bot.send_media_group(
        chat, [InputMediaPhoto(media=PICTURE, caption="До"), InputMediaPhoto(media=PICTURE)]
    )
    assert [message.caption for message in sent] == ["До", None]
    assert len({message.media_group_id for message in sent}) == 1
    assert isinstance(sent[0].media_group_id, str)


async def test_a_mixed_album_is_refused(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    with pytest.raises(TelegramBadRequest, match="can't be mixed with other media types"):
        await bot.send_media_group(chat, [InputMediaPhoto(media=PICTURE), InputMediaDocument(media=PDF)])


async def test_buttons_come_back_in_the_message(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    rows = [[InlineKeyboardButton(text="Да", callback_data="ok:42")]]
    rows.append([InlineKeyboardButton(text="Сайт", url="https://example.test/")])
    markup = InlineKeyboardMarkup(inline_keyboard=rows)
    sent = await bot.send_message(chat, "Записать?", reply_markup=markup)
    assert sent.reply_markup is not None
    assert sent.reply_markup.model_dump() == markup.model_dump()
    asking = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Номер", request_contact=True)]])
    assert (await bot.send_message(chat, "Ваш номер?", reply_markup=asking)).text == "Ваш номер?"


async def test_a_message_is_edited_reacted_to_and_deleted(bot: Bot, telegram: Served) -> None:
    written = await telegram.write(text="Здравствуйте")
    chat, number = (int(part) for part in written["message_ids"][0].split(":"))
    sent = await bot.send_message(chat, "От 1500")
    edited = await bot.edit_message_text("От 1700", chat_id=chat, message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert edited.text == "От 1700"
    assert edited.edit_date is not None
    assert await bot.set_message_reaction(chat, number, [ReactionTypeEmoji(emoji="👍")]) is True
    assert await bot.delete_message(chat, sent.message_id) is True
    assert [message["text"] for message in await telegram.seen()] == ["Здравствуйте"]


async def test_typing_and_the_chat_are_told(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    assert await bot.send_chat_action(chat, "typing") is True
    told = await bot.get_chat(chat)
    assert (told.id, told.type, told.first_name) == (chat, "private", "Анна")


async def test_a_business_chat_is_read_and_answered(bot: Bot, telegram: Served) -> None:
    written = await telegram.write(text="Работаете в субботу?", ad=BUSINESS)
    name, chat = written["chat_id"].split(":")
    number = int(written["message_ids"][0].split(":")[-1])
    connection = await bot.get_business_connection(name)
    assert connection.is_enabled
    assert connection.rights is not None
    assert connection.rights.can_reply
    assert await bot.read_business_message(name, int(chat), number) is True
    sent = await bot.send_message(int(chat), "Да", business_connection_id=name)
    assert sent.business_connection_id == name
    assert sent.sender_business_bot is not None
    assert sent.sender_business_bot.id == BOT_ID


async def test_the_bots_own_words_in_a_business_chat_are_deleted(bot: Bot, telegram: Served) -> None:
    name, chat = (await telegram.write(text="Работаете?", ad=BUSINESS))["chat_id"].split(":")
    rights = {"can_reply": True, "can_delete_sent_messages": True}
    await telegram.write(type="business_connection", ad=BUSINESS, content={"rights": rights})
    sent = await bot.send_message(int(chat), "Да", business_connection_id=name)
    assert await bot.delete_business_messages(name, [sent.message_id]) is True
    assert [message["text"] for message in await telegram.seen()] == ["Работаете?"]


async def test_the_webhook_is_set_shown_and_deleted(bot: Bot, telegram: Served) -> None:
    hook = telegram.mailbox.url
    kinds = ["message", "callback_query"]
    assert await bot.set_webhook(hook, secret_token=SECRET, allowed_updates=kinds, max_connections=7) is True
    info = await bot.get_webhook_info()
    assert (info.url, info.max_connections, info.pending_update_count) == (hook, 7, 0)
    assert set(info.allowed_updates or []) == set(kinds)
    assert await bot.delete_webhook(drop_pending_updates=True) is True
    assert (await bot.get_webhook_info()).url == ""


async def test_a_wrong_and_a_revoked_token_are_unauthorized(bot: Bot, telegram: Served) -> None:
    async with bot_of(telegram, token="7000000001:wrong") as stranger:
        with pytest.raises(TelegramUnauthorizedError, match="Unauthorized"):
            await stranger.get_me()
    await telegram.fault(expired_token=True)
    with pytest.raises(TelegramUnauthorizedError):
        await bot.get_me()


async def test_a_rate_limit_carries_its_delay(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    await telegram.fault(rate_limit={"retry_after": 17})
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(chat, "Экран готов")
    assert caught.value.retry_after == 17


async def test_a_real_flood_is_told_with_a_delay() -> None:
    async with served_telegram(chat_per_second=0.1, chat_burst=2) as telegram, bot_of(telegram) as bot:
        chat = await chat_with(telegram)
        for text in "12":
            await bot.send_message(chat, text)
        with pytest.raises(TelegramRetryAfter) as caught:
            await bot.send_message(chat, "3")
        assert 1 <= caught.value.retry_after <= 10


async def test_a_customer_who_blocked_the_bot_is_forbidden(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    await telegram.write(type="block")
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(chat, "Экран готов")


async def test_a_stranger_is_a_bad_request(bot: Bot, telegram: Served) -> None:
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(424_242, "Здравствуйте")


async def test_an_upgraded_group_tells_where_it_went(bot: Bot, telegram: Served) -> None:
    chat = int((await telegram.write(text="всем привет", ad=GROUP))["chat_id"])
    await telegram.write(type="upgrade_group", ad=GROUP)
    with pytest.raises(TelegramMigrateToChat) as caught:
        await bot.send_message(chat, "Мы на связи")
    moved = caught.value.migrate_to_chat_id
    assert (await bot.send_message(moved, "Мы на связи")).chat.type == "supergroup"


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("я" * 4097, {}, "message is too long"),
        ("", {}, "message text is empty"),
        ("<b>", {"parse_mode": "HTML"}, "can't parse entities"),
        ("ау", {"reply_parameters": ReplyParameters(message_id=999)}, "message to be replied not found"),
    ],
)
async def test_what_is_wrong_with_a_text_is_said(
    bot: Bot, telegram: Served, text: str, options: dict[str, object], words: str
) -> None:
    chat = await chat_with(telegram)
    with pytest.raises(TelegramBadRequest, match=words):
        await bot.send_message(chat, text, **options)  # type: ignore[arg-type]  # a table of options


async def test_nothing_changed_and_unknown_files_are_bad_requests(bot: Bot, telegram: Served) -> None:
    chat = await chat_with(telegram)
    sent = await bot.send_message(chat, "От 1500")
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("От 1500", chat_id=chat, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="wrong file_id"):
        await bot.get_file("AwACnowhere")
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query("123")


async def test_a_server_in_trouble_is_a_server_error(bot: Bot, telegram: Served) -> None:
    await telegram.fault(error={"status": 500})
    with pytest.raises(TelegramServerError):
        await bot.get_me()


class Nonsense(TelegramMethod[bool]):
    __returning__ = bool
    __api_method__ = "getNonsense"


async def test_an_unknown_method_is_not_found(bot: Bot) -> None:
    with pytest.raises(TelegramNotFound, match="method not found"):
        await bot(Nonsense())


async def test_polling_beside_a_webhook_is_a_conflict(bot: Bot, telegram: Served) -> None:
    await bot.set_webhook(telegram.mailbox.url)
    with pytest.raises(TelegramConflictError, match="webhook is active"):
        await bot.get_updates()
