import asyncio

import pytest

from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import GROUP, HOOK, VkWorld


async def test_rate_limit_is_error_6_for_the_next_calls(vk: VkWorld) -> None:
    await vk.fault(rate_limit=2)

    answers = [await vk.raw("groups.getById") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert ["error" in answer.json() for answer in answers] == [True, True, False]
    assert answers[0].json()["error"]["error_code"] == 6


async def test_error_is_a_page_of_html(vk: VkWorld) -> None:
    await vk.fault(error={"status": 503, "calls": 1, "path": "/upload/"})
    assert (await vk.web.post("/vk/upload/doc")).status_code == 503
    await vk.fault(error={"status": 502, "calls": 1, "path": "messages.send"})

    assert (await vk.raw("groups.getById")).status_code == 200
    answer = await vk.raw("messages.send")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (502, "text/html")


async def test_slow_holds_every_call(vk: VkWorld) -> None:
    await vk.fault(slow=3)
    call = asyncio.ensure_future(vk.raw("groups.getById"))
    await vk.time.pass_(2.9)
    assert not call.done()

    await vk.time.pass_(0.1)
    assert (await call).status_code == 200


async def test_a_send_can_be_stored_and_its_answer_lost(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.subscribe()
    await vk.fault(drop_after_storing=1)
    params = {"peer_id": peer, "message": "раз", "random_id": 7}

    lost = await vk.raw("messages.send", **params)
    repeated = await vk.api("messages.send", **params)

    assert lost.status_code == 502
    assert vk.receiver.texts == ["раз"]
    assert (await vk.history(peer))[0]["id"] == repeated


@pytest.mark.parametrize(("given", "code"), [("5", 5), ("27", 27), (1117, 1117), (True, 5), ({}, None)])
async def test_a_bad_token_is_refused_until_the_switch_is_off(
    vk: VkWorld, given: object, code: int | None
) -> None:
    await vk.fault(expired_token=given)
    if code is not None:
        assert (await vk.error("groups.getById"))[0] == code

    await vk.fault(expired_token=None)
    await vk.api("groups.getById")


async def test_any_code_of_the_contract_can_be_forced(vk: VkWorld) -> None:
    await vk.fault(api_error={"code": 10, "calls": 1, "path": "messages.", "tail": "try later"})

    await vk.api("groups.getById")
    assert await vk.error("messages.getConversations") == (10, "Internal server error: try later")
    await vk.api("messages.getConversations")
    await vk.fault(api_error=29)
    assert (await vk.error("groups.getById"))[0] == 29


async def test_a_captcha_brings_its_fields_and_is_solved(vk: VkWorld) -> None:
    await vk.fault(api_error={"code": 14, "calls": 9})

    error = (await vk.raw("groups.getById")).json()["error"]
    assert {"captcha_sid", "captcha_img", "redirect_uri", "captcha_ts"} <= set(error)
    await vk.api("groups.getById", captcha_sid=error["captcha_sid"], captcha_key="abc")
    await vk.api("groups.getById", success_token="t")

    await vk.fault(captcha_without_picture=True)
    error = (await vk.raw("groups.getById")).json()["error"]
    assert ("captcha_sid" in error, "redirect_uri" in error) == (False, True)


async def test_validation_and_confirmation_bring_theirs(vk: VkWorld) -> None:
    await vk.fault(api_error={"code": 24, "calls": 9})
    assert "confirmation_text" in (await vk.raw("groups.getById")).json()["error"]
    await vk.api("groups.getById", confirm=1)

    await vk.fault(api_error={"code": 17, "extras": {"note": "x"}})
    error = (await vk.raw("groups.getById")).json()["error"]
    assert (error["redirect_uri"], error["note"]) == ("http://sandbox.test/vk/not_robot", "x")


@pytest.mark.parametrize("code", [18, 900, 902, 917, 950, 985])
async def test_a_peer_can_be_out_of_reach_for_any_reason(vk: VkWorld, code: int) -> None:
    peer = await vk.write(text="ау")
    await vk.fault(peers={str(peer): code})

    assert await vk.refusal(peer) == code
    await vk.fault(peers={})
    await vk.send(peer)


async def test_a_blacklisted_customer_cannot_write_either(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.fault(peers={"Анна": 900})

    answer = await vk.control("POST", "/customers/Анна/messages", json={"text": "ау"})

    assert answer.status_code == 409
    assert (await vk.control("GET", "/customers")).json()["customers"][0]["blocked"] is True
    await vk.fault(peers={"Анна": 37})
    assert (await vk.api("users.get", user_ids=peer))[0]["deactivated"] == "banned"


async def test_a_closed_window_opens_when_the_customer_writes(vk: VkWorld) -> None:
    anna, boris = await vk.write(text="ау"), await vk.write("Борис", text="ау")
    await vk.fault(closed_window=True)
    assert (await vk.refusal(anna), await vk.refusal(boris)) == (950, 950)

    await vk.write(text="ещё")
    await vk.send(anna)
    assert await vk.refusal(boris) == 950
    await vk.control("DELETE", "/faults")
    await vk.send(boris)


async def test_without_bot_abilities_keyboards_are_912(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.fault(bots_off=True)

    assert await vk.refusal(peer, keyboard='{"buttons":[]}') == 912
    await vk.send(peer)


async def test_servers_can_fail_and_vanish(vk: VkWorld) -> None:
    server = await vk.subscribe()
    await vk.fault(servers_failed=True)
    assert await vk.status(server) == "failed"
    await vk.write(text="раз")

    await vk.fault(unsubscribed=True)
    assert (await vk.api("groups.getCallbackServers", group_id=GROUP))["count"] == 0
    assert vk.receiver.events == []
    assert await vk.status(await vk.add_server()) == "ok"


async def test_events_can_carry_a_wrong_secret_or_group(vk: VkWorld) -> None:
    await vk.subscribe()
    await vk.fault(wrong_secret=True)
    await vk.write(text="раз")
    await vk.fault(wrong_secret=False, wrong_group=True)
    await vk.write(text="два")

    first, second = vk.receiver.events
    assert (first["secret"], second["group_id"]) == ("wrong", GROUP + 1)


async def test_events_can_come_twice_late_or_in_another_order(vk: VkWorld) -> None:
    await vk.subscribe()
    await vk.fault(duplicate=2)
    await vk.write(text="раз")
    assert vk.receiver.texts == ["раз"] * 2
    assert len({event["event_id"] for event in vk.receiver.events}) == 1

    await vk.fault(duplicate=1, delay=5)
    await vk.write(text="два")
    assert vk.receiver.texts[2:] == []
    await vk.time.pass_(5)
    assert vk.receiver.texts[2:] == ["два"]

    await vk.fault(delay=0, reorder=True)
    await vk.write(text="три")
    await vk.write(text="четыре")
    assert vk.receiver.texts[3:] == ["четыре", "три"]


async def test_silence_loses_events_but_neither_messages_nor_confirmations(vk: VkWorld) -> None:
    await vk.subscribe()
    await vk.fault(silent_webhook=True)
    peer = await vk.write(text="раз")

    assert vk.receiver.events == []
    assert len(await vk.history(peer)) == 1
    assert await vk.status(await vk.add_server("http://shop.test/2")) == "ok"


async def test_a_reset_keeps_servers_and_a_full_one_does_not(vk: VkWorld) -> None:
    await vk.subscribe()
    peer = await vk.write(text="раз")
    await vk.control("POST", "/reset")

    assert await vk.seen() == []
    assert await vk.refusal(peer) == 901
    await vk.write(text="два")
    assert vk.receiver.texts == ["раз", "два"]
    await vk.control("POST", "/reset?everything=true")
    await vk.write(text="три")
    assert vk.receiver.texts == ["раз", "два"]


@pytest.mark.parametrize(
    "given",
    [
        {"expired_token": "403"},
        {"api_error": 999_999},
        {"api_error": "soon"},
        {"peers": {"Анна": 5_000}},
        {"peers": []},
        {"missing_permissions": ["everything"]},
        {"plan": True},
    ],
)
async def test_a_wrong_switch_is_named(vk: VkWorld, given: dict[str, object]) -> None:
    answer = await vk.control("POST", "/faults", json=given)

    assert (answer.status_code, next(iter(given)) in answer.json()["error"]) == (422, True)


async def test_a_missing_scope_of_the_settings_is_error_7(open_vk: Open) -> None:
    async with open_vk(permissions=("messages",)) as vk:
        params = {"group_id": GROUP, "url": HOOK, "title": "bridge"}
        assert (await vk.error("groups.addCallbackServer", **params))[0] == 7
