import json
from typing import Any

import pytest

from sandbox.vk.letters import TYPES
from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import CHAT, GROUP, SECRET, VkWorld

CALLBACK = {"action": {"type": "callback", "label": "Звонок", "payload": '{"a":"call"}'}}
TEXT = {"action": {"type": "text", "label": "Цены", "payload": '{"a":"price"}'}, "color": "primary"}
KEYBOARD = json.dumps({"inline": True, "buttons": [[TEXT, CALLBACK]]})


@pytest.fixture(autouse=True)
async def _subscribed(vk: VkWorld) -> None:
    await vk.subscribe()


async def message(vk: VkWorld, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
    """The message of the `message_new` that a letter causes."""
    await vk.write(customer, **letter)
    assert vk.receiver.types[-1] == "message_new"
    return dict(vk.receiver.objects[-1]["message"])


async def test_a_customers_message_is_wrapped_and_as_the_contract_shows(vk: VkWorld) -> None:
    written = await vk.written(text="Сколько стоит ремонт?")

    [event] = vk.receiver.events
    peer = int(written["customer_id"])
    assert written["message_ids"] == [f"{peer}:1"]
    assert {name: event[name] for name in ("type", "v", "group_id", "secret")} == {
        "type": "message_new",
        "v": "5.199",
        "group_id": GROUP,
        "secret": SECRET,
    }
    assert int(event["event_id"], 16)
    assert event["object"]["client_info"]["keyboard"] is True
    assert event["object"]["message"] == {
        "id": 51_001,
        "date": 1_763_800_000,
        "peer_id": peer,
        "from_id": peer,
        "text": "Сколько стоит ремонт?",
        "conversation_message_id": 1,
        "attachments": [],
        "out": 0,
        "version": 10_051_001,
        "fwd_messages": [],
        "important": False,
        "is_hidden": False,
        "random_id": 0,
    }
    assert vk.receiver.requests[-1].headers["content-type"] == "application/json"


async def test_own_and_operators_messages_come_back_unwrapped(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    sent = await vk.send(peer, "от программы", random_id=918_273)
    await vk.control("POST", "/operator/messages", json={"chat": str(peer), "text": "от человека"})

    own, human = vk.receiver.events[1:]
    assert [own["type"], human["type"]] == ["message_reply"] * 2
    assert (own["object"]["id"], own["object"]["random_id"], own["object"]["out"]) == (sent, 918_273, 1)
    assert "admin_author_id" not in own["object"]
    assert (human["object"]["admin_author_id"], human["object"]["random_id"]) == (1001, 0)
    assert human["object"]["from_id"] == -GROUP
    assert [shown["via"] for shown in await vk.seen()] == ["customer", "api", "operator"]


async def test_text_and_photo_are_one_message_and_voice_another(vk: VkWorld) -> None:
    written = await vk.written(text="вот", image=True, voice=True)

    photo, voice = (given["message"] for given in vk.receiver.objects)
    assert len(written["message_ids"]) == 2
    assert (photo["text"], [a["type"] for a in photo["attachments"]]) == ("вот", ["photo"])
    assert (voice["text"], [a["type"] for a in voice["attachments"]]) == ("", ["audio_message"])


@pytest.mark.parametrize("kind", sorted(TYPES - {"text"}))
async def test_every_kind_of_the_contract_can_be_written(vk: VkWorld, kind: str) -> None:
    shown = await message(vk, type=kind)

    says = {"text", "geo", "action", "payload"}
    assert shown["attachments"] or shown["fwd_messages"] or any(shown.get(name) for name in says)
    assert all(attached["type"] in attached for attached in shown["attachments"])


async def test_every_link_of_an_attachment_opens(vk: VkWorld) -> None:
    for kind in ("album", "voice", "document", "gif", "video", "sticker", "graffiti"):
        shown = await message(vk, type=kind)
        links = set(_links(shown["attachments"]))
        assert links
        for link in links:
            assert (await vk.web.get(link)).status_code == 200, (kind, link)


def _links(given: Any) -> list[str]:
    if isinstance(given, dict | list):
        parts = given.values() if isinstance(given, dict) else given
        return [link for part in parts for link in _links(part)]
    return [given] if isinstance(given, str) and given.startswith("http") else []


async def test_an_album_is_one_message_of_unsorted_photos(vk: VkWorld) -> None:
    shown = await message(vk, type="album", content={"count": 4}, text="подпись")

    assert ([a["type"] for a in shown["attachments"]], shown["text"]) == (["photo"] * 4, "подпись")
    sizes = shown["attachments"][0]["photo"]["sizes"]
    assert [s["width"] for s in sizes] != sorted(s["width"] for s in sizes)


async def test_a_voice_note_has_its_transcript_later(vk: VkWorld) -> None:
    shown = await message(vk, type="voice", content={"transcript": "сколько стоит"})
    first = shown["attachments"][0]["audio_message"]
    assert (first["transcript_state"], first["duration"], "transcript" in first) == ("in_progress", 3, False)

    await vk.time.pass_(5)

    found = await vk.api("messages.getById", message_ids=shown["id"])
    heard = found["items"][0]["attachments"][0]["audio_message"]
    assert (heard["transcript_state"], heard["transcript"]) == ("done", "сколько стоит")
    ogg, mp3 = [await vk.web.get(heard[name]) for name in ("link_ogg", "link_mp3")]
    assert (ogg.content[:4], ogg.headers["content-type"]) == (b"OggS", "audio/ogg")
    assert mp3.headers["content-type"] == "audio/mpeg"


async def test_a_transcript_can_fail(vk: VkWorld) -> None:
    content = {"transcript_state": "error", "transcript_error": 1}
    shown = await message(vk, type="voice", content=content)

    assert shown["attachments"][0]["audio_message"]["transcript_state"] == "error"


async def test_content_changes_a_sample(vk: VkWorld) -> None:
    doc = await message(vk, type="document", content={"title": "смета.txt", "base64": "0YHQvNC10YLQsA=="})
    place = await message(vk, type="location", content={"coordinates": {"latitude": 1.5, "longitude": 2.5}})
    product = await message(vk, type="market", content={"title": "Экран"})

    file = doc["attachments"][0]["doc"]
    assert (file["title"], file["ext"], file["size"]) == ("смета.txt", "txt", 10)
    assert (await vk.web.get(file["url"])).text == "смета"
    assert place["geo"]["coordinates"] == {"latitude": 1.5, "longitude": 2.5}
    assert product["attachments"][0]["market"]["title"] == "Экран"


async def test_quotes_and_forwards_carry_the_other_message(vk: VkWorld) -> None:
    first = await vk.written(text="вопрос")
    quoted = await message(vk, text="вот этот", quote=first["message_ids"][0])
    forwarded = await message(vk, type="forward", content={"message": first["message_ids"][0]})

    assert quoted["reply_message"]["text"] == "вопрос"
    assert [m["text"] for m in forwarded["fwd_messages"]] == ["вопрос"]


async def test_nested_forwards_are_cut_until_they_are_read(vk: VkWorld) -> None:
    cut = await message(vk, type="cropped")
    assert (cut["is_cropped"], cut["fwd_messages"][0]["fwd_messages"]) == (True, [])

    found = await vk.api("messages.getById", message_ids=cut["id"])

    whole = found["items"][0]
    assert whole["fwd_messages"][0]["fwd_messages"][0]["fwd_messages"][0]["text"] == "самое внутреннее"
    assert "is_cropped" not in whole


async def test_buttons_are_pressed_as_they_were_sent(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "выбирайте", keyboard=KEYBOARD)
    vk.receiver.requests.clear()

    pressed = await message(vk, type="button")
    await vk.write(type="press")

    assert (pressed["text"], pressed["payload"]) == ("Цены", '{"a":"price"}')
    given = vk.receiver.objects[-1]
    assert vk.receiver.types[-1] == "message_event"
    assert {**given, "event_id": ""} == {
        "user_id": peer,
        "peer_id": peer,
        "event_id": "",
        "payload": {"a": "call"},
        "conversation_message_id": 2,
    }
    assert given["event_id"] != vk.receiver.events[-1]["event_id"]


async def test_a_press_is_answered_once_and_within_a_minute(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "выбирайте", keyboard=KEYBOARD)

    async def press() -> dict[str, Any]:
        await vk.write(type="press")
        return {"event_id": vk.receiver.objects[-1]["event_id"], "user_id": peer, "peer_id": peer}

    method, first = "messages.sendMessageEventAnswer", await press()
    answer = {"type": "show_snackbar", "text": "Перезвоним"}
    assert await vk.api(method, **first, event_data=json.dumps(answer)) == 1
    assert (await vk.seen())[-1]["content"]["answers"] == [answer]
    assert (await vk.error(method, **first))[0] == 100
    second = await press()
    for wrong in ('{"type":"dance"}', "[]", "{", '{"type":"open_link"}'):
        assert (await vk.error(method, **second, event_data=wrong))[0] == 100
    long = json.dumps({"type": "show_snackbar", "text": "я" * 91})
    assert (await vk.error(method, **second, event_data=long))[0] == 100
    assert (await vk.error(method, **{**second, "user_id": 5}))[0] == 100
    await vk.time.pass_(61)
    assert (await vk.error(method, **second))[0] == 100


async def test_a_payload_can_come_as_a_string(vk: VkWorld) -> None:
    await vk.write(text="ау")
    await vk.fault(string_payload=True)
    await vk.write(type="press", content={"payload": {"a": 1}})

    assert vk.receiver.objects[-1]["payload"] == '{"a": 1}'


async def test_reactions_come_and_are_taken_back(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer)
    await vk.write(type="reaction", content={"reaction_id": 3})
    await vk.write(type="unreaction")

    given, taken = vk.receiver.objects[-2:]
    assert given == {"reacted_id": peer, "peer_id": peer, "cmid": 2, "reaction_id": 3}
    assert taken == {"reacted_id": peer, "peer_id": peer, "cmid": 2}


async def test_reading_tells_the_last_message(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "раз")
    last = await vk.send(peer, "два")

    answers = [(await vk.control("POST", "/customers/Анна/read")).json() for _ in range(2)]

    assert answers == [{"read": 2}, {"read": 0}]
    assert vk.receiver.types.count("message_read") == 1
    assert vk.receiver.objects[-1] == {
        "from_id": peer,
        "peer_id": peer,
        "read_message_id": last,
        "conversation_message_id": 3,
    }


async def test_edits_permissions_and_typing_are_told(vk: VkWorld) -> None:
    peer = await vk.write(text="ошибка")
    await vk.write(type="edit", text="верно")
    await vk.write(type="typing")
    await vk.write(type="message_deny")
    await vk.write(type="message_allow")

    edited, typing, denied, allowed = vk.receiver.objects[1:]
    assert (edited["text"], edited["out"], edited["conversation_message_id"]) == ("верно", 0, 1)
    assert typing == {"state": "typing", "from_id": peer, "to_id": -GROUP}
    assert (denied, allowed) == ({"user_id": peer}, {"user_id": peer, "key": "k1"})
    assert vk.receiver.types[1:] == [
        "message_edit",
        "message_typing_state",
        "message_deny",
        "message_allow",
    ]


async def test_a_customers_edit_can_be_silent(open_vk: Open) -> None:
    async with open_vk(customer_edits=False) as vk:
        await vk.subscribe()
        peer = await vk.write(text="ошибка")
        await vk.write(type="edit")

        assert vk.receiver.types == ["message_new"]
        assert (await vk.history(peer))[0]["text"] == "ошибка (исправлено)"


async def test_a_customers_deletion_is_silent(vk: VkWorld) -> None:
    written = await vk.written(text="ошибка")

    assert (await vk.control("DELETE", f"/messages/{written['message_ids'][0]}")).status_code == 200

    assert vk.receiver.types == ["message_new"]
    assert await vk.history(int(written["customer_id"])) == []
    assert await vk.seen() == []


async def test_a_group_chat_has_its_own_peer_and_numbers(vk: VkWorld) -> None:
    shown = await message(vk, text="в чате", chat=str(CHAT))
    assert (shown["id"], shown["peer_id"], shown["conversation_message_id"]) == (0, CHAT, 1)
    service = await message(vk, "Борис", type="service", chat=str(CHAT))

    assert service["action"]["type"] == "chat_title_update"
    letter = {"text": "ау", "chat": str(CHAT)}
    assert (await vk.control("POST", "/customers/Марина/messages", json=letter)).status_code == 404
    assert [m["author"] for m in await vk.seen("Борис")] == ["Анна", "Борис"]


async def test_any_other_event_can_be_made(vk: VkWorld) -> None:
    await vk.write(type="event", content={"type": "group_join", "object": {"user_id": 5}})
    await vk.write(type="event", content={"type": "wall_post_new", "object": {}})

    assert (vk.receiver.types, vk.receiver.objects) == (["group_join"], [{"user_id": 5}])


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        ({"type": "contact"}, 422),
        ({"type": "album", "content": {"count": 11}}, 422),
        ({"type": "document", "content": {"base64": "%%"}}, 422),
        ({"type": "forward", "content": {"message": "1:1"}}, 404),
        ({"type": "reaction", "content": {"reaction_id": 99}}, 422),
        ({"type": "reaction"}, 404),
        ({"type": "press"}, 404),
        ({"type": "edit", "content": {"message": "x"}}, 404),
        ({"type": "event", "content": {"object": {}}}, 422),
        ({"text": "ау", "chat": "5"}, 404),
        ({"text": "ау", "quote": "5:5"}, 404),
        ({"text": "ау", "ad": 5}, 422),
        ({"text": "ау", "chat_type": "u2u"}, 422),
    ],
)
async def test_a_letter_that_makes_no_sense_is_refused(
    vk: VkWorld, letter: dict[str, Any], status: int
) -> None:
    answer = await vk.control("POST", "/customers/Анна/messages", json=letter)

    assert (answer.status_code, isinstance(answer.json()["error"], str)) == (status, True)
    assert await vk.seen() == []


