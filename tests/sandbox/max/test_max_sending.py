import re
from typing import Any

import pytest

from tests.sandbox.max.conftest import Opens
from tests.sandbox.max.world import BOT, KEYBOARD, MaxWorld, shown

WEEK = 7 * 24 * 3600


async def test_a_sent_text_comes_back_as_a_message_and_reaches_the_customer(max_: MaxWorld) -> None:
    written = await max_.write(text="Здравствуйте")
    chat = int(written["chat_id"])

    message = await max_.sent(chat, "Ждём вас 🙂")

    assert set(message) == {"sender", "recipient", "timestamp", "body"}
    assert message["sender"]["user_id"] == BOT
    assert message["recipient"] == {
        "chat_id": chat,
        "chat_type": "dialog",
        "user_id": int(written["customer_id"]),
    }
    assert set(message["body"]) == {"mid", "seq", "text"}
    last = (await max_.seen())[-1]
    assert (last["direction"], last["text"], last["via"]) == ("out", "Ждём вас 🙂", "api")


async def test_mid_and_seq_are_built_of_chat_and_moment(max_: MaxWorld) -> None:
    for chat in (await max_.dialog(), await max_.group()):
        message = await max_.sent(chat, "раз")
        body = message["body"]

        assert body["seq"] >> 16 == message["timestamp"]
        assert body["mid"] == f"mid.{chat % (1 << 64):016x}{body['seq']:016x}"
        assert re.fullmatch(r"mid\.[0-9a-f]{32}", body["mid"])


