import base64
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.media import made_up_picture
from tests.sandbox.world import World

FIRST_AD, SECOND_AD = 3_550_001_234, 3_550_001_235


async def test_channels_and_their_topics_are_listed(world: World) -> None:
    [channel] = (await world.web.get("/control/channels")).json()["channels"]

    assert (channel["name"], channel["title"]) == ("avito", "Avito")
    assert channel["topics"][0] == {"id": FIRST_AD, "title": "Замена экрана iPhone", "note": "4 500 ₽"}


async def test_a_customer_sees_the_conversation_oldest_first(world: World) -> None:
    written = await world.write(text="вопрос")
    await world.send(written["chat_id"], "ответ")

    shown = await world.seen()

    assert [(m["direction"], m["text"], m["author"]) for m in shown] == [
        ("in", "вопрос", "Анна"),
        ("out", "ответ", "Мастерская «Эльдорадо»"),
    ]
    assert {"id", "chat_id", "type", "image_url", "voice_url", "created", "read"} <= set(shown[0])


async def test_read_marks_go_both_ways(world: World) -> None:
    chat = (await world.write(text="вопрос"))["chat_id"]
    await world.send(chat, "ответ")
    await world.time.pass_(9)

    assert (await world.control("POST", "/customers/Анна/read")).json() == {"read": 1}
    assert (await world.control("POST", "/customers/Анна/read")).json() == {"read": 0}
    assert [m["read"] for m in await world.seen()] == [False, True]
    assert (await world.history(chat))[0]["read"] == 1_763_800_009


async def test_customers_have_the_same_id_after_a_restart_and_can_be_named_by_it(world: World) -> None:
    first = await world.write("Зоя", text="раз")
    await world.control("POST", "/reset?everything=true")
    again = await world.write("Зоя", text="раз")
    by_id = await world.write(first["customer_id"], text="два")

    assert first["customer_id"] == again["customer_id"] == by_id["customer_id"]
    assert first["chat_id"] == again["chat_id"] == by_id["chat_id"]
    assert (await world.write("702999999", text="три"))["customer_id"] == "702999999"


async def test_customers_are_listed_with_their_chats(world: World) -> None:
    await world.write("Зоя", text="раз")
    await world.write("Зоя", text="два", ad=SECOND_AD)

    listed = (await world.control("GET", "/customers")).json()["customers"]

    assert [person["customer"] for person in listed] == ["Анна", "Борис", "Марина", "Зоя"]
    assert [chat["topic"] for chat in listed[-1]["chats"]] == [FIRST_AD, SECOND_AD]
    assert listed[-1]["blocked"] is False


async def test_a_customer_can_be_added_before_writing(world: World) -> None:
    added = (await world.control("POST", "/customers", json={"name": " Зоя "})).json()

    assert added["customer"] == "Зоя"
    assert (await world.write("Зоя", text="раз"))["customer_id"] == added["id"]


async def test_an_existing_chat_can_be_chosen_but_not_somebody_elses(world: World) -> None:
    second = await world.write(text="раз", ad=SECOND_AD)

    assert (await world.write(text="два", chat=second["chat_id"]))["chat_id"] == second["chat_id"]
    letter = {"text": "ау", "chat": second["chat_id"]}
    assert (await world.control("POST", "/customers/Борис/messages", json=letter)).status_code == 404


async def test_own_photos_and_recordings_are_served_as_given(world: World) -> None:
    photo = base64.b64encode(made_up_picture(40, 30).content).decode()
    sound = base64.b64encode(b"OggS-sound").decode()
    await world.write(image={"base64": photo}, voice={"base64": sound, "type": "audio/ogg;codecs=opus"})

    picture, voice = await world.seen()

    assert (await world.web.get(picture["image_url"])).content == made_up_picture(40, 30).content
    served = await world.web.get(voice["voice_url"])
    assert (served.content, served.headers["content-type"]) == (b"OggS-sound", "audio/ogg")


async def test_an_unknown_media_link_is_404(world: World) -> None:
    assert (await world.web.get("/media/guessed/32x32.png")).status_code == 404


async def test_links_and_places_show_the_customers_words(world: World) -> None:
    await world.write(type="link")
    await world.write(type="location")

    assert [m["text"] for m in await world.seen()] == ["смотрите example.test", "Москва, Лесная 7"]


