"""What the simulated VK emits, put into vkbottle's router over callbacks, and fetched by its long poll."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from vkbottle import API, AiohttpClient, Callback, Keyboard
from vkbottle.bot import Bot, Message
from vkbottle.callback import BotCallback
from vkbottle.polling import BotPolling
from vkbottle_types import GroupTypes

from sandbox.vk.letters import TYPES
from tests.sdk.serving import PATIENCE, Served
from tests.sdk.vk_rig import CHAT, FLAGS, GROUP, SECRET, TOKEN, peer_of, served_vk

pytestmark = pytest.mark.asyncio(loop_scope="module")
MODELS = {
    "message_reply": GroupTypes.MessageReply,
    "message_edit": GroupTypes.MessageEdit,
    "message_allow": GroupTypes.MessageAllow,
    "message_deny": GroupTypes.MessageDeny,
    "message_typing_state": GroupTypes.MessageTypingState,
    "message_read": GroupTypes.MessageRead,
    "message_event": GroupTypes.MessageEvent,
    "message_reaction_event": GroupTypes.MessageReactionEvent,
    "group_join": GroupTypes.GroupJoin,
}
WITHOUT_A_MODEL = {"article", "podcasts", "video_playlist"}  # vkbottle-types knows at most their names


class Shop:
    """A bot made with vkbottle behind the mailbox: what its router hands out is put aside."""

    def __init__(self, vk: Served, http: AiohttpClient) -> None:
        self.vk, self.api = vk, API(TOKEN, http_client=http)
        self.api.API_URL = f"{vk.url}/method/"
        self.bot = Bot(api=self.api)
        self.taken: list[Any] = []
        self.bot.on.message()(self._keep)
        for name, model in MODELS.items():
            self.bot.on.raw_event(name, model)(self._keep)

    async def _keep(self, event: Any) -> None:
        self.taken.append(event)

    async def take(self) -> Any:
        """The next delivery, as the router gives it to a handler."""
        delivery = (await self.vk.mailbox.take()).json
        assert delivery["secret"] == SECRET
        return await self.route(delivery)

    async def route(self, event: dict[str, Any]) -> Any:
        await self.bot.process_event(event)
        assert self.taken, f"no handler took {event}"
        return self.taken.pop()

    async def subscribe(self) -> None:
        callback = BotCallback(self.vk.mailbox.url, "bridge", SECRET, self.api, GROUP)
        code = await callback.get_callback_confirmation_code()
        self.vk.mailbox.answer = lambda asked: code if asked.json["type"] == "confirmation" else "ok"
        number = await callback.add_callback_server()
        await self.vk.mailbox.take()
        await callback.set_callback_settings(number, dict.fromkeys(FLAGS, True))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Shop]:
    http = AiohttpClient()
    async with served_vk() as vk:
        yield Shop(vk, http)
        await http.close()


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Shop) -> Shop:
    await opened.vk.renewed()
    await opened.subscribe()
    opened.taken.clear()
    return opened


@pytest.mark.parametrize("kind", sorted(TYPES))
async def test_whatever_a_customer_sends_is_parsed(shop: Shop, kind: str) -> None:
    for chat in (None, str(CHAT)):
        written = await shop.vk.write(type=kind, **({"chat": chat} if chat else {}))
        message = await shop.take()
        assert isinstance(message, Message)
        assert message.from_id == int(written["customer_id"])
        assert message.peer_id == (CHAT if chat else message.from_id)
        for attachment in message.attachments or []:
            found = getattr(attachment, attachment.type.value, None)
            assert found is not None or kind in WITHOUT_A_MODEL


async def test_a_text_answers_a_message_and_is_answered(shop: Shop) -> None:
    first = await shop.vk.write(text="Сколько стоит экран?")
    await shop.take()
    await shop.vk.write(text="Ау", quote=first["message_ids"][0])
    message = await shop.take()
    assert message.text == "Ау"
    assert message.reply_message.text == "Сколько стоит экран?"
    await message.answer("От 1500 ₽")
    assert (await shop.vk.seen())[-1]["text"] == "От 1500 ₽"


async def test_the_parts_of_a_message_are_found(shop: Shop) -> None:
    await shop.vk.write(type="start")
    assert (await shop.take()).get_payload_json() == {"command": "start"}
    await shop.vk.write(type="ref")
    assert (await shop.take()).ref == "shop"
    await shop.vk.write(type="location")
    assert (await shop.take()).geo.coordinates.latitude == 55.75
    await shop.vk.write(type="service", chat=str(CHAT))
    assert (await shop.take()).action.type.value == "chat_title_update"
    await shop.vk.write(type="cropped")
    assert (await shop.take()).is_cropped


async def test_files_of_the_customer_open(shop: Shop) -> None:
    await shop.vk.write(image=True, voice=True)
    photo, voice = await shop.take(), await shop.take()
    [picture] = photo.get_photo_attachments()
    largest = max(picture.sizes, key=lambda size: size.width * size.height)
    assert (await shop.vk.web.get(largest.url)).status_code == 200
    [note] = voice.get_audio_message_attachments()
    assert (await shop.vk.web.get(note.link_ogg)).content.startswith(b"OggS")


async def test_our_own_reply_is_echoed_with_its_random_id(shop: Shop) -> None:
    peer = await peer_of(shop.vk)
    await shop.take()
    await shop.api.messages.send(peer_id=peer, random_id=918_273, message="От 1500 ₽")
    reply = (await shop.take()).object
    assert (reply.text, reply.random_id, reply.from_id) == ("От 1500 ₽", 918_273, -GROUP)
    assert reply.out
    await shop.vk.control("POST", "/operator/messages", json={"chat": str(peer), "text": "Звоните"})
    assert (await shop.take()).object.admin_author_id == 1001


async def test_edits_on_both_sides_are_told(shop: Shop) -> None:
    peer = await peer_of(shop.vk)
    await shop.take()
    number = await shop.api.messages.send(peer_id=peer, random_id=1, message="От 1500")
    await shop.take()
    await shop.api.messages.edit(peer_id=peer, message_id=number, message="От 1700")
    assert (await shop.take()).object.text == "От 1700"
    await shop.vk.write(type="edit", text="Ау?")
    assert (await shop.take()).object.text == "Ау?"


async def test_a_press_is_answered_with_a_snackbar(shop: Shop) -> None:
    peer = await peer_of(shop.vk)
    await shop.take()
    keyboard = Keyboard(inline=True).add(Callback("Да", payload={"a": "yes"})).get_json()
    await shop.api.messages.send(peer_id=peer, random_id=1, message="Записать?", keyboard=keyboard)
    await shop.take()
    await shop.vk.write(type="press")
    press = (await shop.take()).object
    assert (press.user_id, press.peer_id, press.payload) == (peer, peer, {"a": "yes"})
    answered = await shop.api.messages.send_message_event_answer(
        event_id=press.event_id,
        user_id=peer,
        peer_id=peer,
        event_data='{"type":"show_snackbar","text":"Записали"}',
    )
    assert answered == 1


async def test_gestures_are_told(shop: Shop) -> None:
    peer = await peer_of(shop.vk)
    await shop.take()
    await shop.api.messages.send(peer_id=peer, random_id=1, message="Готово")
    await shop.take()
    await shop.vk.write(type="typing")
    assert (await shop.take()).object.from_id == peer
    await shop.vk.control("POST", "/customers/Анна/read", json={})
    assert (await shop.take()).object.from_id == peer
    await shop.vk.write(type="reaction", content={"reaction_id": 3})
    assert (await shop.take()).object.reaction_id == 3
    await shop.vk.write(type="unreaction")
    assert (await shop.take()).object.reaction_id is None
    await shop.vk.write(type="message_deny")
    assert (await shop.take()).object.user_id == peer
    await shop.vk.write(type="message_allow")
    assert (await shop.take()).object.key == "k1"


async def test_any_other_event_of_the_community_is_told(shop: Shop) -> None:
    joined = {"type": "group_join", "object": {"user_id": 77_001, "join_type": "join"}}
    await shop.vk.write(type="event", content=joined)
    assert (await shop.take()).object.user_id == 77_001


async def test_the_long_poll_brings_the_same_events(shop: Shop) -> None:
    polling = BotPolling(api=shop.api, group_id=GROUP, wait=5)
    place = await polling.get_server()
    await shop.vk.write(text="раз")
    found = await polling.get_event(place)
    assert (await shop.route(found["updates"][0])).text == "раз"
    waiting = asyncio.ensure_future(polling.get_event(place | {"ts": found["ts"]}))
    await shop.vk.write(text="два")
    async with asyncio.timeout(PATIENCE):
        found = await waiting
    assert [update["object"]["message"]["text"] for update in found["updates"]] == ["два"]


async def test_a_stale_key_is_told_and_renewed(shop: Shop) -> None:
    polling = BotPolling(api=shop.api, group_id=GROUP, wait=5)
    stale = {**await polling.get_server(), "key": "old"}
    told = await polling.get_event(stale)
    assert told["failed"] == 2
    renewed = await polling.handle_failed_event(stale, told)
    await shop.vk.write(text="ау")
    assert len((await polling.get_event(renewed))["updates"]) == 1
