from typing import Any

import pytest

from tests.sandbox.max.world import KEYBOARD, MaxWorld, shown


def keyboard(*rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "inline_keyboard", "payload": {"buttons": list(rows)}}


def button(kind: str = "callback", **more: Any) -> dict[str, Any]:
    return {"type": kind, "text": "Да", **({"payload": "yes"} if kind == "callback" else {}), **more}


@pytest.fixture
async def chat(max_: MaxWorld) -> int:
    await max_.subscribe()
    return await max_.dialog()


async def press(world: MaxWorld, chat: int) -> tuple[str, str]:
    """The message with the button, and the callback_id of its press."""
    mid = await world.mid(chat, "Подтвердить?", attachments=[KEYBOARD])
    await world.act("press")
    return mid, str(world.last["callback"]["callback_id"])


async def test_a_press_is_pushed_with_the_message_and_its_buttons(max_: MaxWorld, chat: int) -> None:
    mid, callback_id = await press(max_, chat)
    update = max_.last

    assert (update["update_type"], update["user_locale"]) == ("message_callback", "ru")
    assert (update["callback"]["payload"], update["callback"]["user"]["first_name"]) == ("yes", "Анна")
    assert callback_id.startswith("cbk_")
    assert update["message"]["body"]["mid"] == mid
    [[shown_button]] = update["message"]["body"]["attachments"][0]["payload"]["buttons"]
    assert shown_button == {"type": "callback", "text": "Да", "payload": "yes", "intent": "default"}


async def test_every_press_has_an_id_of_its_own(max_: MaxWorld, chat: int) -> None:
    _, first = await press(max_, chat)
    await max_.act("message_callback", payload="yes")
    assert max_.last["callback"]["callback_id"] != first


@pytest.mark.parametrize("quirk", ["zero", "absent"])
async def test_a_press_may_come_without_its_chat(max_: MaxWorld, chat: int, quirk: str) -> None:
    await max_.fault(press_without_chat=quirk)
    await press(max_, chat)

    assert max_.last["message"]["recipient"].get("chat_id", None) == (0 if quirk == "zero" else None)
    assert max_.last["callback"]["user"]["user_id"]


async def test_a_press_on_a_deleted_message_has_no_message(max_: MaxWorld, chat: int) -> None:
    mid = await max_.mid(chat, "раз", attachments=[KEYBOARD])
    await max_.api("DELETE", "/messages", params={"message_id": mid})
    await max_.act("press", message=mid, payload="yes")

    assert "message" not in max_.last
    assert max_.last["callback"]["payload"] == "yes"


async def test_an_answer_can_show_a_note_and_replace_the_message(max_: MaxWorld, chat: int) -> None:
    mid, callback_id = await press(max_, chat)
    body = {"message": {"text": "Подтверждено", "attachments": []}, "notification": "Спасибо"}

    answer = await max_.api("POST", "/answers", params={"callback_id": callback_id}, json=body)

    assert answer.json() == {"success": True}
    last = (await max_.seen())[-1]
    assert (last["id"], last["text"], last["notes"]) == (mid, "Подтверждено", ["Спасибо"])
    assert "attachments" not in last["content"]


@pytest.mark.parametrize(
    ("params", "body", "refusal"),
    [
        ({"callback_id": "guessed"}, {"notification": "x"}, (404, "not.found")),
        ({}, {"notification": "x"}, (400, "proto.payload")),
        (None, {}, (400, "proto.payload")),
        (None, {"notification": 5}, (400, "proto.payload")),
        (None, {"message": "x"}, (400, "proto.payload")),
        (None, {"message": {"text": "", "attachments": []}}, (400, "proto.payload")),
    ],
)
async def test_wrong_answers_are_refused(
    max_: MaxWorld, chat: int, params: dict[str, str] | None, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    _, callback_id = await press(max_, chat)
    given = {"callback_id": callback_id} if params is None else params
    assert shown(await max_.api("POST", "/answers", params=given, json=body)) == refusal


async def test_a_message_button_makes_the_customer_say_its_words(max_: MaxWorld, chat: int) -> None:
    await max_.sent(chat, "Как?", attachments=[keyboard([button("message", text="Да, хочу")])])
    await max_.act("press", button="Да, хочу")
    assert max_.last["message"]["body"]["text"] == "Да, хочу"


@pytest.mark.parametrize(
    ("kind", "attachment"), [("request_contact", "contact"), ("request_geo_location", "location")]
)
async def test_asking_buttons_make_the_customer_send_what_was_asked(
    max_: MaxWorld, chat: int, kind: str, attachment: str
) -> None:
    await max_.sent(chat, "Дайте", attachments=[keyboard([button(kind)])])
    await max_.act("press")
    [sent] = max_.last["message"]["body"]["attachments"]
    assert sent["type"] == attachment


async def test_link_buttons_stay_on_the_phone(max_: MaxWorld, chat: int) -> None:
    await max_.sent(chat, "Сайт", attachments=[keyboard([button("link", url="https://example.test")])])
    before = len(max_.updates)
    await max_.act("press")
    assert len(max_.updates) == before


async def test_a_button_that_is_not_there_cannot_be_pressed(max_: MaxWorld, chat: int) -> None:
    letter = {"type": "press", "content": {"payload": "no"}}
    assert (await max_.control("POST", "/customers/Анна/messages", json=letter)).status_code == 404
    await max_.sent(chat, "Да?", attachments=[KEYBOARD])
    assert (await max_.control("POST", "/customers/Анна/messages", json=letter)).status_code == 404


@pytest.mark.parametrize(
    "attachment",
    [
        keyboard(),
        keyboard([]),
        {"type": "inline_keyboard", "payload": {"buttons": "x"}},
        {"type": "inline_keyboard"},
        keyboard(["x"]),  # type: ignore[list-item]  # the mistake under test
        keyboard([button("chat")]),
        keyboard([button(text="")]),
        keyboard([button(text="x" * 129)]),
        keyboard([button(payload="x" * 1025)]),
        keyboard([button("callback", payload=None)]),
        keyboard([button("link")]),
        keyboard([button("link", url="x" * 2049)]),
        keyboard([button("open_app", payload="x" * 513)]),
        keyboard([button()] * 8),
        keyboard(*[[button()]] * 31),
        keyboard([button("request_contact")] * 4),
    ],
)
async def test_wrong_keyboards_are_400(max_: MaxWorld, chat: int, attachment: dict[str, Any]) -> None:
    assert shown(await max_.send(chat, "раз", attachments=[attachment])) == (400, "proto.payload")


async def test_keyboards_up_to_the_limits_pass(max_: MaxWorld, chat: int) -> None:
    rows = [[button(payload="x" * 1024, text="x" * 128)] * 7] * 30
    assert (await max_.send(chat, "раз", attachments=[keyboard(*rows)])).status_code == 200
    special = [
        button("link", url="https://a.test"),
        button("open_app"),
        button("request_contact"),
        button("clipboard", payload="code"),
    ]
    assert (await max_.send(chat, "раз", attachments=[keyboard(special)])).status_code == 200


async def test_only_one_keyboard_and_it_may_stand_beside_a_file(max_: MaxWorld, chat: int) -> None:
    token = await max_.token("file")
    beside = [{"type": "file", "payload": {"token": token}}, KEYBOARD]
    assert (await max_.send(chat, attachments=beside)).status_code == 200
    assert (await max_.send(chat, "раз", attachments=[KEYBOARD, KEYBOARD])).status_code == 400