@pytest.mark.parametrize(
    "letter", [{"type": "text", "text": "раз"}, {"type": "text", "content": {"text": "раз"}}]
)
async def test_a_text_can_be_named_as_a_type(world: World, letter: dict[str, Any]) -> None:
    await world.write(**letter)

    assert [m["text"] for m in await world.seen()] == ["раз"]


@pytest.mark.parametrize("kind", ["image", "voice"])
async def test_media_can_be_named_as_a_type(world: World, kind: str) -> None:
    await world.write(type=kind)

    assert [m["type"] for m in await world.seen()] == [kind]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b'{"text": ""}', 422),
        (b'{"text": 5}', 422),
        (b'{"text": "\\ud83d"}', 400),
        (b'{"text": "\xff"}', 400),
        (b'{"txt": "a"}', 422),
        (b'{"text": "a", "ad": 1}', 404),
        (b'{"text": "a", "chat": "none"}', 404),
        (b'{"text": "a", "chat_type": "group"}', 422),
        (b'{"text": "a", "quote": "none"}', 404),
        (b'{"type": "sticker"}', 422),
        (b'{"content": {}}', 422),
        (b'{"text": "a", "content": {}}', 422),
        (b'{"type": "location", "content": {"lat": 1e999}}', 400),
        (b'{"type": "location", "content": {"lat": NaN}}', 400),
        (b'{"image": {"base64": "%%%"}}', 422),
        (b'{"image": {"base64": "aGVsbG8="}}', 422),
        (b'{"image": "cat.png"}', 422),
        (b'{"voice": {"base64": "aGVsbG8=", "type": "text/html"}}', 422),
    ],
)
async def test_a_letter_that_makes_no_sense_is_refused_in_a_sentence(
    world: World, body: bytes, status: int
) -> None:
    answer = await world.control("POST", "/customers/Анна/messages", content=body)

    assert answer.status_code == status
    assert isinstance(answer.json()["error"], str)
    assert await world.seen() == []


@pytest.mark.parametrize("name", ["%20", "%00", "%0A", "a" * 101])
async def test_a_name_that_nobody_can_have_is_refused(world: World, name: str) -> None:
    assert (await world.control("POST", f"/customers/{name}/messages", json={"text": "a"})).status_code == 422


@pytest.mark.parametrize("name", ["Иван Петров", "{x}", "a:b", "Ω'\"<b>", "²", "0", "9" * 40])
async def test_any_other_name_will_do(world: World, name: str) -> None:
    await world.write(quote(name, safe=""), text="ау")

    assert [m["text"] for m in await world.seen(quote(name, safe=""))] == ["ау"]


async def test_somebody_who_never_wrote_sees_nothing(world: World) -> None:
    assert await world.seen("Никто") == []
    assert len((await world.control("GET", "/customers")).json()["customers"]) == 3


async def test_the_operator_needs_a_chat_and_words(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    statuses = [
        (await world.control("POST", "/operator/messages", json=body)).status_code
        for body in ({"chat": chat}, {"chat": chat, "text": ""}, {"chat": "none", "text": "a"}, {"text": "a"})
    ]

    assert statuses == [422, 422, 404, 422]
    assert len(await world.seen()) == 1


async def test_the_operators_message_is_told_from_the_apis(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    answer = await world.control("POST", "/operator/messages", json={"chat": chat, "text": "Алло"})

    shown = (await world.seen())[-1]
    assert (shown["id"], shown["direction"], shown["via"]) == (
        answer.json()["message_ids"][0],
        "out",
        "operator",
    )


async def test_customers_delete_their_own_messages_only(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    sent = (await world.send(chat, "ответ")).json()["id"]

    assert (await world.control("DELETE", f"/messages/{sent}")).status_code == 409
    assert (await world.control("DELETE", "/messages/none")).status_code == 404


@pytest.mark.parametrize("path", ["/control/icq/customers", "/control/nothing", "/nothing"])
async def test_unknown_paths_are_404_in_json(world: World, path: str) -> None:
    answer = await world.web.get(path)

    assert (answer.status_code, "error" in answer.json()) == (404, True)


async def test_it_says_that_it_is_well(world: World) -> None:
    assert (await world.web.get("/health")).json() == {"status": "ok"}
