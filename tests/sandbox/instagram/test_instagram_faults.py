import asyncio
from typing import Any

import pytest

from tests.sandbox.instagram.world import TOKEN, InstagramWorld
from tests.sandbox.world import settle


async def test_rate_limit_has_the_codes_of_meta_and_no_retry_after(instagram: InstagramWorld) -> None:
    await instagram.fault(rate_limit=2)
    assert await instagram.refusal("GET", "/me") == (400, 613, 2534040)
    assert "retry-after" not in (await instagram.api("GET", "/me")).headers
    assert (await instagram.api("GET", "/me")).status_code == 200

    await instagram.fault(rate_limit={"code": 80002, "status": 429, "retry_after": 3})
    answer = await instagram.api("GET", "/me")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


async def test_error_can_be_any_refusal_for_the_next_calls_of_a_path(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.fault(error={"code": 2, "subcode": 1545133, "path": "/messages", "status": 500})

    assert (await instagram.api("GET", "/me")).status_code == 200
    assert await instagram.refused(chat, message={"text": "a"}) == (500, 2, 1545133)
    assert (await instagram.send(chat, "a")).status_code == 200


async def test_error_can_do_the_work_first(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.fault(error={"code": 1, "subcode": 1357046, "apply": True})

    assert await instagram.refused(chat, message={"text": "ушло"}) == (500, 1, 1357046)
    assert (await instagram.seen())[-1]["text"] == "ушло"


async def test_a_send_can_be_stored_echoed_and_lose_its_answer(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.subscribe()
    await instagram.fault(drop_after_storing=1)

    assert (await instagram.send(chat, "первый")).status_code == 502
    assert (await instagram.send(chat, "второй")).status_code == 200
    assert instagram.callback.texts == ["первый", "второй"]


async def test_the_connection_can_be_cut_in_the_middle_of_an_answer(instagram: InstagramWorld) -> None:
    await instagram.fault(error={"drop": True})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/instagram/me",
        "raw_path": b"/instagram/me",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
        "server": ("sandbox.test", 80),
    }
    await instagram.app(scope, receive, send)

    assert [message.get("more_body") for message in sent] == [None, True]


@pytest.mark.parametrize(
    ("switch", "value", "subcode"),
    [
        ("expired_token", True, 463),
        ("expired_token", 459, 459),
        ("expired_token", {"subcode": 467}, 467),
        ("logged_out", True, 460),
    ],
)
async def test_a_dead_token_is_190_until_the_switch_is_off(
    instagram: InstagramWorld, switch: str, value: object, subcode: int
) -> None:
    await instagram.fault(**{switch: value})
    assert await instagram.refusal("GET", "/me") == (400, 190, subcode)

    await instagram.control("DELETE", "/faults")
    assert (await instagram.api("GET", "/me")).status_code == 200


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("access", (403, 200, 2534048)),
        ("role", (403, 200, 2018028)),
        ("tools", (403, 200, 2534041)),
        ("link", (403, 10, 2534077)),
        ("restricted", (403, 10, 1893063)),
        ("limited", (400, 100, 2534029)),
        ("policy", (403, 368, None)),
        ("archived", (400, 100, 2534001)),
        ("ineligible", (400, 36103, None)),
    ],
)
async def test_sends_can_be_refused_for_every_reason_of_the_contract(
    instagram: InstagramWorld, name: str, refusal: tuple[int, int, int | None]
) -> None:
    chat = await instagram.open_chat()
    await instagram.fault(refused=name)

    assert await instagram.refused(chat, message={"text": "a"}) == refusal


