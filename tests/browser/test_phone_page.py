"""The phone page in a real browser: somebody writes on each messenger, and sees the answers."""

from typing import TYPE_CHECKING

import pytest

from core.registry import CHANNELS
from tests.system import System

if TYPE_CHECKING:
    from tests.browser.phone import Phone

pytestmark = pytest.mark.e2e

MESSENGERS = [channel.channel for channel in CHANNELS]
WITH_BUTTONS = ["instagram", "max", "telegram", "vk"]
WITH_EDITS = ["max", "telegram", "vk", "whatsapp"]
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000"
    "000c49444154789c636868680000030401814bd3d2100000000049454e44ae426082"
)


def newest_chat(system: System, messenger: str) -> str:
    """The chat of whoever wrote last."""
    return str(system.get(f"mcp_{messenger}", "/api/chats")["chats"][0]["chat_id"])


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_a_text_comes_back_answered(phone: "Phone", messenger: str, stranger: str) -> None:
    phone.choose(messenger)
    phone.become(stranger)
    phone.write("Сколько стоит замена экрана?")

    phone.is_told("Замена экрана: от 3 500 ₽")


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_a_photo_comes_back_answered(phone: "Phone", messenger: str, stranger: str) -> None:
    phone.choose(messenger)
    phone.become(stranger)
    phone.press("Sample photo")

    phone.is_told("Фото получили")
    phone.opens_photo()


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_a_voice_note_comes_back_answered(phone: "Phone", messenger: str, stranger: str) -> None:
    phone.choose(messenger)
    phone.become(stranger)
    phone.press("Sample voice")

    phone.is_told("Голосовое сообщение получили")
    phone.plays_voice()


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_ones_own_photo_and_recording_come_back_answered(
    phone: "Phone", messenger: str, stranger: str
) -> None:
    phone.choose(messenger)
    phone.become(stranger)
    with phone.page.expect_file_chooser() as chooser:
        phone.press("Photo")
    chooser.value.set_files({"name": "экран.png", "mimeType": "image/png", "buffer": PICTURE})
    phone.sees("экран.png")
    phone.write("Вот так он выглядит")
    phone.is_told("Фото получили")
    phone.opens_photo()
    assert "Вот так он выглядит" in phone.conversation()

    phone.record()
    phone.is_told("Голосовое сообщение получили")
    phone.plays_voice()


@pytest.mark.parametrize("messenger", WITH_BUTTONS)
def test_a_pressed_button_comes_back_answered(
    phone: "Phone", system: System, messenger: str, stranger: str
) -> None:
    phone.choose(messenger)
    phone.become(stranger)
    phone.write("Здравствуйте!")
    phone.is_told("Это мастерская")

    question = {"chat_id": newest_chat(system, messenger), "text": "Что вас интересует?"}
    system.post(f"mcp_{messenger}", "/api/messages/send", question | {"buttons": ["Цена экрана", "Адрес"]})
    phone.press("Цена экрана")

    phone.is_told("Замена экрана: от 3 500 ₽")


def test_a_keyboard_in_place_of_the_phones_own_can_be_pressed(
    phone: "Phone", system: System, stranger: str
) -> None:
    phone.choose("telegram")
    phone.become(stranger)
    phone.write("Здравствуйте!")
    phone.is_told("Это мастерская")

    system.post("mcp_telegram", f"/api/chats/{newest_chat(system, 'telegram')}/phone", {"text": "Ваш номер?"})
    phone.press("Отправить номер")
    phone.sees("Attachment: contact")


@pytest.mark.parametrize("messenger", WITH_EDITS)
def test_typing_edits_and_deletions_are_shown(
    phone: "Phone", system: System, messenger: str, stranger: str
) -> None:
    service = f"mcp_{messenger}"
    phone.choose(messenger)
    phone.become(stranger)
    phone.write("Здравствуйте!")
    phone.is_told("Это мастерская")

    chat = newest_chat(system, messenger)
    sent = system.post(service, "/api/messages/send", {"chat_id": chat, "text": "Готово завтра"})
    phone.is_told("Готово завтра")
    system.post(service, f"/api/chats/{chat}/typing", {})
    phone.sees("typing…")
    edit = f"/api/chats/{chat}/messages/{sent['message_ids'][0]}/edit"
    system.post(service, edit, {"text": "Готово послезавтра"})
    phone.is_told("Готово послезавтра")
    phone.sees("edited")

    phone.log.get_by_role("button", name="Delete this message").click()
    phone.page.wait_for_function(
        "() => ![...document.querySelectorAll('.words')].some((p) => p.innerText === 'Здравствуйте!')"
    )


@pytest.mark.parametrize("messenger", MESSENGERS)
def test_every_fault_can_be_switched_on_and_off(phone: "Phone", messenger: str) -> None:
    phone.choose(messenger)
    boxes = phone.page.locator(f'#faults[data-channel="{messenger}"]').get_by_role("checkbox")
    boxes.first.wait_for()
    for box in [*boxes.all(), *boxes.all()]:
        with phone.page.expect_response(lambda answer: answer.request.method == "POST") as told:
            box.click()
        assert told.value.ok, (box.evaluate("box => box.labels[0].innerText"), told.value.text())
    with phone.page.expect_response(lambda answer: answer.request.method == "DELETE"):
        phone.press("Behave again")


def test_switching_channels_mixes_nothing(phone: "Phone", stranger: str) -> None:
    """The same name on two messengers is two people, each with their own words, the unsent ones as well."""
    for messenger in ("vk", "max"):
        phone.choose(messenger)
        phone.become(stranger)
        phone.write(f"Пишу из {messenger}, сколько стоит аккумулятор?")
        phone.is_told("Замена аккумулятора")
        assert [words for words in phone.conversation() if "Пишу из" in words] == [
            f"Пишу из {messenger}, сколько стоит аккумулятор?"
        ]
        phone.text.fill(f"не отправлено в {messenger}")

    phone.choose("vk")
    phone.become(stranger)
    phone.sees("Пишу из vk")
    assert phone.text.input_value() == "не отправлено в vk"
    assert not [words for words in phone.conversation() if "Пишу из max" in words]
    assert len(phone.conversation()) == 2
