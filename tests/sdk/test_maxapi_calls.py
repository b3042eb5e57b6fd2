"""maxapi calls the simulated MAX; it speaks the new host's API (header token, no GET /chats).

The address is its own setting: `Bot.set_api_url`.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from maxapi import Bot
from maxapi.client import DefaultConnectionProperties
from maxapi.enums.format import Format
from maxapi.enums.message_link_type import MessageLinkType
from maxapi.enums.upload_type import UploadType
from maxapi.exceptions.max import InvalidToken, MaxApiError
from maxapi.types import (
    BotCommand,
    CallbackButton,
    InputMediaBuffer,
    LinkButton,
    Message,
    MessageBody,
    NewMessageLink,
    RequestContactButton,
)
from maxapi.types.attachments import AttachmentButton
from maxapi.utils.inline_keyboard import InlineKeyboardBuilder

from sandbox.media import made_up_picture, made_up_voice
from tests.sdk.max_rig import BOT_ID, SECRET, TOKEN, dialog_with, served_max
from tests.sdk.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
PICTURE, RECORDING = made_up_picture().content, made_up_voice().content


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    async with served_max() as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def max_(server: Served) -> Served:
    return await server.renewed()


@pytest_asyncio.fixture(loop_scope="module")
async def bot(max_: Served) -> AsyncIterator[Bot]:
    bot = bot_of(max_)
    yield bot
    await bot.close_session()


def bot_of(max_: Served, token: str = TOKEN) -> Bot:
    quick = DefaultConnectionProperties(timeout=5, max_retries=1, retry_backoff_factor=0.01)
    bot = Bot(token, default_connection=quick, after_input_media_delay=0.001, after_upload_retry_delay=0.01)
    bot.set_api_url(max_.url)
    return bot


async def said(bot: Bot, **given: Any) -> tuple[Message, MessageBody]:
    """Sends; the message that the SDK read in the answer."""
    sent = await bot.send_message(**given)
    assert sent is not None
    assert sent.message.body is not None
    return sent.message, sent.message.body


def keyboard_of(*rows: list[Any]) -> AttachmentButton:
    builder = InlineKeyboardBuilder()  # type: ignore[no-untyped-call]  # its constructor has no types
    for row in rows:
        builder.row(*row)
    return builder.as_markup()


async def test_the_bot_knows_itself(bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.user_id, me.is_bot, me.username) == (BOT_ID, True, "eldorado_bot")


async def test_a_text_is_sent_to_a_dialog_and_to_a_user(bot: Bot, max_: Served) -> None:
    written = await max_.write(text="Сколько стоит экран?")
    chat, user = int(written["chat_id"]), int(written["customer_id"])
    for target in ({"chat_id": chat}, {"user_id": user}):
        message, body = await said(bot, **target, text="От **1500** ₽", format=Format.MARKDOWN)
        assert (message.recipient.chat_id, message.recipient.user_id) == (chat, user)
        assert (body.text, body.md_text) == ("От 1500 ₽", "От **1500** ₽")
        assert message.sender is not None
        assert message.sender.user_id == BOT_ID
    assert (await max_.seen())[-1]["text"] == "От 1500 ₽"


async def test_a_reply_shows_what_it_answers(bot: Bot, max_: Served) -> None:
    written = await max_.write(text="Сколько стоит экран?")
    link = NewMessageLink(type=MessageLinkType.REPLY, mid=written["message_ids"][0])
    message, _ = await said(bot, chat_id=int(written["chat_id"]), text="От 1500", link=link)
    assert message.link is not None
    assert message.link.message.text == "Сколько стоит экран?"


async def test_the_history_and_one_message_are_read(bot: Bot, max_: Served) -> None:
    chat = await dialog_with(max_)
    _, body = await said(bot, chat_id=chat, text="Здравствуйте")
    found = await bot.get_messages(chat_id=chat)
    assert [one.body.text for one in found.messages if one.body] == ["Здравствуйте", "ау"]
    by_id = await bot.get_messages(message_ids=[body.mid])
    one = await bot.get_message(body.mid)
    assert one.body is not None
    assert [one.body.seq] == [message.body.seq for message in by_id.messages if message.body]


async def test_a_message_is_edited_and_deleted(bot: Bot, max_: Served) -> None:
    chat = await dialog_with(max_)
    _, body = await said(bot, chat_id=chat, text="От 1500")
    edited = await bot.edit_message(body.mid, text="От 1700")
    assert edited is not None
    assert edited.success
    assert (await max_.seen())[-1]["text"] == "От 1700"
    assert (await bot.delete_message(body.mid)).success
    left = await bot.get_messages(chat_id=chat)
    assert [one.body.text for one in left.messages if one.body] == ["ау"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [("image", PICTURE), ("video", RECORDING), ("audio", RECORDING), ("file", b"%PDF-1.4")],
)
async def test_every_kind_of_file_is_uploaded_and_opens(
    bot: Bot, max_: Served, tmp_path: Path, kind: str, content: bytes
) -> None:
    media = InputMediaBuffer(content, filename="экран", type=UploadType(kind))
    _, body = await said(bot, chat_id=await dialog_with(max_), attachments=[media])
    attachment: Any
    [attachment] = body.attachments or []
    assert attachment.type == kind
    saved = await bot.download_file(attachment.payload.url, tmp_path)
    assert saved.read_bytes() == content


async def test_an_upload_in_process_is_waited_for(bot: Bot, max_: Served) -> None:
    await max_.fault(not_ready=2)
    media = InputMediaBuffer(PICTURE, filename="экран", type=UploadType.IMAGE)
    _, body = await said(bot, chat_id=await dialog_with(max_), attachments=[media])
    assert body.attachments


async def test_buttons_come_back_with_the_message(bot: Bot, max_: Served) -> None:
    link = LinkButton(text="Сайт", url="https://example.test/")
    keyboard = keyboard_of(
        [CallbackButton(text="Да", payload="yes"), link], [RequestContactButton(text="Номер")]
    )
    _, body = await said(bot, chat_id=await dialog_with(max_), text="Записать?", attachments=[keyboard])
    attachment: Any
    [attachment] = body.attachments or []
    assert [[button.text for button in row] for row in attachment.payload.buttons] == [
        ["Да", "Сайт"],
        ["Номер"],
    ]


async def test_typing_and_the_dialog_are_told(bot: Bot, max_: Served) -> None:
    chat = await dialog_with(max_)
    assert (await bot.send_action(chat_id=chat)).success
    told = await bot.get_chat_by_id(chat)
    assert (told.chat_id, told.type.value, told.participants_count) == (chat, "dialog", 2)
    assert told.dialog_with_user is not None
    assert told.dialog_with_user.first_name == "Анна"


async def test_a_group_has_members_admins_and_a_pinned_message(bot: Bot, max_: Served) -> None:
    group = int((await max_.write(type="bot_added"))["chat_id"])
    members = await bot.get_chat_members(group)
    assert {member.first_name for member in members.members} >= {"Анна"}
    assert (await bot.get_list_admin_chat(group)).members
    assert (await bot.get_me_from_chat(group)).user_id == BOT_ID
    _, body = await said(bot, chat_id=group, text="Правила")
    assert (await bot.pin_message(group, body.mid)).success
    pinned = (await bot.get_pin_message(group)).message
    assert pinned is not None
    assert pinned.body is not None
    assert pinned.body.text == "Правила"
    assert (await bot.delete_pin_message(group)).success
    assert (await bot.edit_chat(group, title="Мастерская")).title == "Мастерская"


async def test_a_channels_post_is_commented(bot: Bot, max_: Served) -> None:
    opened = await max_.write(type="bot_added", content={"is_channel": True})
    _, post = await said(bot, chat_id=int(opened["chat_id"]), text="Скидки")
    made = (await bot.send_comment(post.mid, text="Подробности на сайте")).message
    assert made.body is not None
    assert (await bot.edit_comment(post.mid, made.body.mid, text="Подробности по телефону")).success
    found = await bot.get_comments(post.mid)
    assert [one.body.text for one in found.messages if one.body] == ["Подробности по телефону"]
    assert (await bot.delete_comment(post.mid, made.body.mid)).success


async def test_a_video_has_addresses(bot: Bot, max_: Served) -> None:
    media = InputMediaBuffer(RECORDING, filename="экран", type=UploadType.VIDEO)
    _, body = await said(bot, chat_id=await dialog_with(max_), attachments=[media])
    attachment: Any
    [attachment] = body.attachments or []
    video = await bot.get_video(attachment.payload.token)
    assert video.urls is not None
    assert video.token == attachment.payload.token


async def test_the_commands_are_set(bot: Bot) -> None:
    done = await bot.set_commands(BotCommand(name="start", description="Начать"))
    assert [command.name for command in done.commands or []] == ["start"]


async def test_subscriptions_are_made_listed_and_ended(bot: Bot, max_: Served) -> None:
    with pytest.warns(UserWarning, match="HTTPS"):  # the SDK knows what MAX wants; the sandbox is on loopback
        assert (await bot.subscribe_webhook(max_.mailbox.url, secret=SECRET)).success
    listed = (await bot.get_subscriptions()).subscriptions
    assert [one.url for one in listed] == [max_.mailbox.url]
    assert (await bot.unsubscribe_webhook(max_.mailbox.url)).success
    assert (await bot.get_subscriptions()).subscriptions == []


async def test_listing_chats_is_over_as_the_sdk_says_too(bot: Bot) -> None:
    with pytest.warns(DeprecationWarning, match="GET /chats"), pytest.raises(MaxApiError) as caught:
        await bot.get_chats()
    assert caught.value.code == 404


async def test_a_wrong_and_a_revoked_token_are_invalid(bot: Bot, max_: Served) -> None:
    stranger = bot_of(max_, "wrong")
    with pytest.raises(InvalidToken, match=r"verify\.token"):
        await stranger.get_me()
    await stranger.close_session()
    await max_.fault(expired_token=True)
    with pytest.raises(InvalidToken):
        await bot.get_me()


async def test_refusals_carry_status_and_code(bot: Bot, max_: Served) -> None:
    chat = await dialog_with(max_)
    await refused(bot, 404, "dialog.not.found", user_id=424_242)
    await refused(bot, 403, "chat.denied", chat_id=0)
    await refused(bot, 400, "proto.payload", chat_id=chat, text="")
    await max_.fault(rate_limit=1)
    await refused(bot, 429, "too.many.requests", chat_id=chat)
    await max_.fault(error={"status": 503})
    assert (await bot.get_me()).user_id == BOT_ID  # a 503 the SDK repeats by itself
    await max_.write(type="bot_stopped")
    await refused(bot, 403, "chat.denied", chat_id=chat)


async def refused(bot: Bot, status: int, code: str, **given: Any) -> None:
    with pytest.raises(MaxApiError) as caught:
        await bot.send_message(**({"text": "ау"} | given))
    assert isinstance(caught.value.raw, dict)
    assert (caught.value.code, caught.value.raw["code"]) == (status, code)


async def test_more_than_two_messages_a_second_into_a_dialog_are_too_many() -> None:
    async with served_max(messages_per_second=2) as max_:
        bot, chat = bot_of(max_), await dialog_with(max_)
        sends = [bot.send_message(chat_id=chat, text=str(number)) for number in range(4)]
        done = await asyncio.gather(*sends, return_exceptions=True)
        assert {one.code for one in done if isinstance(one, MaxApiError)} == {429}
        await bot.close_session()