async def test_seq_grows_within_one_millisecond(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    answers = [
        await max_.hasty("POST", "/messages", params={"chat_id": chat}, json={"text": "раз"})
        for _ in range(2)
    ]

    first, second = (answer.json()["message"]["body"]["seq"] for answer in answers)
    assert first < second


async def test_a_person_can_be_addressed_by_user_id_which_is_not_the_chat_id(max_: MaxWorld) -> None:
    written = await max_.write(text="Здравствуйте")

    answer = await max_.api(
        "POST", "/messages", params={"user_id": written["customer_id"]}, json={"text": "раз"}
    )

    assert answer.json()["message"]["recipient"]["chat_id"] == int(written["chat_id"])
    assert written["customer_id"] != written["chat_id"]


@pytest.mark.parametrize("params", [{}, {"chat_id": 0}, {"user_id": 0}])
async def test_nobody_named_is_a_chat_zero(max_: MaxWorld, params: dict[str, int]) -> None:
    answer = await max_.api("POST", "/messages", params=params, json={"text": "раз"})

    assert (answer.status_code, answer.json()) == (
        403,
        {"code": "chat.denied", "message": "Invalid chatId: 0"},
    )


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"chat_id": 5, "user_id": 6}, (400, "proto.payload")),
        ({"chat_id": "five"}, (400, "proto.payload")),
        ({"chat_id": 1 << 63}, (400, "proto.payload")),
        ({"chat_id": 5}, (404, "chat.not.found")),
        ({"user_id": 5}, (404, "dialog.not.found")),
    ],
)
async def test_wrong_addressees_are_refused(
    max_: MaxWorld, params: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert shown(await max_.api("POST", "/messages", params=params, json={"text": "раз"})) == refusal


async def test_a_bot_cannot_write_first_but_after_start(max_: MaxWorld) -> None:
    anna = (await max_.control("POST", "/customers", json={"name": "Анна"})).json()["id"]
    send = {"params": {"user_id": anna}, "json": {"text": "раз"}}
    assert shown(await max_.api("POST", "/messages", **send)) == (404, "dialog.not.found")

    await max_.act("bot_started")
    assert (await max_.api("POST", "/messages", **send)).status_code == 200


async def test_a_stopped_bot_cannot_write_or_read_until_it_is_started(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    await max_.act("bot_stopped")

    answer = await max_.send(chat, "раз")
    assert shown(answer) == (403, "chat.denied")
    assert answer.json()["message"].startswith("Key: error.dialog.suspended, args: [")
    assert shown(await max_.api("GET", "/messages", params={"chat_id": chat})) == (403, "chat.denied")

    await max_.act("start")
    assert (await max_.send(chat, "раз")).status_code == 200


async def test_an_unpublished_bot_is_suspended_everywhere(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    await max_.fault(suspended=True)
    assert shown(await max_.send(chat, "раз")) == (403, "chat.denied")


async def test_a_removed_dialog_is_not_found(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    await max_.act("dialog_removed")

    answer = await max_.api("GET", f"/chats/{chat}")
    assert answer.json() == {"code": "chat.not.found", "message": f"Chat {chat} not found"}
    assert shown(await max_.send(chat, "раз")) == (404, "chat.not.found")


async def test_four_thousand_characters_pass_and_one_more_is_400(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    assert (await max_.send(chat, "я" * 4000)).status_code == 200

    answer = await max_.send(chat, "я" * 4001)

    assert (answer.status_code, answer.json()["message"]) == (400, "text: size must be between 0 and 4000")
    assert (await max_.send(chat, "🙂" * 4000)).status_code == 200


async def test_the_unit_of_the_limit_is_a_setting(open_max: Opens) -> None:
    async with open_max(text_unit="utf-16") as world:
        chat = await world.dialog()
        assert (await world.send(chat, "🙂" * 2000)).status_code == 200
        assert (await world.send(chat, "🙂" * 2001)).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": None, "attachments": []},
        {"text": ""},
        {"text": 5},
        {"text": "раз", "format": "bbcode"},
        {"text": "раз", "notify": "yes"},
        {"text": "раз", "link": {"type": "quote", "mid": "x"}},
        {"text": "раз", "link": "x"},
        {"text": "раз", "attachments": "x"},
    ],
)
async def test_messages_that_say_nothing_or_nonsense_are_400(max_: MaxWorld, body: dict[str, Any]) -> None:
    chat = await max_.dialog()
    answer = await max_.api("POST", "/messages", params={"chat_id": chat}, json=body)
    assert shown(answer) == (400, "proto.payload")


async def test_the_link_preview_flag_is_true_or_false(max_: MaxWorld) -> None:
    chat = await max_.dialog()

    async def send(flag: str) -> int:
        params = {"chat_id": chat, "disable_link_preview": flag}
        return (await max_.api("POST", "/messages", params=params, json={"text": "раз"})).status_code

    assert [await send("true"), await send("false"), await send("1")] == [200, 200, 400]


async def test_a_reply_shows_what_it_answers(max_: MaxWorld) -> None:
    written = await max_.write(text="Сколько?")
    chat, mid = int(written["chat_id"]), written["message_ids"][0]

    message = await max_.sent(chat, "1500", link={"type": "reply", "mid": mid})

    assert message["link"]["type"] == "reply"
    assert message["link"]["sender"]["first_name"] == "Анна"
    assert (message["link"]["message"]["mid"], message["link"]["message"]["text"]) == (mid, "Сколько?")
    assert "chat_id" not in message["link"]


async def test_a_message_can_be_passed_on_without_words(max_: MaxWorld) -> None:
    source, target = await max_.dialog("Анна"), await max_.dialog("Борис")
    mid = await max_.mid(source, "адрес")

    message = await max_.sent(target, None, link={"type": "forward", "mid": mid})

    assert (message["link"]["type"], message["link"]["chat_id"]) == ("forward", source)
    assert (await max_.seen("Борис"))[-1]["text"] == "адрес"


async def test_an_unknown_link_is_404(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    assert shown(await max_.send(chat, "раз", link={"type": "reply", "mid": "mid.0"})) == (404, "not.found")


async def test_a_send_can_be_stored_and_its_answer_lost(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    await max_.fault(drop_after_storing=1)

    lost, kept = await max_.send(chat, "первый"), await max_.send(chat, "второй")

    assert (lost.status_code, kept.status_code) == (502, 200)
    assert [m["text"] for m in await max_.seen()] == ["Здравствуйте", "первый", "второй"]


async def test_an_edit_changes_words_and_keeps_or_removes_attachments(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    mid = await max_.mid(chat, "раз", attachments=[KEYBOARD])

    async def edit(**body: Any) -> dict[str, Any]:
        answer = await max_.api("PUT", "/messages", params={"message_id": mid}, json=body)
        assert answer.json() == {"success": True}
        return dict((await max_.api("GET", f"/messages/{mid}")).json()["body"])

    changed, kept = await edit(text="два"), await edit(text="три", attachments=None)
    bare = await edit(attachments=[])

    assert (changed["text"], kept["text"], bare["text"]) == ("два", "три", "три")
    assert ("attachments" in changed, "attachments" in kept, "attachments" in bare) == (True, True, False)


async def test_an_edit_may_not_leave_a_message_empty(max_: MaxWorld) -> None:
    mid = await max_.mid(await max_.dialog())
    answer = await max_.api("PUT", "/messages", params={"message_id": mid}, json={"text": ""})
    assert shown(answer) == (400, "proto.payload")


@pytest.mark.parametrize(
    ("where", "attachments", "works"),
    [("dialog", [], False), ("dialog", [KEYBOARD], True), ("group", [], True)],
)
async def test_after_seven_days_only_keyboards_and_groups_can_be_edited(
    max_: MaxWorld, where: str, attachments: list[Any], works: bool
) -> None:
    chat = await (max_.dialog() if where == "dialog" else max_.group())
    mid = await max_.mid(chat, "раз", attachments=attachments)
    await max_.time.pass_(WEEK)

    answer = await max_.api("PUT", "/messages", params={"message_id": mid}, json={"text": "два"})

    assert (answer.status_code, answer.json()["success"]) == (200, works)


async def test_only_own_messages_can_be_edited_or_in_dialogs_deleted(max_: MaxWorld) -> None:
    mid = (await max_.write(text="раз"))["message_ids"][0]
    params = {"message_id": mid}

    assert shown(await max_.api("PUT", "/messages", params=params, json={"text": "два"})) == (
        403,
        "access.denied",
    )
    assert shown(await max_.api("DELETE", "/messages", params=params)) == (403, "access.denied")


async def test_a_deleted_message_is_gone_for_everybody(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    mid = await max_.mid(chat)

    assert (await max_.api("DELETE", "/messages", params={"message_id": mid})).json() == {"success": True}

    assert shown(await max_.api("GET", f"/messages/{mid}")) == (404, "not.found")
    assert shown(await max_.api("DELETE", "/messages", params={"message_id": mid})) == (404, "not.found")
    assert (await max_.seen())[-1]["type"] == "deleted"
    assert shown(await max_.api("DELETE", "/messages")) == (400, "proto.payload")


async def test_in_groups_the_right_decides_about_messages_of_others(max_: MaxWorld) -> None:
    for rights, status in ((["read_all_messages"], 403), (["read_all_messages", "delete"], 200)):
        chat = await max_.group(title=f"Группа {status}", rights=rights)
        [mid] = (await max_.write(chat=str(chat), text="спам"))["message_ids"]
        assert (await max_.api("DELETE", "/messages", params={"message_id": mid})).status_code == status


async def test_history_is_newest_first_and_counted(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    for text in ("раз", "два", "три"):
        await max_.sent(chat, text)

    async def texts(**params: Any) -> list[str]:
        answer = await max_.api("GET", "/messages", params={"chat_id": chat, **params})
        return [m["body"]["text"] for m in answer.json()["messages"]]

    assert await texts() == ["три", "два", "раз", "Здравствуйте"]
    assert await texts(count=2) == ["три", "два"]


async def test_from_is_the_newer_edge_of_a_window_unless_set_otherwise(open_max: Opens) -> None:
    for newer, older in (("from", "to"), ("to", "from")):
        async with open_max(from_is_newer=newer == "from") as world:
            chat = await world.dialog()
            moments = [(await world.sent(chat, text))["timestamp"] for text in ("раз", "два", "три")]
            window = {newer: moments[1], older: moments[1]}
            answer = await world.api("GET", "/messages", params={"chat_id": chat, **window})
            assert [m["body"]["text"] for m in answer.json()["messages"]] == ["два"]


async def test_messages_can_be_read_by_ids_and_unknown_ones_are_left_out(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    mids = [await max_.mid(chat, text) for text in ("раз", "два")]

    answer = await max_.api("GET", "/messages", params={"message_ids": ",".join([*mids, "mid.0"])})

    assert [m["body"]["mid"] for m in answer.json()["messages"]] == mids
    bare = await max_.api("GET", f"/messages/{mids[0].removeprefix('mid.')}")
    assert bare.json()["body"]["text"] == "раз"


@pytest.mark.parametrize(
    "params", [{}, {"chat_id": 1, "message_ids": "x"}, {"count": 0}, {"count": 101}, {"from": "now"}]
)
async def test_wrong_questions_for_history_are_400(max_: MaxWorld, params: dict[str, Any]) -> None:
    chat = await max_.dialog()
    given = {"chat_id": chat, **params} if {"count", "from"} & set(params) else params
    assert shown(await max_.api("GET", "/messages", params=given)) == (400, "proto.payload")


async def test_echoes_come_only_where_the_setting_asks_for_them(open_max: Opens) -> None:
    for echo, expected in ((False, ["Здравствуйте"]), (True, ["Здравствуйте", "ответ"])):
        async with open_max(echo=echo) as world:
            await world.subscribe()
            await world.sent(await world.dialog(), "ответ")
            assert [u["message"]["body"]["text"] for u in world.updates] == expected
