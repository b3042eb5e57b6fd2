import pytest

from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import GROUP, TOKEN, VkWorld


async def test_get_and_post_form_and_multipart_are_equal(vk: VkWorld) -> None:
    query = {"access_token": TOKEN, "v": "5.199"}
    answers = [
        await vk.web.get("/vk/method/groups.getById", params=query),
        await vk.web.post("/vk/method/groups.getById", params=query),
        await vk.web.post("/vk/method/groups.getById", data=query),
        await vk.web.post("/vk/method/groups.getById", data=query, files={"unused": b"x"}),
    ]

    assert [answer.json()["response"]["groups"][0]["id"] for answer in answers] == [GROUP] * 4


async def test_the_token_may_be_a_header(vk: VkWorld) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answer = await vk.web.get("/vk/method/groups.getById?v=5.199", headers=headers)

    assert answer.json()["response"]["groups"][0]["name"] == "Мастерская «Эльдорадо»"


async def test_a_json_body_is_not_read(vk: VkWorld) -> None:
    answer = await vk.web.post("/vk/method/groups.getById", json={"access_token": TOKEN, "v": "5.199"})

    assert (answer.status_code, answer.json()["error"]["error_code"]) == (200, 8)


async def test_errors_come_with_200_and_never_show_the_token(vk: VkWorld) -> None:
    answer = await vk.raw("messages.send", peer_id=77_001, random_id=5, message="да")

    error = answer.json()["error"]
    assert (answer.status_code, error["error_code"]) == (200, 901)
    assert error["error_msg"] == "Can't send messages for users without permission"
    assert error["request_params"][:2] == [
        {"key": "method", "value": "messages.send"},
        {"key": "oauth", "value": "1"},
    ]
    assert {"key": "peer_id", "value": "77001"} in error["request_params"]
    assert TOKEN not in answer.text


async def test_what_is_wrong_is_told_in_a_fixed_order(vk: VkWorld) -> None:
    assert (await vk.error("messages.Send", v="", access_token="x"))[0] == 3
    assert (await vk.error("messages.send", v="", access_token="x"))[0] == 8
    code, words = await vk.error("messages.send", access_token="x")
    assert (code, words) == (5, "User authorization failed: invalid access_token (4).")
    assert (await vk.error("messages.send", access_token=""))[1].endswith("no access_token passed.")
    code, words = await vk.error("messages.send", peer_id=1, message="да")
    assert (code, words.partition(": ")[2]) == (100, "random_id is a required parameter")


async def test_twenty_calls_a_second_pass_and_one_more_is_error_6(open_vk: Open) -> None:
    async with open_vk(calls_per_second=20) as vk:
        for _ in range(20):
            await vk.api("groups.getById")
        assert (await vk.error("groups.getById"))[0] == 6

        await vk.time.pass_(1)
        await vk.api("groups.getById")


async def test_a_long_get_is_414(vk: VkWorld) -> None:
    params = {"access_token": TOKEN, "v": "5.199", "message": "я" * 400}

    assert (await vk.web.get("/vk/method/messages.send", params=params)).status_code == 414


@pytest.mark.parametrize("path", ["/vk/", "/vk/method/", "/vk/method", "/vk/longpoll/1", "/vk/upload/other"])
async def test_other_paths_do_not_exist(vk: VkWorld, path: str) -> None:
    assert (await vk.web.get(path)).status_code == 404


async def test_the_key_shows_and_needs_its_scopes(vk: VkWorld) -> None:
    held = await vk.api("groups.getTokenPermissions")
    assert (held["mask"], held["permissions"][0]) == (397_316, {"name": "messages", "setting": 4096})

    await vk.fault(missing_permissions=["messages", "manage"])

    assert (await vk.api("groups.getTokenPermissions"))["mask"] == 131_076
    assert (await vk.error("messages.getConversations"))[0] == 7
    assert (await vk.error("groups.getCallbackServers", group_id=GROUP))[0] == 7
    assert "upload_url" in await vk.api("photos.getMessagesUploadServer")


async def test_people_are_found_by_id_and_short_name(vk: VkWorld) -> None:
    peer = await vk.write("Иван Петров", text="ау")

    [person] = await vk.api("users.get", user_ids=f"id{peer},999,Иван Петров", fields="photo_100")

    assert (person["id"], person["first_name"], person["last_name"]) == (peer, "Иван", "Петров")
    photo = await vk.web.get(person["photo_100"])
    assert photo.headers["content-type"] == "image/png"
    assert "photo_100" not in (await vk.api("users.get", user_ids=peer))[0]
    assert (await vk.error("users.get", user_ids=",".join(["1"] * 1001)))[0] == 100


async def test_only_the_own_community_is_known(vk: VkWorld) -> None:
    assert (await vk.api("groups.getById", group_ids=f"club{GROUP}"))["groups"] != []
    assert await vk.api("groups.getById", group_id=5) == {"groups": [], "profiles": []}


async def test_execute_runs_calls_and_tells_the_failed_ones(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    script = f"""return [API.users.get({{"user_ids": [{peer}]}}), API.messages.send({{"peer_id": 1,
        "random_id": 0, "message": "да"}}), API.groups.getById()];"""

    answer = (await vk.raw("execute", code=script)).json()

    users, sent, groups = answer["response"]
    assert (users[0]["id"], sent, groups["groups"][0]["id"]) == (peer, False, GROUP)
    assert [(e["method"], e["error_code"]) for e in answer["execute_errors"]] == [("messages.send", 901)]
    single = (await vk.raw("execute", code=f'return API.messages.markAsRead({{"peer_id": {peer}}});')).json()
    assert single == {"response": 1}


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 100),
        ("var a = 1; return a;", 12),
        ("return 1;", 12),
        ("return API.users.get({;", 12),
        ("return API.users.get({} ;", 12),
        ("return API.users.get([]);", 12),
        ("return [API.users.get() API.users.get()];", 12),
        (f"return [{', '.join(['API.users.get()'] * 26)}];", 13),
    ],
)
async def test_other_scripts_do_not_compile(vk: VkWorld, script: str, code: int) -> None:
    assert (await vk.error("execute", code=script))[0] == code
