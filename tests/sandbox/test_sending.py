from typing import Any

import pytest

from sandbox.media import made_up_picture
from tests.sandbox.world import ACCOUNT, World, account_path, chat_path

UPLOAD = f"{account_path(1)}/uploadImages"


@pytest.fixture
async def chat(world: World) -> str:
    return str((await world.write(text="Здравствуйте"))["chat_id"])


async def upload(world: World, content: bytes, name: str = "uploadfile[]") -> Any:
    return await world.api("POST", UPLOAD, files={name: ("photo.png", content)})


async def test_a_sent_text_is_answered_without_author_and_reaches_the_customer(
    world: World, chat: str
) -> None:
    answer = await world.send(chat, "Диагностика бесплатная. 🙂\nЖдём!")

    assert set(answer.json()) == {"id", "type", "direction", "created", "content"}
    assert answer.json()["direction"] == "out"
    last = (await world.seen())[-1]
    assert (last["direction"], last["text"], last["via"]) == (
        "out",
        "Диагностика бесплатная. 🙂\nЖдём!",
        "api",
    )


async def test_a_thousand_characters_pass_and_one_more_is_400(world: World, chat: str) -> None:
    assert (await world.send(chat, "я" * 1000)).status_code == 200

    answer = await world.send(chat, "я" * 1001)

    assert (answer.status_code, answer.json()["error"]["fields"]) == (400, {"message.text": "too long"})
    assert len(await world.seen()) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"message": {"text": "no type"}}',
        b'{"type": "text", "message": "plain string"}',
        b'{"type": "text", "message": {"text": 5}}',
        b'{"type": "text", "message": {"text": "  "}}',
        b'{"type": "text", "message": {"text": "\\ud800"}}',
        b'{"type": "text", "message": {"text": "\xff"}}',
    ],
)
async def test_an_unreadable_text_is_400_with_the_validation_shape(
    world: World, chat: str, body: bytes
) -> None:
    answer = await world.api("POST", f"{chat_path(chat)}/messages", content=body)

    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"code", "message", "fields"}


async def test_an_image_goes_in_two_steps(world: World, chat: str) -> None:
    [(image_id, sizes)] = (await upload(world, made_up_picture(1600, 1200).content)).json().items()

    sent = (await world.api("POST", f"{chat_path(chat)}/messages/image", json={"image_id": image_id})).json()

    assert list(sizes) == ["32x32", "140x105", "640x480", "1280x960"]
    assert (sent["author_id"], sent["content"]) == (ACCOUNT, {"image": {"sizes": sizes}})
    shown = await world.web.get((await world.seen())[-1]["image_url"])
    assert (shown.headers["content-type"], shown.content[:4]) == ("image/png", b"\x89PNG")


async def test_a_small_image_lacks_the_large_sizes(world: World) -> None:
    [sizes] = (await upload(world, made_up_picture(300, 200).content)).json().values()

    assert list(sizes) == ["32x32", "140x105"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.7", "wrong format"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (24 * 1024 * 1024), "too large"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (10_000).to_bytes(4, "big") * 2, "too large"),
    ],
)
async def test_wrong_images_are_400(world: World, content: bytes, reason: str) -> None:
    answer = await upload(world, content)

    assert (answer.status_code, answer.json()["error"]["fields"]) == (400, {"uploadfile[]": reason})


async def test_the_part_must_be_named_as_the_contract_says(world: World) -> None:
    assert (await upload(world, made_up_picture().content, name="image")).status_code == 400
    assert (await world.api("POST", UPLOAD, json={})).status_code == 400


async def test_a_broken_multipart_body_is_400(world: World) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x", "authorization": f"Bearer {world.token}"}

    answer = await world.web.post(f"/avito{UPLOAD}", content=b"--y\r\nnonsense", headers=headers)

    assert answer.status_code == 400


async def test_an_unknown_image_id_is_400(world: World, chat: str) -> None:
    for body in ({"image_id": "1.2"}, {"imageId": "1.2"}, {}):
        answer = await world.api("POST", f"{chat_path(chat)}/messages/image", json=body)
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "unknown image_id")


async def test_an_own_message_can_be_deleted_within_the_hour(world: World, chat: str) -> None:
    sent = (await world.send(chat, "ошибка")).json()["id"]
    await world.time.pass_(3600)

    answer = await world.api("POST", f"{chat_path(chat)}/messages/{sent}")

    assert (answer.status_code, answer.json()) == (200, {})
    newest = (await world.history(chat))[0]
    assert (newest["id"], newest["type"], newest["content"]) == (sent, "deleted", {})
    assert (await world.seen())[-1]["type"] == "deleted"


@pytest.mark.parametrize("status", [400, 404])
async def test_after_the_hour_deleting_is_refused_with_a_status_to_choose(
    world: World, chat: str, status: int
) -> None:
    await world.fault(late_delete_status=status)
    sent = (await world.send(chat, "ошибка")).json()["id"]
    await world.time.pass_(3601)

    assert (await world.api("POST", f"{chat_path(chat)}/messages/{sent}")).status_code == status
    assert (await world.history(chat))[0]["type"] == "text"


async def test_only_own_messages_of_this_chat_can_be_deleted(world: World, chat: str) -> None:
    theirs = (await world.history(chat))[0]["id"]
    elsewhere = (await world.write("Борис", text="ау"))["chat_id"]
    sent = (await world.send(elsewhere, "да")).json()["id"]

    assert (await world.api("POST", f"{chat_path(chat)}/messages/{theirs}")).status_code == 403
    assert (await world.api("POST", f"{chat_path(chat)}/messages/{sent}")).status_code == 404
    assert (await world.api("POST", f"{chat_path(chat)}/messages/none")).status_code == 404


async def test_a_blocked_customer_is_not_delivered(world: World, chat: str) -> None:
    customer = int((await world.write(text="ещё"))["customer_id"])
    await world.subscribe()
    body = {"users": [{"user_id": customer, "context": {"item_id": 3_550_001_234, "reason_id": 1}}]}

    answer = await world.api("POST", f"{account_path(2)}/blacklist", json=body)
    refused = await world.control("POST", "/customers/Анна/messages", json={"text": "ау"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert (refused.status_code, "blocked" in refused.json()["error"]) == (409, True)
    assert len(await world.history(chat)) == 2
    assert world.receiver.requests == []


@pytest.mark.parametrize(
    "users", [None, [], ["x"], [{"user_id": "7"}], [{"user_id": 7, "context": {"reason_id": 9}}]]
)
async def test_a_wrong_blacklist_is_400(world: World, users: object) -> None:
    answer = await world.api("POST", f"{account_path(2)}/blacklist", json={"users": users})

    assert answer.status_code == 400
