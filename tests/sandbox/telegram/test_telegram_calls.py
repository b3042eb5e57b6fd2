"""Tokens, paths, encodings, envelopes (contract §1, §2.6, §7)."""

import json

import pytest

from tests.sandbox.telegram.world import TOKEN, World, opened


async def test_get_me_answers_as_the_contract_shows(telegram: World) -> None:
    answer = await telegram.web.get(f"/telegram/bot{TOKEN}/getMe")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["ok"] is True
    assert answer.json()["result"] == {
        "id": 7_000_000_001,
        "is_bot": True,
        "first_name": "Ремонт Про",
        "username": "remont_pro_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": True,
        "supports_inline_queries": False,
        "can_connect_to_business": True,
        "has_main_web_app": False,
    }


@pytest.mark.parametrize("name", ["getme", "GETME", "GetMe"])
async def test_method_names_come_in_any_case(telegram: World, name: str) -> None:
    assert (await telegram.call(name)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"bot{TOKEN}/getNothing", 404, "Not Found: method not found"),
        ("getMe", 404, "Not Found"),
        ("", 404, "Not Found"),
        ("bot0123:abc/getMe", 401, "Unauthorized: invalid token specified"),
        ("botabc/getMe", 401, "Unauthorized: invalid token specified"),
        (f"bot1:{'a' * 80}/getMe", 401, "Unauthorized: invalid token specified"),
        ("bot7000000001:other/getMe", 401, "Unauthorized"),
        (f"bot{TOKEN}/test/getMe", 401, "Unauthorized"),
    ],
)
async def test_bad_paths_and_tokens(telegram: World, path: str, status: int, words: str) -> None:
    answer = await telegram.web.post(f"/telegram/{path}")

    assert (answer.status_code, answer.json()) == (
        status,
        {"ok": False, "error_code": status, "description": words},
    )


async def test_the_test_environment_has_its_own_path() -> None:
    async with opened(test_environment=True) as world:
        assert (await world.call("test/getMe")).status_code == 200
        assert (await world.call("getMe")).status_code == 401


async def test_an_old_server_says_404_to_a_wrong_token() -> None:
    async with opened(wrong_token_status=404) as world:
        assert (await world.web.get("/telegram/bot7:wrong/getMe")).status_code == 404


async def test_every_encoding_says_the_same(telegram: World) -> None:
    chat, path = await telegram.chat(), f"/telegram/bot{TOKEN}/sendMessage"
    fields = {"chat_id": str(chat), "text": "привет"}
    reply = {"message_id": 11}

    answers = [
        await telegram.web.get(path, params={**fields, "reply_parameters": json.dumps(reply)}),
        await telegram.web.post(path, data={**fields, "reply_parameters": json.dumps(reply)}),
        await telegram.web.post(path, json={**fields, "reply_parameters": reply}),
        await telegram.web.post(
            path, data={**fields, "reply_parameters": json.dumps(reply)}, files={"unused": b"1"}
        ),
    ]

    assert [a.json()["result"]["text"] for a in answers] == ["привет"] * 4
    assert [a.json()["result"]["reply_to_message"]["message_id"] for a in answers] == [11] * 4


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[1]", "application/json"),
        (b"{", "application/json"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b'chat_id=1&text=x&reply_markup="\\ud800"', "application/x-www-form-urlencoded"),
        (b"chat_id=1&text=x&reply_markup=" + b"[" * 100_000, "application/x-www-form-urlencoded"),
    ],
)
async def test_an_unreadable_body_is_a_bad_request(telegram: World, content: bytes, kind: str) -> None:
    path = f"/telegram/bot{TOKEN}/sendMessage"
    answer = await telegram.web.post(path, content=content, headers={"content-type": kind})

    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)


async def test_an_unreadable_structure_inside_a_form_is_a_bad_request(telegram: World) -> None:
    refused = await telegram.refusal("sendMessage", chat_id=await telegram.chat(), text="x", reply_markup="{")

    assert refused == (400, "Bad Request: can't parse reply markup JSON object")


async def test_bodies_over_fifty_megabytes_are_too_large(telegram: World) -> None:
    answer = await telegram.web.post(
        f"/telegram/bot{TOKEN}/sendDocument", content=b"", headers={"content-length": str(60 << 20)}
    )

    assert (answer.status_code, answer.json()["description"]) == (413, "Request Entity Too Large")


async def test_a_revoked_token_is_unauthorized(telegram: World) -> None:
    await telegram.fault(expired_token=True)

    assert await telegram.refusal("getMe") == (401, "Unauthorized")
    assert (await telegram.web.get(f"/telegram/file/bot{TOKEN}/x")).status_code == 401


async def test_get_chat_shows_the_customer(telegram: World) -> None:
    chat = await telegram.chat("Ольга Кузнецова")

    shown = await telegram.result("getChat", chat_id=chat)

    assert (shown["id"], shown["type"]) == (chat, "private")
    assert (shown["first_name"], shown["last_name"]) == ("Ольга", "Кузнецова")
    assert await telegram.refusal("getChat", chat_id=1) == (400, "Bad Request: chat not found")
