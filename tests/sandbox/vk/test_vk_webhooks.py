from email.utils import formatdate
from typing import Any

import httpx
import pytest

from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import GROUP, HOOK, SECRET, VkWorld


async def test_a_new_server_is_asked_to_confirm_at_once(vk: VkWorld) -> None:
    server = await vk.add_server()

    [asked] = vk.receiver.bodies
    assert (asked["type"], asked["group_id"], asked["secret"]) == ("confirmation", GROUP, SECRET)
    assert "object" not in asked
    found = await vk.api("groups.getCallbackServers", group_id=GROUP)
    assert found == {
        "count": 1,
        "items": [
            {
                "id": server,
                "title": "bridge",
                "creator_id": 1001,
                "url": HOOK,
                "secret_key": SECRET,
                "status": "ok",
            }
        ],
    }


async def test_a_confirmation_can_be_bare(open_vk: Open) -> None:
    async with open_vk(bare_confirmation=True) as vk:
        await vk.add_server()

        assert vk.receiver.bodies == [{"type": "confirmation", "group_id": GROUP}]


async def test_the_code_changes_and_an_old_one_fails(vk: VkWorld) -> None:
    await vk.add_server()
    old = vk.receiver.code
    params = {"group_id": GROUP, "url": HOOK, "title": "second"}
    second = (await vk.api("groups.addCallbackServer", **params))["server_id"]

    assert await vk.status(second) == "failed"
    vk.receiver.code = (await vk.api("groups.getCallbackConfirmationCode", group_id=GROUP))["code"]
    assert vk.receiver.code != old
    assert await vk.api("groups.editCallbackServer", server_id=second, **params) == 1
    assert await vk.status(second) == "ok"


@pytest.mark.parametrize("wrap", ["{} ", '"{}"', "\ufeff{}", ""])
async def test_only_the_code_itself_confirms(vk: VkWorld, wrap: str) -> None:
    code = (await vk.api("groups.getCallbackConfirmationCode", group_id=GROUP))["code"]
    vk.receiver.code = wrap.format(code)

    params = {"group_id": GROUP, "url": HOOK, "title": "bridge"}
    server = (await vk.api("groups.addCallbackServer", **params))["server_id"]

    assert await vk.status(server) == "failed"


async def test_a_server_gets_only_the_events_it_asked_for(vk: VkWorld) -> None:
    server = await vk.add_server()
    await vk.write(text="раз")
    assert vk.receiver.events == []

    await vk.api("groups.setCallbackSettings", group_id=GROUP, server_id=server, message_reply=1)
    await vk.send(await vk.write(text="два"))
    await vk.api("groups.setCallbackSettings", group_id=GROUP, server_id=server, message_new=1)
    await vk.write(text="три")

    assert vk.receiver.types == ["message_reply", "message_new"]
    settings = await vk.api("groups.getCallbackSettings", group_id=GROUP, server_id=server)
    assert (settings["api_version"], settings["events"]["message_reply"]) == ("5.199", 1)
    assert settings["events"]["message_event"] == 0


async def test_an_old_version_does_not_wrap(vk: VkWorld) -> None:
    server = await vk.subscribe(secret="")
    await vk.api("groups.setCallbackSettings", group_id=GROUP, server_id=server, api_version="5.80")
    await vk.write(text="раз")

    [event] = vk.receiver.events
    assert (event["v"], event["object"]["text"], "secret" in event) == ("5.80", "раз", False)


async def test_every_server_gets_the_event_under_the_same_id(vk: VkWorld) -> None:
    await vk.subscribe()
    await vk.subscribe("http://shop.test/second")
    await vk.write(text="раз")

    events = vk.receiver.events
    assert len(events) == 2
    assert len({event["event_id"] for event in events}) == 1
    assert {str(r.url) for r in vk.receiver.requests[-2:]} == {HOOK, "http://shop.test/second"}


async def test_what_is_not_ok_is_repeated_with_a_counter(vk: VkWorld) -> None:
    await vk.subscribe()
    refused = httpx.ConnectError("refused")
    vk.receiver.answers = [(200, '"ok"'), (500, "ok"), refused, (200, "ok\n"), (404, "")]
    await vk.write(text="раз")

    counts = [len(vk.receiver.events)]
    for pause in (4.9, 0.1, 15, 60, 300, 900, 9999):
        await vk.time.pass_(pause)
        counts.append(len(vk.receiver.events))

    assert counts == [1, 1, 2, 3, 4, 5, 6, 6]
    counters = [request.headers.get("x-retry-counter") for request in vk.receiver.requests[1:]]
    assert counters == [None, "1", "2", "3", "4", "5"]
    assert len({event["event_id"] for event in vk.receiver.events}) == 1


async def test_after_the_last_repeat_an_event_is_lost(vk: VkWorld) -> None:
    await vk.subscribe()
    vk.receiver.answers = [(500, "")] * 9
    peer = await vk.write(text="раз")
    await vk.time.pass_(99_999)

    assert len(vk.receiver.events) == 6
    assert len(await vk.history(peer)) == 1


async def test_a_failed_event_does_not_hold_back_the_next(vk: VkWorld) -> None:
    await vk.subscribe()
    vk.receiver.answers = [(500, "")]
    await vk.write(text="раз")
    await vk.write(text="два")
    await vk.time.pass_(5)

    assert vk.receiver.texts == ["раз", "два", "раз"]


