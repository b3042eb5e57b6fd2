"""A customer of each messenger writes, and is answered; what they send can be opened."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.resource_uris import CHAT, filled
from tests.e2e.agent import reply, shown, turn_of
from tests.e2e.mcp_calls import call, client
from tests.e2e.messengers.conftest import MESSENGERS
from tests.injection.answers import is_marked, leaves
from tests.injection.corpus import attempts
from tests.system import System, patiently

pytestmark = pytest.mark.e2e

#: Longer texts than every messenger takes.
LONG = 1_000


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_every_channel_is_healthy(everything: System, messenger: str) -> None:
    health = everything.get(f"mcp_{messenger}", "/health")

    assert health["accounts"] == {"default": {"healthy": True, "troubles": []}}


@pytest.mark.promise("complete")
@pytest.mark.parametrize("messenger", MESSENGERS)
def test_a_photo_and_a_voice_note_can_be_opened(everything: System, messenger: str, stranger: str) -> None:
    """By whoever works for the agent: no account of the messenger is needed."""
    everything.write(stranger, messenger, text=f"Это {stranger}")
    everything.write(stranger, messenger, image=True)
    everything.write(stranger, messenger, voice=True)

    turn = turn_of(everything, stranger)
    photo = next(one for one in turn["messages"] if one["type"] == "image")
    voice = next(one for one in turn["messages"] if one["type"] == "voice")

    assert [one["text_untrusted"] for one in turn["messages"] if one["type"] == "text"] == [f"Это {stranger}"]
    for link in (*photo["image_urls"], voice["voice_url"]):
        assert httpx.get(link, follow_redirects=True).raise_for_status().content
    reply(everything, turn, "Спасибо, посмотрим.")
    assert shown(everything, stranger, 1, channel=messenger) == ["Спасибо, посмотрим."]


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_buttons_reach_the_customer_as_buttons_or_numbers(
    everything: System, messenger: str, stranger: str
) -> None:
    everything.write(stranger, messenger, text=f"Запишите {stranger}")
    turn = turn_of(everything, stranger)

    reply(everything, turn, "Когда вам удобно?", buttons=["Сегодня", "Завтра"])

    parts = everything.get(f"mcp_{messenger}", "/info")["capabilities"]["parts"]
    [text] = shown(everything, stranger, 1, channel=messenger)
    wanted = "Когда вам удобно?" + ("" if "SendsButtons" in parts else "\n1. Сегодня\n2. Завтра")
    assert text == wanted


@pytest.mark.promise("injection")
@pytest.mark.parametrize("messenger", MESSENGERS)
async def test_a_channel_shows_what_was_tried_in_marked_fields_alone(
    everything: System, messenger: str, stranger: str
) -> None:
    """Of chats and messages, as the messenger's own API tells them; the name too is an attempt."""
    tried = [one for one in attempts() if len(one.text) < LONG]
    name = f"{tried[0].telling} {stranger}"
    for one in tried:
        chat_id = everything.write(name, messenger, text=one.text)["chat_id"]

    async with client(everything, f"mcp_{messenger}") as channel:
        looks = {tool.name for tool in (await channel.list_tools()).tools} & {"list_messages", "get_chat"}
        answers = [await call(channel, "list_chats", limit=100)]
        answers += [await call(channel, look, chat_id=chat_id) for look in sorted(looks)]
        [read] = (await channel.read_resource(filled(CHAT, channel=messenger, chat_id=chat_id))).contents
    answers.append(json.loads(getattr(read, "text", "")))

    looked = [(path, " ".join(text.split())) for answer in answers for path, text in leaves(answer)]
    marked = [text for path, text in looked if is_marked(path)]
    plain = [text for path, text in looked if not is_marked(path)]
    assert any(one.telling in text for one in tried for text in marked)
    assert [text for text in plain if any(one.telling in text for one in tried)] == []


@pytest.fixture(scope="module")
def demo(everything: System) -> Iterator[System]:
    """The same with the demo agent."""
    everything.start("agent")
    yield everything
    everything.kill("agent")


@pytest.mark.promise("channels")
@pytest.mark.parametrize("content", ["text", "photo", "voice"])
@pytest.mark.parametrize("messenger", MESSENGERS)
def test_whatever_a_customer_sends_comes_back_answered(
    demo: System, messenger: str, content: str, stranger: str
) -> None:
    written: dict[str, dict[str, Any]] = {
        "text": {"text": "Сколько стоит замена экрана?"},
        "photo": {"image": True},
        "voice": {"voice": True},
    }
    demo.write(stranger, messenger, **written[content])

    words = {"text": "Замена экрана", "photo": "Фото получили", "voice": "Голосовое сообщение получили"}
    assert words[content] in shown(demo, stranger, 1, channel=messenger)[0]


@pytest.mark.promise("form-reply")
def test_a_form_comes_back_answered_on_whatsapp(demo: System) -> None:
    """The only place where somebody is reached of whom a phone alone is known."""
    person = demo.post("sandbox", "/control/whatsapp/customers/formed/messages", {"text": "Проверка связи"})
    shown(demo, "formed", 1, channel="whatsapp")
    before = len(demo.seen_by("formed", "whatsapp"))
    form = {"phone": f"+{person['customer_id']}", "name": "Ольга", "form_id": "callback"}
    demo.post("form_api", "/api/submit", form | {"message": "Сколько стоит замена экрана?"})

    for _ in patiently(20):
        answers = demo.seen_by("formed", "whatsapp")[before:]
        if answers:
            break
    assert "Замена экрана" in answers[0]["text"]