async def test_only_own_messages_are_edited_and_deleted(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer)
    letter = {"type": "edit", "text": "нет", "content": {"message": f"{peer}:2"}}

    edited = await vk.control("POST", "/customers/Анна/messages", json=letter)
    deleted = [await vk.control("DELETE", f"/messages/{key}") for key in (f"{peer}:2", "none")]

    assert [edited.status_code, *(answer.status_code for answer in deleted)] == [409, 409, 404]
    operator = {"chat": "none", "text": "ау"}
    assert (await vk.control("POST", "/operator/messages", json=operator)).status_code == 404


async def test_people_have_the_same_ids_and_dialogs_again(vk: VkWorld) -> None:
    first = await vk.written("Зоя", text="раз")
    await vk.control("POST", "/reset?everything=true")
    added = (await vk.control("POST", "/customers", json={"name": "Зоя"})).json()
    listed = (await vk.control("GET", "/customers")).json()["customers"]

    assert first["chat_id"] == first["customer_id"] == added["id"]
    assert [person["customer"] for person in listed] == ["Анна", "Борис", "Марина", "Зоя"]
    assert (await vk.written("77001", text="ау"))["customer_id"] == "77001"


async def test_the_channel_is_listed_beside_avito(vk: VkWorld) -> None:
    channels = (await vk.web.get("/control/channels")).json()["channels"]

    assert channels[1] == {"name": "vk", "title": "ВКонтакте", "topics": []}


async def test_samples_have_what_the_schema_requires(vk: VkWorld) -> None:
    for kind in ("call", "sticker", "market", "poll", "unknown_attachment"):
        await vk.write(type=kind)

    found = [given["message"]["attachments"][0] for given in vk.receiver.objects]
    call, sticker, market, poll, app = (one[one["type"]] for one in found)
    assert call["time"] > 0
    assert sticker["inner_type"] == "base_sticker_new"
    assert market["category"]["inner_type"] == "market_market_category_nested"
    assert market["price"]["currency"]["title"] == "₽"
    assert (poll["multiple"], poll["can_vote"], poll["answers"][0]["rate"]) == (False, True, 0)
    assert {"id", "type", "title"} <= app.keys()
