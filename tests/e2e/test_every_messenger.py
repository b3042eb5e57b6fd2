"""A customer of each messenger writes, and is answered; what they send can be opened."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.registry import CHANNELS
from launcher.engines import Engines
from tests.e2e.agent import reply, shown, turn_of
from tests.engines_fixture import database, empty_redis
from tests.system import System, patiently, running

pytestmark = pytest.mark.e2e

MESSENGERS = [channel.channel for channel in CHANNELS]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def everything(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Every messenger, as `eldoleado run` has them; the tests are the agent, or start the demo agent."""
    folder = tmp_path_factory.mktemp("everything")
    with database(engines) as url:
        made = System(folder, redis_url=empty_redis(engines), database_url=url, channels=tuple(MESSENGERS))
        with running(made):
            made.start_all()
            yield made


@pytest.fixture
def stranger() -> str:
    """Somebody who has never written before."""
    return f"stranger-{next(_numbers)}"


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