@pytest.mark.parametrize("status", [410, 429, 503])
async def test_a_wish_to_wait_is_granted(vk: VkWorld, status: int) -> None:
    await vk.subscribe()
    later = formatdate(vk.time.now() + 600, usegmt=True)
    vk.receiver.answers = [(status, "", {"Retry-After": later})]
    await vk.write(text="раз")
    await vk.time.pass_(599)
    assert len(vk.receiver.events) == 1

    await vk.time.pass_(1)
    assert len(vk.receiver.events) == 2


@pytest.mark.parametrize("wish", ["soon", "600", formatdate(0), formatdate(1_763_800_000 + 4 * 3600)])
async def test_other_wishes_are_not(vk: VkWorld, wish: str) -> None:
    await vk.subscribe()
    vk.receiver.answers = [(503, "", {"Retry-After": wish})]
    await vk.write(text="раз")
    await vk.time.pass_(5)

    assert len(vk.receiver.events) == 2


async def test_remove_removes_the_server(vk: VkWorld) -> None:
    await vk.subscribe()
    vk.receiver.answers = [(200, "remove")]
    await vk.write(text="раз")
    await vk.write(text="два")

    assert vk.receiver.texts == ["раз"]
    assert await vk.api("groups.getCallbackServers", group_id=GROUP) == {"count": 0, "items": []}


async def test_many_failures_in_a_row_shut_the_server_until_it_is_confirmed_again(open_vk: Open) -> None:
    async with open_vk(failures_allowed=3) as vk:
        server = await vk.subscribe()
        vk.receiver.answers = [(500, "")] * 3
        await vk.write(text="раз")
        await vk.time.pass_(20)
        assert await vk.status(server) == "failed"
        await vk.write(text="два")
        await vk.time.pass_(9999)
        assert vk.receiver.texts == ["раз"] * 3

        vk.receiver.code = (await vk.api("groups.getCallbackConfirmationCode", group_id=GROUP))["code"]
        params = {"group_id": GROUP, "server_id": server, "url": HOOK, "title": "bridge"}
        await vk.api("groups.editCallbackServer", **params)
        await vk.write(text="три")
        assert vk.receiver.texts[3:] == ["три"]


async def test_a_success_forgives_the_failures_before(open_vk: Open) -> None:
    async with open_vk(failures_allowed=3) as vk:
        server = await vk.subscribe()
        vk.receiver.answers = [(500, ""), (500, ""), (200, "ok")] * 2
        await vk.write(text="раз")
        await vk.time.pass_(100)
        await vk.write(text="два")
        await vk.time.pass_(100)

        assert await vk.status(server) == "ok"


async def test_a_deleted_server_gets_no_repeat(vk: VkWorld) -> None:
    server = await vk.subscribe()
    vk.receiver.answers = [(500, "")]
    await vk.write(text="раз")
    assert await vk.api("groups.deleteCallbackServer", group_id=GROUP, server_id=server) == 1
    await vk.time.pass_(9999)

    assert len(vk.receiver.events) == 1


async def test_there_are_ten_servers_at_most(vk: VkWorld) -> None:
    for number in range(10):
        await vk.add_server(f"http://shop.test/{number}")

    params = {"group_id": GROUP, "url": HOOK, "title": "one more"}
    assert (await vk.error("groups.addCallbackServer", **params))[0] == 2000


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"url": ""}, 100),
        ({"url": "shop.test"}, 100),
        ({"url": "ftp://shop.test"}, 100),
        ({"url": "http://["}, 100),
        ({"title": ""}, 100),
        ({"title": "я" * 15}, 100),
        ({"secret_key": "s" * 51}, 100),
        ({"group_id": ""}, 100),
        ({"group_id": 5}, 203),
        ({"server_id": 77}, 104),
        ({"server_id": ""}, 100),
    ],
)
async def test_a_wrong_server_has_its_code(vk: VkWorld, given: dict[str, Any], code: int) -> None:
    server = await vk.add_server()
    params = {"group_id": GROUP, "server_id": server, "url": HOOK, "title": "bridge", **given}

    assert (await vk.error("groups.editCallbackServer", **params))[0] == code


@pytest.mark.parametrize("given", [{"api_version": "latest"}, {"message_new": "yes"}])
async def test_wrong_settings_are_refused(vk: VkWorld, given: dict[str, Any]) -> None:
    server = await vk.add_server()
    params = {"group_id": GROUP, "server_id": server, **given}

    assert (await vk.error("groups.setCallbackSettings", **params))[0] == 100


async def test_deliveries_are_logged_with_their_chats(vk: VkWorld) -> None:
    await vk.subscribe()
    written = await vk.written(text="раз")

    confirmation, event = await vk.deliveries()
    assert (confirmation["type"], event["type"]) == ("confirmation", "message_new")
    assert (event["chat_id"], event["message_id"]) == (written["chat_id"], written["message_ids"][0])


async def test_the_settings_list_every_flag_of_the_schema(vk: VkWorld) -> None:
    server = await vk.subscribe()

    events = (await vk.api("groups.getCallbackSettings", group_id=GROUP, server_id=server))["events"]

    assert (events["message_new"], events["wall_post_new"], events["donut_money_withdraw_error"]) == (1, 0, 0)
