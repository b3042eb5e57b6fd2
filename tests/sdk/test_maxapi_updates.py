"""What the simulated MAX emits, taken by maxapi's own webhook server and dispatcher, and by its polling."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from maxapi import Bot, Dispatcher
from maxapi.client import DefaultConnectionProperties
from maxapi.enums.update import UpdateType
from maxapi.types import CallbackButton, RequestContactButton
from maxapi.types.updates import UpdateUnion
from maxapi.utils.inline_keyboard import InlineKeyboardBuilder
from maxapi.webhook.aiohttp import AiohttpMaxWebhook

from tests.sdk.max_rig import BOT_ID, SECRET, TOKEN, dialog_with, served_max
from tests.sdk.serving import PATIENCE, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILES = ("image", "album", "video", "audio", "file")
SAYABLE = ("text", "reply", *FILES, "sticker", "contact", "location", "share")
INNER = {UpdateType.RAW_API_RESPONSE, UpdateType.ON_STARTED}
DEAD = {UpdateType.MESSAGE_CHAT_CREATED}  # went with the chat button (contract §7)


class Shop:
    """A bot made with maxapi: every event that its dispatcher hands out is put aside."""

    def __init__(self, max_: Served) -> None:
        self.max = max_
        self.bot = Bot(TOKEN, default_connection=DefaultConnectionProperties(timeout=30, max_retries=0))
        self.bot.set_api_url(max_.url)
        self.dispatcher = Dispatcher()
        self.taken: asyncio.Queue[Any] = asyncio.Queue()
        for kind in set(UpdateType) - INNER - DEAD:
            getattr(self.dispatcher, kind.value)()(self._keep)

    async def _keep(self, event: UpdateUnion) -> None:
        await self.taken.put(event)

    async def take(self, kind: str = "message_created") -> Any:
        async with asyncio.timeout(PATIENCE):
            event = await self.taken.get()
        assert event.update_type == kind
        return event

    async def ask(self, chat: int, text: str, button: Any) -> None:
        """A text with one button."""
        builder = InlineKeyboardBuilder()  # type: ignore[no-untyped-call]  # its constructor has no types
        keyboard: Any = [builder.row(button).as_markup()]
        await self.bot.send_message(chat_id=chat, text=text, attachments=keyboard)

    async def act(self, kind: str, chat: int | None = None, **content: Any) -> dict[str, Any]:
        where = {"chat": str(chat)} if chat is not None else {}
        return await self.max.write(type=kind, content=content, **where)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[tuple[Shop, str]]:
    async with served_max() as max_:
        shop = Shop(max_)
        hook = AiohttpMaxWebhook(dp=shop.dispatcher, bot=shop.bot, secret=SECRET)
        runner = web.AppRunner(hook.create_app("/hook"))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield shop, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        await runner.cleanup()
        await shop.bot.close_session()


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: tuple[Shop, str]) -> Shop:
    shop, hook = opened
    await shop.max.renewed()
    shop.taken = asyncio.Queue()
    with pytest.warns(UserWarning, match="HTTPS"):
        await shop.bot.subscribe_webhook(hook, secret=SECRET)
    return shop


@pytest.mark.parametrize("kind", SAYABLE)
async def test_whatever_a_customer_says_is_parsed(shop: Shop, kind: str) -> None:
    first = await shop.max.write(text="ау")
    await shop.take()
    letter = {"quote": first["message_ids"][0]} if kind == "reply" else {}
    await shop.max.write(type=kind, text="Вот" if kind in {"text", "reply", "image"} else None, **letter)
    event = await shop.take()
    assert event.message.sender.first_name == "Анна"
    recipient, chat = event.message.recipient, int(first["chat_id"])
    assert (recipient.chat_id, recipient.user_id, event.chat.chat_id) == (chat, BOT_ID, chat)
    attached = [attachment.type for attachment in event.message.body.attachments or []]
    expected = {"text": [], "reply": [], "album": ["image"] * 3}
    assert attached == expected.get(kind, [kind])


async def test_words_keep_their_marks_and_their_place(shop: Shop) -> None:
    markup = [{"type": "strong", "from": 2, "length": 3}]
    await shop.act("text", text="🔧 ура", markup=[{**markup[0], "from": 3}])
    message = (await shop.take()).message
    assert message.body.md_text == "🔧 **ура**"
    assert message.body.mid.startswith("mid.")


async def test_a_reply_and_a_forward_name_what_they_carry(shop: Shop) -> None:
    first = await shop.max.write(text="Сколько стоит экран?")
    await shop.take()
    for kind in ("reply", "forward"):
        text = "Ау" if kind == "reply" else None
        await shop.max.write(type=kind, text=text, quote=first["message_ids"][0])
        link = (await shop.take()).message.link
        assert (link.type, link.message.text) == (kind, "Сколько стоит экран?")


async def test_an_answer_goes_where_the_message_came_from(shop: Shop) -> None:
    await shop.max.write(text="Сколько стоит экран?")
    event = await shop.take()
    await event.message.answer("От 1500")
    await event.message.reply("или больше")
    assert [message["text"] for message in await shop.max.seen()][-2:] == ["От 1500", "или больше"]


async def test_edits_and_deletions_are_told(shop: Shop) -> None:
    written = await shop.max.write(text="Сколько стоит экран?")
    await shop.take()
    [mid] = written["message_ids"]
    await shop.act("message_edited", message=mid, text="Сколько стоит экран 13?")
    assert (await shop.take("message_edited")).message.body.text == "Сколько стоит экран 13?"
    await shop.act("message_removed", message=mid)
    gone = await shop.take("message_removed")
    assert (gone.message_id, gone.chat_id) == (mid, int(written["chat_id"]))


async def test_a_press_is_answered_with_a_note_and_a_new_message(shop: Shop) -> None:
    chat = await dialog_with(shop.max)
    await shop.take()
    await shop.ask(chat, "Записать?", CallbackButton(text="Да", payload="yes"))
    await shop.act("press", button="Да")
    press = await shop.take("message_callback")
    assert (press.callback.payload, press.callback.user.first_name) == ("yes", "Анна")
    assert press.message.body.text == "Записать?"
    assert (await press.answer(notification="Записали", new_text="Записали на 10:00")).success
    assert (await shop.max.seen())[-1]["text"] == "Записали на 10:00"


async def test_a_shared_number_is_a_contact(shop: Shop) -> None:
    chat = await dialog_with(shop.max)
    await shop.take()
    await shop.ask(chat, "Ваш номер?", RequestContactButton(text="Номер"))
    await shop.act("press", button="Номер")
    [contact] = (await shop.take()).message.body.attachments
    assert contact.payload.max_info.first_name == "Анна"
    assert contact.payload.vcf.phone.startswith("79")


async def test_starting_muting_and_leaving_a_dialog_are_told(shop: Shop) -> None:
    chat = await dialog_with(shop.max)
    await shop.take()
    await shop.act("bot_started", payload="avito42")
    assert (await shop.take("bot_started")).payload == "avito42"
    await shop.act("dialog_muted", muted_until=1_900_000_000_000)
    assert (await shop.take("dialog_muted")).muted_until == 1_900_000_000_000
    for kind in ("dialog_unmuted", "dialog_cleared"):
        await shop.act(kind)
        assert (await shop.take(kind)).chat_id == chat
    await shop.act("dialog_removed")
    async with asyncio.timeout(PATIENCE):
        kinds = {(await shop.taken.get()).update_type for _ in range(2)}
    assert kinds == {"bot_stopped", "dialog_removed"}


async def test_what_happens_to_a_group_is_told(shop: Shop) -> None:
    group = int((await shop.act("bot_added"))["chat_id"])
    added = await shop.take("bot_added")
    assert (added.chat_id, added.user.first_name, added.is_channel) == (group, "Анна", False)
    await shop.max.write("Борис", type="user_added", content={"by": "Анна"}, chat=str(group))
    assert (await shop.take("user_added")).user.first_name == "Борис"
    await shop.max.write("Борис", text="Всем привет", chat=str(group))
    event = await shop.take()
    assert (event.message.recipient.chat_type, event.message.recipient.chat_id) == ("chat", group)
    await shop.act("chat_title_changed", group, title="Мастерская")
    assert (await shop.take("chat_title_changed")).title == "Мастерская"
    await shop.max.write("Борис", type="user_removed", chat=str(group))
    assert (await shop.take("user_removed")).user.first_name == "Борис"
    await shop.act("bot_removed", group)
    assert (await shop.take("bot_removed")).chat_id == group


async def test_a_message_without_its_message_is_what_the_sdk_knows_of_voice(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.max.fault(voice_without_message=True)
    await shop.max.write(voice=True)
    await shop.max.write(text="ау")
    assert (await shop.take()).message.body.text == "ау"
    assert "message_created" in caplog.text


async def test_a_wrong_secret_is_refused_by_the_sdk(shop: Shop) -> None:
    await shop.max.fault(wrong_secret=True)
    await shop.max.write(text="ау")
    async with asyncio.timeout(PATIENCE):
        # The ledger is asked over HTTP.
        while not (log := (await shop.max.control("GET", "/deliveries"))["deliveries"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert log[0]["status"] == 403
    assert shop.taken.empty()


async def test_polling_follows_its_marker_and_is_mute_beside_a_webhook(shop: Shop) -> None:
    await shop.max.write(text="ноль")
    await shop.take()
    assert (await shop.bot.get_updates(timeout=0))["updates"] == []
    await shop.bot.delete_webhook()
    await shop.max.write(text="раз")
    polling = asyncio.create_task(shop.dispatcher.start_polling(shop.bot))
    assert (await shop.take()).message.body.text == "раз"
    await shop.max.write(text="два")
    assert (await shop.take()).message.body.text == "два"
    await shop.dispatcher.stop_polling()
    await polling
