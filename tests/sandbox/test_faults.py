import asyncio

import pytest

from tests.sandbox.world import World, account_path, chat_path, settle

SELF = "/core/v1/accounts/self"
CHATS = f"{account_path(2)}/chats"


async def test_rate_limit_answers_the_next_calls_with_429_and_retry_after(world: World) -> None:
    await world.fault(rate_limit={"calls": 2, "retry_after": 7})

    answers = [await world.api("GET", SELF) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert (answers[0].headers["retry-after"], answers[0].json()) == ("7", {})


async def test_retry_after_can_be_left_out_and_a_number_is_enough(world: World) -> None:
    await world.fault(rate_limit={"calls": 1, "retry_after": None})
    assert "retry-after" not in (await world.api("GET", SELF)).headers

    await world.fault(rate_limit=1)
    assert (await world.api("GET", SELF)).headers["retry-after"] == "1"


async def test_error_gives_the_next_calls_a_status(world: World) -> None:
    await world.fault(error={"status": 503, "calls": 1})

    answers = [await world.api("GET", SELF) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].json()["error"]["code"] == 503


async def test_faults_spare_the_token_request_unless_they_name_it(world: World) -> None:
    await world.fault(error={"status": 500, "calls": 1})
    assert (await world.web.post("/avito/token", data={})).status_code == 400

    await world.fault(error={"status": 500, "calls": 1, "path": "/token"})
    assert (await world.api("GET", SELF)).status_code == 200
    assert (await world.web.post("/avito/token", data={})).status_code == 500


async def test_slow_holds_every_call(world: World) -> None:
    await world.fault(slow=3)
    call = asyncio.ensure_future(world.api("GET", SELF))
    await world.time.pass_(2.9)
    assert not call.done()

    await world.time.pass_(0.1)
    assert (await call).status_code == 200


async def test_a_send_can_be_stored_and_its_answer_lost(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    await world.subscribe()
    await world.fault(drop_after_storing=1)

    lost, kept = await world.send(chat, "первый"), await world.send(chat, "второй")

    assert (lost.status_code, kept.status_code) == (502, 200)
    assert lost.headers["content-type"].startswith("text/html")
    assert [message["text"] for message in await world.seen()] == ["ау", "первый", "второй"]
    assert world.receiver.texts == ["первый", "второй"]


async def test_the_answer_to_an_image_can_be_lost_too(world: World) -> None:
    chat = (await world.write(image=True))["chat_id"]
    sizes = {"uploadfile[]": ("p.gif", b"GIF89a\x01\0\x01\0")}
    [image_id] = (await world.api("POST", f"{account_path(1)}/uploadImages", files=sizes)).json()
    await world.fault(drop_after_storing=1)

    answer = await world.api("POST", f"{chat_path(chat)}/messages/image", json={"image_id": image_id})

    assert answer.status_code == 502
    assert [message["type"] for message in await world.history(chat)] == ["image", "image"]


async def test_a_missing_plan_is_402_on_every_messenger_path(world: World) -> None:
    await world.fault(plan=True)

    answer = await world.api("GET", CHATS)

    assert (answer.status_code, answer.json()["error"]["code"]) == (402, 402)
    assert "подписка" in answer.json()["error"]["message"]
    assert (await world.api("POST", "/messenger/v1/subscriptions")).status_code == 402
    assert (await world.api("GET", SELF)).status_code == 200


async def test_duplicate_delivers_each_webhook_several_times(world: World) -> None:
    await world.subscribe()
    await world.fault(duplicate=3)
    await world.write(text="ау")

    assert world.receiver.texts == ["ау"] * 3
    assert len({push["id"] for push in world.receiver.pushes}) == 1


async def test_reorder_swaps_neighbours_of_a_chat(world: World) -> None:
    await world.subscribe()
    await world.fault(reorder=True)
    for text in ("раз", "два", "три", "четыре"):
        await world.write(text=text)

    assert world.receiver.texts == ["два", "раз", "четыре", "три"]


async def test_a_push_held_for_reordering_does_not_wait_for_ever(world: World) -> None:
    await world.subscribe()
    await world.fault(reorder=True)
    await world.write(text="раз")
    assert world.receiver.texts == []

    await world.time.pass_(2)
    assert world.receiver.texts == ["раз"]


async def test_delay_makes_webhooks_late(world: World) -> None:
    await world.subscribe()
    await world.fault(delay=5)
    await world.write(text="раз")
    await world.time.pass_(4)
    assert world.receiver.texts == []

    await world.time.pass_(1)
    assert world.receiver.texts == ["раз"]


async def test_held_webhooks_come_in_their_order_once_they_are_let_go(world: World) -> None:
    await world.subscribe()
    await world.fault(hold=True)
    await world.write(text="раз")
    await world.write(text="два")
    await world.time.pass_(60)
    assert world.receiver.texts == []

    await world.fault(hold=False)
    await world.time.pass_(1)
    assert world.receiver.texts == ["раз", "два"]


async def test_silent_webhook_loses_pushes_but_not_messages(world: World) -> None:
    await world.subscribe()
    await world.fault(silent_webhook=True)
    chat = (await world.write(text="раз"))["chat_id"]

    assert world.receiver.texts == []
    assert len(await world.history(chat)) == 1
    assert [line["error"] for line in await world.deliveries()] == ["dropped by silent_webhook"]


async def test_switches_add_up_and_are_reset_together(world: World) -> None:
    calm = (await world.control("GET", "/faults")).json()
    await world.fault(duplicate=2)
    await world.fault(plan=True)
    shown = (await world.control("GET", "/faults")).json()["faults"]
    assert (shown["duplicate"], shown["plan"]) == (2, True)

    assert (await world.control("DELETE", "/faults")).json() == calm


@pytest.mark.parametrize("off", [None, 0, False])
async def test_a_counted_switch_can_be_turned_off(world: World, off: object) -> None:
    await world.fault(rate_limit=5, error={"calls": 5}, expired_token=None)
    await world.fault(rate_limit=off, error=off)

    assert (await world.api("GET", SELF)).status_code == 200


async def test_an_unknown_switch_is_named(world: World) -> None:
    answer = await world.control("POST", "/faults", json={"duplicate": 2, "explode": True})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("unknown switch: explode")
    assert (await world.control("GET", "/faults")).json()["faults"]["duplicate"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"duplicate": 0},
        {"slow": -1},
        {"error": {"status": 200}},
        {"error": "soon"},
        {"rate_limit": {"cals": 1}},
        {"rate_limit": -1},
        {"expired_token": "404"},
        {"plan": "perhaps"},
    ],
)
async def test_a_wrong_value_is_refused_by_name(world: World, given: dict[str, object]) -> None:
    answer = await world.control("POST", "/faults", json=given)

    assert (answer.status_code, answer.json()["error"].split(".")[0].split(":")[0]) == (
        422,
        next(iter(given)),
    )


async def test_a_reset_forgets_conversations_but_keeps_tokens_and_subscriptions(world: World) -> None:
    await world.subscribe()
    world.receiver.statuses = [500]
    await world.write(text="раз")
    await world.fault(duplicate=2)

    assert (await world.control("POST", "/reset")).status_code == 200
    await world.time.pass_(100)

    assert await world.seen() == []
    assert await world.deliveries() == []
    assert world.receiver.texts == ["раз"]
    await world.write(text="два")
    assert world.receiver.texts == ["раз", "два"]


async def test_a_full_reset_forgets_tokens_and_subscriptions_too(world: World) -> None:
    await world.subscribe()
    await world.control("POST", "/reset?everything=true")
    await world.write(text="раз")
    await settle()

    assert world.receiver.requests == []
    assert (await world.api("GET", SELF)).status_code == 401
