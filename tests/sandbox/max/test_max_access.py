import asyncio

import httpx
import pytest

from tests.sandbox.max.conftest import Opens
from tests.sandbox.max.world import BOT, TOKEN, MaxWorld, shown


async def test_the_bot_introduces_itself(max_: MaxWorld) -> None:
    me = (await max_.api("GET", "/me")).json()

    assert (me["user_id"], me["is_bot"], me["username"]) == (BOT, True, "eldorado_bot")
    assert me["name"] == me["first_name"] == "Мастерская «Эльдорадо»"
    assert "commands" not in me


@pytest.mark.parametrize("header", [None, "", "wrong", f"Bearer {TOKEN}", TOKEN + "x"])
async def test_only_the_bare_token_opens_the_door(max_: MaxWorld, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = await max_.web.get("/max/me", headers=headers, params={"access_token": TOKEN})

    assert answer.status_code == 401
    assert answer.json() == {"code": "verify.token", "message": "Invalid access_token"}


async def test_a_withdrawn_token_is_refused_until_the_switch_is_off(max_: MaxWorld) -> None:
    await max_.fault(expired_token=True)
    assert shown(await max_.api("GET", "/me")) == (401, "verify.token")

    await max_.fault(auth_status=403)
    assert shown(await max_.api("GET", "/me")) == (403, "verify.token")

    await max_.control("DELETE", "/faults")
    assert (await max_.api("GET", "/me")).status_code == 200


async def test_the_list_of_chats_is_gone_unless_the_old_host_is_played(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    assert shown(await max_.api("GET", "/chats")) == (404, "not.found")

    await max_.fault(chats_listed=True)
    assert [c["chat_id"] for c in (await max_.api("GET", "/chats")).json()["chats"]] == [chat]


async def test_the_old_list_of_chats_has_pages(max_: MaxWorld) -> None:
    await max_.fault(chats_listed=True)
    for name in ("Анна", "Борис", "Марина"):
        await max_.dialog(name)

    first = (await max_.api("GET", "/chats", params={"count": 2})).json()
    second = (await max_.api("GET", "/chats", params={"count": 2, "marker": first["marker"]})).json()

    assert (len(first["chats"]), len(second["chats"]), "marker" in second) == (2, 1, False)


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("GET", "/nothing", (404, "not.found")),
        ("GET", "/messages/", (404, "not.found")),
        ("PATCH", "/me", (405, "method.not.allowed")),
        ("POST", "/updates", (405, "method.not.allowed")),
        ("DELETE", "/chats/5", (405, "method.not.allowed")),
    ],
)
async def test_unknown_paths_and_methods(
    max_: MaxWorld, method: str, path: str, refusal: tuple[int, str]
) -> None:
    assert shown(await max_.api(method, path)) == refusal


async def test_more_than_thirty_calls_a_second_are_429_without_a_pause_named(max_: MaxWorld) -> None:
    answers = [await max_.hasty("GET", "/me") for _ in range(31)]

    assert [a.status_code for a in answers] == [200] * 30 + [429]
    assert shown(answers[-1]) == (429, "too.many.requests")
    assert "retry-after" not in answers[-1].headers
    await max_.time.pass_(1)
    assert (await max_.hasty("GET", "/me")).status_code == 200


async def test_more_than_two_messages_a_second_into_one_chat_are_429(max_: MaxWorld) -> None:
    first, second = await max_.dialog("Анна"), await max_.dialog("Борис")

    async def send(chat: int) -> int:
        answer = await max_.hasty("POST", "/messages", params={"chat_id": chat}, json={"text": "раз"})
        return answer.status_code

    assert [await send(first) for _ in range(3)] == [200, 200, 429]
    assert await send(second) == 200
    await max_.time.pass_(1)
    assert await send(first) == 200


async def test_rates_are_settings(open_max: Opens) -> None:
    async with open_max(calls_per_second=1, retry_after=3) as world:
        answers = [await world.hasty("GET", "/me") for _ in range(2)]

    assert (answers[1].status_code, answers[1].headers["retry-after"]) == (429, "3")


async def test_commands_are_set_and_shown(max_: MaxWorld) -> None:
    commands = [{"name": "start", "description": "Начать"}, {"name": "help"}]

    answer = await max_.api("PATCH", "/me/commands", json={"commands": commands})

    assert answer.json() == {"commands": commands}
    assert (await max_.api("GET", "/me")).json()["commands"] == commands


@pytest.mark.parametrize(
    "commands", [None, "start", [5], [{}], [{"name": "x" * 65}], [{"name": "x", "description": "y" * 129}]]
)
async def test_wrong_commands_are_refused(max_: MaxWorld, commands: object) -> None:
    answer = await max_.api("PATCH", "/me/commands", json={"commands": commands})
    assert shown(answer) == (400, "proto.payload")


async def test_more_than_32_commands_are_refused(max_: MaxWorld) -> None:
    answer = await max_.api("PATCH", "/me/commands", json={"commands": [{"name": "x"}] * 33})
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"text": "\xff"}', b'{"text": NaN}'])
async def test_an_unreadable_body_is_400(max_: MaxWorld, body: bytes) -> None:
    chat = await max_.dialog()
    answer = await max_.api("POST", "/messages", params={"chat_id": chat}, content=body)
    assert shown(answer) == (400, "proto.payload")


async def test_rate_limit_and_error_switches_answer_the_next_calls(max_: MaxWorld) -> None:
    await max_.fault(rate_limit=1)
    answers: list[httpx.Response] = [await max_.api("GET", "/me")]
    await max_.fault(error={"status": 503, "calls": 1})
    answers += [await max_.api("GET", "/me"), await max_.api("GET", "/me")]

    assert [a.status_code for a in answers] == [429, 503, 200]
    assert "retry-after" not in answers[0].headers
    assert answers[1].json()["code"] == "service.unavailable"


async def test_an_error_may_have_any_code_and_aim_at_a_path(max_: MaxWorld) -> None:
    failing = {"status": 403, "code": "chat.denied", "message": "Key: x", "path": "/messages", "calls": 1}
    await max_.fault(error=failing)
    chat = await max_.dialog()

    assert (await max_.api("GET", "/me")).status_code == 200
    assert (await max_.send(chat, "раз")).json() == {"code": "chat.denied", "message": "Key: x"}


async def test_slow_holds_every_call(max_: MaxWorld) -> None:
    await max_.fault(slow=3)
    call = asyncio.ensure_future(max_.hasty("GET", "/me"))
    await max_.time.pass_(2.9)
    assert not call.done()

    await max_.time.pass_(0.1)
    assert (await call).status_code == 200


async def test_a_soft_failure_is_200_without_success(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    mid = await max_.mid(chat)
    await max_.fault(soft_failure=1)

    answer = await max_.api("DELETE", "/messages", params={"message_id": mid})

    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert (await max_.api("GET", f"/messages/{mid}")).status_code == 200
    assert (await max_.api("DELETE", "/messages", params={"message_id": mid})).json() == {"success": True}


@pytest.mark.parametrize(
    "given", [{"explode": True}, {"auth_status": 500}, {"press_without_chat": "maybe"}, {"not_ready": -1}]
)
async def test_wrong_switches_are_refused(max_: MaxWorld, given: dict[str, object]) -> None:
    assert (await max_.control("POST", "/faults", json=given)).status_code == 422
