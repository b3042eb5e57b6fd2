"""vkbottle calls the simulated VK; models generated from VK's own schema (vkbottle-types) read every answer.

The address is the attribute `API.API_URL`, set on our instance; vkbottle has no argument for it.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from vkbottle import (
    API,
    AiohttpClient,
    Callback,
    DocMessagesUploader,
    Keyboard,
    OpenLink,
    PhotoMessageUploader,
    Text,
    VKAPIError,
    VoiceMessageUploader,
)
from vkbottle.callback import BotCallback
from vkbottle_types.objects import UsersFields

from sandbox.media import made_up_picture
from sandbox.vk.media_objects import sample_voice
from tests.sdk.serving import Served
from tests.sdk.vk_rig import CHAT, FLAGS, GROUP, SECRET, TOKEN, peer_of, served_vk

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    async with served_vk() as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def vk(server: Served) -> Served:
    return await server.renewed()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http() -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient()
    yield client
    await client.close()


@pytest.fixture
def api(vk: Served, http: AiohttpClient) -> API:
    return api_of(vk, http)


def api_of(vk: Served, http: AiohttpClient, token: str = TOKEN) -> API:
    api = API(token, http_client=http)
    api.API_URL = f"{vk.url}/method/"
    return api


async def test_the_community_knows_itself_and_its_rights(api: API) -> None:
    found = await api.groups.get_by_id()
    assert [group.id for group in found.groups] == [GROUP]
    rights = await api.groups.get_token_permissions()
    assert {"messages", "photos", "docs", "manage"} <= {right.name for right in rights.permissions}


async def test_a_customer_has_a_name_and_a_picture(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    [person] = await api.users.get(user_ids=[peer, 424_242], fields=[UsersFields.PHOTO_100])
    assert (person.id, person.first_name) == (peer, "Анна")
    assert person.photo_100 is not None


async def test_a_text_is_sent_once_however_often_it_is_repeated(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    first = await api.messages.send(peer_id=peer, random_id=918_273, message="От 1500 ₽")
    again = await api.messages.send(peer_id=peer, random_id=918_273, message="От 1500 ₽")
    assert first == again
    assert [message["text"] for message in await vk.seen()] == ["ау", "От 1500 ₽"]


async def test_many_are_written_to_at_once_and_fail_alone(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    sent: Any = await api.messages.send(peer_ids=[peer, 424_242], random_id=5, message="Здравствуйте")
    done, failed = sent
    assert (done.peer_id, done.error) == (peer, None)
    assert (await vk.seen())[-1]["id"] == f"{peer}:{done.conversation_message_id}"
    assert failed.error is not None
    assert failed.error.code == 901


async def test_the_history_is_read_both_ways(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    await api.messages.send(peer_id=peer, random_id=1, message="Здравствуйте")
    newest = await api.messages.get_history(peer_id=peer)
    assert [message.text for message in newest.items] == ["Здравствуйте", "ау"]
    oldest = await api.messages.get_history(peer_id=peer, rev=True, count=1, extended=True)
    assert (oldest.count, [message.text for message in oldest.items]) == (2, ["ау"])
    assert [person.first_name for person in oldest.profiles or []] == ["Анна"]
    assert [conversation.peer.id for conversation in oldest.conversations or []] == [peer]


async def test_conversations_are_listed_those_with_many_people_too(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    await vk.write(text="в чат", chat=str(CHAT))
    found = await api.messages.get_conversations(extended=True)
    assert [item.conversation.peer.id for item in found.items] == [CHAT, peer]
    assert [item.last_message.text for item in found.items if item.last_message] == ["в чат", "ау"]
    chat = found.items[0].conversation.chat_settings
    assert chat is not None
    assert chat.title == "Заказ 214"
    one = await api.messages.get_conversations_by_id(peer_ids=[peer])
    assert one.items[0].unread_count == 1
    assert one.items[0].can_write is not None
    assert one.items[0].can_write.allowed


async def test_a_message_is_found_edited_and_deleted(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    number = await api.messages.send(peer_id=peer, random_id=1, message="От 1500")
    assert await api.messages.edit(peer_id=peer, message_id=number, message="От 1700")
    by_id = await api.messages.get_by_id(message_ids=[number])
    assert [message.text for message in by_id.items] == ["От 1700"]
    cmid = by_id.items[0].conversation_message_id
    by_cmid = await api.messages.get_by_conversation_message_id(peer_id=peer, conversation_message_ids=[cmid])
    assert [message.id for message in by_cmid.items] == [number]
    [gone] = await api.messages.delete(peer_id=peer, cmids=[cmid], delete_for_all=True)
    assert (gone.message_id, bool(gone.response)) == (number, True)


async def test_reading_answering_and_typing_are_ok(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    assert await api.messages.mark_as_read(peer_id=peer) == 1
    assert await api.messages.mark_as_answered_conversation(peer_id=peer) == 1
    assert await api.messages.set_activity(peer_id=peer, type="typing") == 1
    allowed = await api.messages.is_messages_from_group_allowed(group_id=GROUP, user_id=peer)
    assert allowed.is_allowed


async def test_a_photo_a_document_and_a_voice_note_are_uploaded_and_sent(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    sent = [
        await PhotoMessageUploader(api).upload(made_up_picture().content, peer_id=peer),
        await DocMessagesUploader(api).upload(b"%PDF-1.4 receipt", peer_id=peer, title="чек.pdf"),
        await VoiceMessageUploader(api).upload(sample_voice().content, peer_id=peer, title="voice.ogg"),
    ]
    for number, name in enumerate(sent, 1):
        await api.messages.send(peer_id=peer, random_id=number, attachment=name)
    shown = (await api.messages.get_history(peer_id=peer, rev=True)).items[1:]
    photo, document, voice = [(message.attachments or [])[0] for message in shown]
    assert photo.photo is not None
    assert photo.photo.sizes
    assert document.doc is not None
    assert (document.doc.title, document.doc.ext) == ("чек.pdf", "pdf")
    assert voice.audio_message is not None
    assert voice.audio_message.link_ogg


async def test_a_keyboard_comes_back_with_the_message(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    keyboard = Keyboard(inline=True).add(Callback("Да", payload={"a": "yes"})).add(Text("Цены", {"a": "p"}))
    # The SDK's merged model of button actions wants a payload on each; VK's schema has it optional.
    keyboard.row().add(OpenLink("https://example.test/", "Сайт", payload={"a": "site"}))
    await api.messages.send(peer_id=peer, random_id=1, message="Записать?", keyboard=keyboard.get_json())
    [asked] = (await api.messages.get_history(peer_id=peer, count=1)).items
    assert asked.keyboard is not None
    labels = [button.action.label for row in asked.keyboard.buttons for button in row]
    assert labels == ["Да", "Цены", "Сайт"]


async def test_a_script_is_executed(api: API, vk: Served) -> None:
    peer = await peer_of(vk)
    done = await api.execute(code=f'return [API.users.get({{"user_ids":"{peer}"}})];')
    assert done.response["response"][0][0]["first_name"] == "Анна"


async def test_a_callback_server_is_set_up_and_removed(api: API, vk: Served) -> None:
    callback = BotCallback(vk.mailbox.url, "bridge", SECRET, api, GROUP)
    code = await callback.get_callback_confirmation_code()
    vk.mailbox.answer = lambda _: code
    number = await callback.add_callback_server()
    asked = (await vk.mailbox.take()).json
    assert (asked["type"], asked["group_id"], asked["secret"]) == ("confirmation", GROUP, SECRET)
    assert await callback.find_server_id() == number
    await callback.set_callback_settings(number, dict.fromkeys(FLAGS, True))
    settings = await api.groups.get_callback_settings(group_id=GROUP, server_id=number)
    assert settings.api_version == "5.199"
    assert settings.events is not None
    assert all(getattr(settings.events, flag, True) for flag in FLAGS)
    assert not settings.events.wall_post_new
    servers = await api.groups.get_callback_servers(group_id=GROUP)
    assert [(one.id, one.status.value) for one in servers.items] == [(number, "ok")]
    await callback.delete_callback_server(number)
    assert await callback.find_server_id() is None


@pytest.mark.parametrize("code", [6, 9, 10, 29, 900, 901, 902, 914, 917, 950])
async def test_a_refusal_becomes_the_error_of_its_code(api: API, vk: Served, code: int) -> None:
    peer = await peer_of(vk)
    await vk.fault(api_error=code)
    with pytest.raises(VKAPIError[code]) as caught:
        await api.messages.send(peer_id=peer, random_id=1, message="ау")
    assert caught.value.code == code
    assert caught.value.request_params["method"] == "messages.send"
    assert TOKEN not in str(caught.value.request_params)


async def test_too_many_calls_a_second_are_error_6(http: AiohttpClient) -> None:
    async with served_vk(calls_per_second=2) as vk:
        api = api_of(vk, http)
        calls = [api.groups.get_by_id() for _ in range(5)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert VKAPIError[6] in {type(one) for one in done}


async def test_a_stranger_a_long_text_and_a_wrong_key_are_refused(
    api: API, vk: Served, http: AiohttpClient
) -> None:
    peer = await peer_of(vk)
    with pytest.raises(VKAPIError[901]):
        await api.messages.send(peer_id=424_242, random_id=1, message="ау")
    with pytest.raises(VKAPIError[914]):
        await api.messages.send(peer_id=peer, random_id=2, message="я" * 4097)
    with pytest.raises(VKAPIError[100], match="random_id"):
        await api.messages.send(peer_id=peer, message="ау")
    with pytest.raises(VKAPIError[5]):
        await api_of(vk, http, "vk1.a.wrong").groups.get_by_id()
    await vk.fault(expired_token=27)
    with pytest.raises(VKAPIError[27]):
        await api.groups.get_by_id()


async def test_a_captcha_is_solved_by_its_handler(api: API, vk: Served) -> None:
    seen: list[str] = []

    async def solve(error: VKAPIError) -> str:
        seen.append(str(error))
        return "solved"

    peer = await peer_of(vk)
    api.add_captcha_handler(solve)
    await vk.fault(api_error=14)
    assert await api.messages.send(peer_id=peer, random_id=1, message="ау") > 0
    assert seen == ["Captcha needed"]
