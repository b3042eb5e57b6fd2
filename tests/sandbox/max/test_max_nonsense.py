"""Whatever is sent, MAX answers as MAX does: a crash would end these tests with its exception."""

from typing import Any

import pytest

from tests.sandbox.max.world import KEYBOARD, MaxWorld

ODD: list[Any] = [None, True, 5, -1.5, "x", "", [], {}, [[]], [{}], [None], {"x": []}, ["x"]]
MESSAGE = ["text", "attachments", "link", "notify", "format"]
INNER = ["type", "mid", "payload", "latitude", "buttons", "token", "photos", "url", "code", "vcf_info"]


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_odd_values_in_bodies_never_crash(max_: MaxWorld, odd: Any) -> None:
    chat, group = await max_.dialog(), await max_.group()
    mid = await max_.mid(chat, attachments=[KEYBOARD])
    calls: list[tuple[str, str, dict[str, Any], list[str]]] = [
        ("POST", "/messages", {"chat_id": chat}, MESSAGE),
        ("PUT", "/messages", {"message_id": mid}, MESSAGE),
        ("POST", "/answers", {"callback_id": "x"}, ["message", "notification"]),
        ("POST", "/subscriptions", {}, ["url", "update_types", "secret"]),
        ("PATCH", "/me/commands", {}, ["commands"]),
        ("PATCH", f"/chats/{group}", {}, ["title", "icon", "description", "pin"]),
        ("PUT", f"/chats/{group}/pin", {}, ["message_id"]),
        ("POST", f"/chats/{group}/actions", {}, ["action"]),
        ("POST", f"/chats/{group}/members", {}, ["user_ids"]),
        ("POST", f"/chats/{group}/members/admins", {}, ["admins"]),
    ]
    for method, path, params, names in calls:
        for name in names:
            answer = await max_.api(method, path, params=params, json={name: odd})
            assert answer.status_code in {200, 400, 403, 404}, (path, name, odd)


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_odd_values_in_attachments_links_and_buttons_never_crash(max_: MaxWorld, odd: Any) -> None:
    chat = await max_.dialog()
    kinds = ["image", "video", "sticker", "contact", "location", "share", "inline_keyboard"]
    bodies: list[dict[str, Any]] = [{"text": "x", "link": {"type": odd, "mid": odd}}]
    bodies += [{"attachments": [{"type": odd}]}]
    for kind in kinds:
        bodies += [{"attachments": [{"type": kind, name: odd}]} for name in INNER if name != "type"]
        bodies += [{"attachments": [{"type": kind, "payload": {name: odd}}]} for name in INNER]
    for name in ("type", "text", "payload", "url"):
        button = {"type": "callback", "text": "Да", "payload": "yes", name: odd}
        bodies += [
            {"attachments": [{"type": "inline_keyboard", "payload": {"buttons": [[button]]}}], "text": "x"}
        ]
    for body in bodies:
        answer = await max_.api("POST", "/messages", params={"chat_id": chat}, json=body)
        assert answer.status_code in {200, 400, 404}, body
    assert await max_.seen()


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_odd_things_written_by_customers_never_crash(max_: MaxWorld, odd: Any) -> None:
    await max_.subscribe()
    for given in ({"type": odd}, {"type": "image", "payload": odd}, {"payload": {"token": odd}, "x": odd}):
        await max_.write(type="attachment", content=given)
    await max_.write(type="update", content={"update_type": odd})
    press = {"type": "press", "content": {}}
    assert (await max_.control("POST", "/customers/Анна/messages", json=press)).status_code == 404
    assert await max_.seen()