async def test_the_window_can_be_closed_and_the_clock_moved(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.fault(closed_window=True)
    assert await instagram.refused(chat, message={"text": "a"}) == (403, 10, 2534022)

    await instagram.fault(closed_window=False, clock_ahead=86_400)
    assert await instagram.refused(chat, message={"text": "a"}) == (403, 10, 2534022)
    await instagram.fault(clock_ahead=0)
    assert (await instagram.send(chat, "a")).status_code == 200


async def test_with_standby_another_app_has_the_thread(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.fault(standby=True)
    chat = await instagram.open_chat()

    assert "standby" in instagram.callback.bodies[0]["entry"][0]
    assert await instagram.refused(chat, message={"text": "a"}) == (400, 100, 2534037)


@pytest.mark.parametrize("kind", ["wrong", "missing"])
async def test_signatures_can_be_wrong_or_missing(instagram: InstagramWorld, kind: str) -> None:
    await instagram.subscribe()
    await instagram.write(text="раз")
    await instagram.fault(signature=kind)
    await instagram.write(text="раз")

    right, other = (request.headers.get("x-hub-signature-256") for request in instagram.callback.requests)
    assert right != other
    assert (other is None) is (kind == "missing")


async def test_bodies_have_their_quirks_on_demand(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.fault(array_body=True, swapped_entry_id=True, num_edit_text=True)
    chat = (await instagram.write(type="postback"))["chat_id"]
    await instagram.write(text="раз")
    await instagram.write(type="edit", text="два")

    postback, _, edit = (body[0]["entry"][0] for body in instagram.callback.bodies)
    assert postback["id"] == chat
    assert edit["messaging"][0]["message_edit"]["num_edit"] == "1"


async def test_an_app_in_development_hears_only_edits_without_sender(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.fault(development=True)
    mid = (await instagram.write(text="раз"))["message_ids"][0]

    [item] = instagram.callback.items
    assert item["message_edit"] == {"mid": mid, "num_edit": 0}
    assert "sender" not in item
    shown = await instagram.api("GET", f"/{mid}", params={"fields": "message"})
    assert shown.json()["message"] == "раз"


async def test_webhooks_can_be_silent_for_all_or_for_some(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.fault(deaf_to=["Анна"])
    await instagram.write(text="раз")
    await instagram.write("Борис", text="два")
    await instagram.fault(silent_webhook=True)
    await instagram.write("Борис", text="три")
    await instagram.fault(silent_webhook=False, unsubscribed=True)
    await instagram.write("Борис", text="четыре")

    assert instagram.callback.texts == ["два"]


async def test_webhooks_can_be_doubled_reordered_and_late(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.fault(duplicate=2)
    await instagram.write(text="раз")
    await instagram.fault(duplicate=1, reorder=True)
    await instagram.write(text="два")
    await instagram.write(text="три")
    await instagram.fault(reorder=False, delay=5)
    await instagram.write(text="четыре")
    assert instagram.callback.texts == ["раз", "раз", "три", "два"]

    await instagram.time.pass_(5)
    assert instagram.callback.texts[-1] == "четыре"


async def test_slow_holds_every_call(instagram: InstagramWorld) -> None:
    await instagram.fault(slow=3)
    call = asyncio.ensure_future(instagram.api("GET", "/me"))
    await instagram.time.pass_(2.9)
    assert not call.done()

    await instagram.time.pass_(0.1)
    assert (await call).status_code == 200


@pytest.mark.parametrize(
    "given", [{"refused": "mood"}, {"expired_token": 1}, {"signature": "none"}, {"rate_limit": {"code": 5}}]
)
async def test_a_wrong_value_is_refused(instagram: InstagramWorld, given: dict[str, object]) -> None:
    assert (await instagram.control("POST", "/faults", json=given)).status_code == 422


@pytest.mark.parametrize(
    "letter",
    [
        {"type": "location"},
        {"type": "edit"},
        {"type": "reaction", "content": {"mid": "none"}},
        {"type": "album", "content": {"count": 11}},
        {"text": "a", "quote": "none"},
        {"text": "a", "ad": 1},
        {"text": "a", "chat": "none"},
    ],
)
async def test_a_letter_that_makes_no_sense_is_refused_in_a_sentence(
    instagram: InstagramWorld, letter: dict[str, Any]
) -> None:
    answer = await instagram.control("POST", "/customers/Зоя/messages", json=letter)

    assert answer.status_code in {404, 409, 422}
    assert isinstance(answer.json()["error"], str)


async def test_a_reset_forgets_conversations_and_a_full_one_the_subscription_too(
    instagram: InstagramWorld,
) -> None:
    await instagram.subscribe()
    await instagram.write(text="раз")
    await instagram.control("POST", "/reset")
    await settle()
    assert await instagram.seen() == []
    await instagram.write(text="два")
    assert instagram.callback.texts == ["раз", "два"]

    await instagram.control("POST", "/reset?everything=true")
    await instagram.write(text="три")
    assert instagram.callback.texts == ["раз", "два"]
