"""vk_api, the other widespread client of VK, which calls and parses without models.

It has the vendor's address in its code, so an adapter of requests, its HTTP library, carries what is meant
for that host to the sandbox. It names the field of a photo upload `file0` where VK's pages say `photo`
(contract §3.4): the simulator takes that name only when its setting `photo_fields` lists it.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import requests
import vk_api
from requests.adapters import HTTPAdapter
from vk_api.bot_longpoll import VkBotEventType, VkBotLongPoll, VkBotMessageEvent
from vk_api.keyboard import VkKeyboard
from vk_api.upload import VkUpload
from vk_api.utils import get_random_id

from sandbox.media import made_up_picture
from sandbox.vk.media_objects import sample_voice
from tests.sdk.serving import Served
from tests.sdk.vk_rig import GROUP, TOKEN, peer_of, served_vk

pytestmark = pytest.mark.asyncio(loop_scope="module")
HARD_CODED = "https://api.vk.ru/"


class Detour(HTTPAdapter):
    """The same request, at the sandbox."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = str(request.url).replace(HARD_CODED, f"{self._address}/", 1)
        return super().send(request, *args, **options)


class Vk(vk_api.VkApi):  # type: ignore[misc]  # vk_api has no types
    RPS_DELAY = 0  # a pause before each call


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    async with served_vk(photo_fields=("photo", "file0")) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def vk(server: Served) -> Served:
    return await server.renewed()


def session_of(vk: Served, token: str = TOKEN) -> Vk:
    http = requests.Session()
    http.trust_env = False
    http.mount(HARD_CODED, Detour(vk.url))
    return Vk(token=token, session=http, api_version="5.199")


@pytest.fixture
def session(vk: Served) -> Vk:
    return session_of(vk)


async def test_a_text_with_a_keyboard_is_sent_and_read(session: Vk, vk: Served) -> None:
    peer, api = await peer_of(vk), session.get_api()
    keyboard = VkKeyboard(inline=True)
    keyboard.add_callback_button("Да", payload={"a": "yes"})
    number = await asyncio.to_thread(
        api.messages.send,
        peer_id=peer,
        random_id=get_random_id(),
        message="Записать?",
        keyboard=keyboard.get_keyboard(),
    )
    found = await asyncio.to_thread(api.messages.getHistory, peer_id=peer)
    newest = found["items"][0]
    assert (newest["id"], newest["text"]) == (number, "Записать?")
    assert (await vk.seen())[-1]["text"] == "Записать?"


async def test_files_are_uploaded(session: Vk, vk: Served) -> None:
    peer, upload = await peer_of(vk), VkUpload(session)
    picture = io.BytesIO(made_up_picture().content)
    [photo] = await asyncio.to_thread(upload.photo_messages, picture, peer)
    assert photo["sizes"]
    note = io.BytesIO(sample_voice().content)
    voice = await asyncio.to_thread(upload.audio_message, note, peer)
    assert voice["audio_message"]["link_ogg"]
    paper = io.BytesIO(b"%PDF-1.4 receipt")
    paper.name = "receipt.pdf"
    document = await asyncio.to_thread(upload.document_message, paper, "чек.pdf", peer_id=peer)
    assert document["doc"]["title"] == "чек.pdf"


async def test_refusals_become_its_own_errors(session: Vk, vk: Served) -> None:
    api = session.get_api()
    with pytest.raises(vk_api.ApiError) as caught:
        await asyncio.to_thread(api.messages.send, peer_id=424_242, random_id=1, message="ау")
    assert caught.value.code == 901
    with pytest.raises(vk_api.ApiError) as caught:
        await asyncio.to_thread(session_of(vk, "vk1.a.wrong").get_api().groups.getById)
    assert caught.value.code == 5
    await vk.fault(api_error=14)
    with pytest.raises(vk_api.Captcha):
        await asyncio.to_thread(api.groups.getById)
    await vk.fault(error={"status": 502})
    with pytest.raises(vk_api.ApiHttpError):
        await asyncio.to_thread(api.groups.getById)


async def test_a_call_too_many_is_repeated_by_itself(session: Vk, vk: Served) -> None:
    await vk.fault(rate_limit=1)
    found = await asyncio.to_thread(session.get_api().groups.getById)
    assert [group["id"] for group in found["groups"]] == [GROUP]


async def test_its_long_poll_parses_events(session: Vk, vk: Served) -> None:
    polling = await asyncio.to_thread(VkBotLongPoll, session, GROUP, 5)
    await vk.write(text="раз")
    await vk.write(type="typing")
    said, typing = await asyncio.to_thread(polling.check)
    assert isinstance(said, VkBotMessageEvent)
    assert (said.from_user, said.message.text) == (True, "раз")
    assert typing.type == VkBotEventType.MESSAGE_TYPING_STATE
