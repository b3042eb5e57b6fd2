import json
from typing import Any

import pytest

from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import CHAT, GROUP, VkWorld


async def test_a_sent_text_is_answered_by_its_id_and_reaches_the_customer(vk: VkWorld) -> None:
    peer = await vk.write(text="Здравствуйте")

    number = await vk.send(peer, "Диагностика бесплатная. 🙂", random_id=918_273)

    assert isinstance(number, int)
    last = (await vk.seen())[-1]
    assert (last["id"], last["direction"], last["text"], last["via"]) == (
        f"{peer}:2",
        "out",
        "Диагностика бесплатная. 🙂",
        "api",
    )
    assert (await vk.history(peer))[0] == {
        "id": number,
        "date": 1_763_800_000,
        "peer_id": peer,
        "from_id": -GROUP,
        "text": "Диагностика бесплатная. 🙂",
        "conversation_message_id": 2,
        "attachments": [],
        "out": 1,
        "version": 10_000_000 + number,
        "fwd_messages": [],
        "important": False,
        "is_hidden": False,
        "random_id": 918_273,
    }


async def test_for_peer_ids_there_is_a_row_each_and_one_fails_alone(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")

    rows = await vk.api("messages.send", peer_ids=f"{peer},77002", message="всем", random_id=5)

    assert [row["peer_id"] for row in rows] == [peer, 77_002]
    assert set(rows[0]) == {"peer_id", "message_id", "conversation_message_id"}
    assert rows[1] == {
        "peer_id": 77_002,
        "message_id": 0,
        "error": {"code": 901, "description": "Can't send messages for users without permission"},
    }
    again = await vk.api("messages.send", peer_ids=str(peer), message="всем", random_id=5)
    assert again == rows[:1]


async def test_in_a_group_chat_the_id_is_zero_and_peer_ids_tell_the_cmid(vk: VkWorld) -> None:
    await vk.write(text="в чате", chat=str(CHAT))

    assert await vk.send(CHAT) == 0
    assert await vk.api("messages.send", chat_id=1, message="и ещё", random_id=0) == 0
    [row] = await vk.api("messages.send", peer_ids=CHAT, message="третье", random_id=0)
    assert (row["message_id"], row["conversation_message_id"]) == (0, 4)
    assert {message["id"] for message in await vk.history(CHAT)} == {0}


@pytest.mark.parametrize("name", ["user_id", "domain", "user_ids"])
async def test_the_receiver_has_several_names(vk: VkWorld, name: str) -> None:
    peer = await vk.write(text="ау")
    value = f"id{peer}" if name == "domain" else peer

    answer = await vk.api("messages.send", **{name: value}, message="да", random_id=0)

    assert isinstance(answer, list) == (name == "user_ids")
    assert [m["text"] for m in await vk.seen()] == ["ау", "да"]


async def test_a_repeated_random_id_gives_the_first_id_and_no_second_message(vk: VkWorld) -> None:
    anna, boris = await vk.write(text="ау"), await vk.write("Борис", text="ау")
    await vk.subscribe()

    first = await vk.send(anna, "раз", random_id=7)

    assert await vk.send(anna, "другой текст", random_id=7) == first
    assert await vk.send(boris, "раз", random_id=7) == first
    assert vk.receiver.texts == ["раз"]
    assert await vk.send(anna, "раз", random_id=0) != await vk.send(anna, "раз", random_id=0)


async def test_the_scope_of_random_id_and_the_answer_to_a_repeat_can_be_chosen(open_vk: Open) -> None:
    async with open_vk(random_id_scope="peer", repeated_answer="zero") as vk:
        anna, boris = await vk.write(text="ау"), await vk.write("Борис", text="ау")
        await vk.send(anna, "раз", random_id=7)

        assert await vk.send(anna, "раз", random_id=7) == 0
        assert await vk.send(boris, "раз", random_id=7) > 0


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"peer_id": ""}, 100),
        ({"peer_id": "Анна"}, 100),
        ({"peer_id": 0}, 100),
        ({"peer_id": "", "user_id": -5}, 113),
        ({"peer_id": "", "domain": "nobody"}, 100),
        ({"peer_id": "", "peer_ids": ",".join(map(str, range(1, 102)))}, 100),
        ({"random_id": ""}, 100),
        ({"random_id": "x"}, 100),
        ({"message": ""}, 100),
        ({"message": "я" * 4097}, 914),
        ({"payload": "я" * 1001}, 100),
        ({"attachment": "photo-1_2"}, 10),
        ({"attachment": "nonsense"}, 10),
        ({"attachment": ",".join([f"market-{GROUP}_1"] * 11)}, 100),
        ({"attachment": f"wall-{GROUP}_1,wall-{GROUP}_1"}, 940),
        ({"reply_to": 1}, 104),
        ({"forward_messages": "1"}, 921),
        ({"forward_messages": ",".join(["1"] * 1001)}, 913),
        ({"forward": "[]"}, 100),
        ({"forward": "{"}, 100),
        ({"forward": '{"conversation_message_ids":[77]}'}, 921),
        ({"forward": '{"cmids":[]}'}, 100),
        ({"intent": "account_update"}, 943),
        ({"subscribe_id": 101}, 100),
        ({"content_source": "[]"}, 100),
        ({"format_data": "NaN"}, 100),
        ({"template": '{"type":"carousel","elements":[{"a":1e999}]}'}, 100),
        ({"keyboard": '{"buttons":[[{"action":{"type":"text","label":"\\ud800"}}]]}'}, 911),
        ({"lat": "91", "long": "0"}, 100),
        ({"lat": "55.7"}, 100),
        ({"dont_parse_links": "yes"}, 100),
        ({"group_id": GROUP + 1}, 203),
        ({"group_id": -1}, 125),
    ],
)
async def test_a_wrong_send_has_its_code_and_writes_nothing(
    vk: VkWorld, given: dict[str, Any], code: int
) -> None:
    peer = await vk.write(text="ау")

    assert await vk.refusal(**{"peer": peer, **given}) == code
    assert len(await vk.seen()) == 1


async def test_the_longest_text_passes_and_the_limit_can_be_chosen(vk: VkWorld, open_vk: Open) -> None:
    await vk.send(await vk.write(text="ау"), "я" * 4096)

    async with open_vk(text_limit=9000) as other:
        await other.send(await other.write(text="ау"), "я" * 9000)


@pytest.mark.parametrize("peer", [77_999_999, -5])
async def test_who_never_wrote_cannot_be_written_to(vk: VkWorld, peer: int) -> None:
    assert await vk.refusal(peer) == 901


async def test_an_unknown_chat_cannot_be_written_to(vk: VkWorld) -> None:
    assert await vk.refusal(CHAT + 9) == 917


async def test_permission_comes_and_goes(vk: VkWorld) -> None:
    peer = await vk.write(type="message_allow")
    await vk.send(peer)
    await vk.write(type="message_deny")
    assert await vk.refusal(peer) == 901
    allowed = await vk.api("messages.isMessagesFromGroupAllowed", group_id=GROUP, user_id=peer)
    assert allowed == {"is_allowed": 0}

    await vk.write(text="передумала")
    await vk.send(peer)


async def test_reply_forward_place_and_payload_are_in_the_message(vk: VkWorld) -> None:
    peer = await vk.write(text="вопрос")
    asked = (await vk.history(peer))[0]["id"]

    await vk.send(peer, "раз", reply_to=asked, payload='{"a":1}')
    await vk.send(peer, "", forward_messages=asked)
    await vk.send(peer, "три", forward=json.dumps({"conversation_message_ids": [1], "is_reply": True}))
    await vk.send(peer, "", lat="55.7", long="37.6")

    replied, forwarded, by_cmid, placed = (await vk.history(peer, rev=1))[1:]
    assert (replied["reply_message"]["text"], replied["payload"]) == ("вопрос", '{"a":1}')
    assert [message["text"] for message in forwarded["fwd_messages"]] == ["вопрос"]
    assert by_cmid["reply_message"]["conversation_message_id"] == 1
    assert placed["geo"] == {"type": "point", "coordinates": {"latitude": 55.7, "longitude": 37.6}}


async def test_a_link_gets_its_card_unless_it_is_not_wanted(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "см. https://shop.example/x")
    await vk.send(peer, "см. https://shop.example/x", dont_parse_links=1)

    plain, carded = (await vk.history(peer))[:2]
    assert [a["link"]["url"] for a in carded["attachments"]] == ["https://shop.example/x"]
    assert plain["attachments"] == []


async def test_products_posts_and_stickers_can_be_sent(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "", attachment=f"market-{GROUP}_1,wall-{GROUP}_1")
    await vk.send(peer, "", sticker_id=9)

    sticker, attached = (await vk.history(peer))[:2]
    assert [a["type"] for a in attached["attachments"]] == ["market", "wall"]
    assert sticker["attachments"][0]["sticker"]["sticker_id"] == 9


async def test_too_many_messages_an_hour_are_flood(open_vk: Open) -> None:
    async with open_vk(messages_per_hour=2) as vk:
        peer = await vk.write(text="ау")
        await vk.send(peer)
        await vk.send(peer)
        assert await vk.refusal(peer) == 9

        await vk.time.pass_(3600)
        await vk.send(peer)


async def test_an_own_message_can_be_edited_for_a_day(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    sent = await vk.send(peer, "от 1500", attachment=f"market-{GROUP}_1")
    await vk.subscribe()

    assert await vk.api("messages.edit", peer_id=peer, message_id=sent, message="от 1700") == 1
    edited = (await vk.history(peer))[0]
    assert (edited["text"], edited["attachments"], edited["update_time"]) == ("от 1700", [], 1_763_800_000)
    assert (vk.receiver.types, vk.receiver.texts) == (["message_edit"], ["от 1700"])

    await vk.time.pass_(86_401)
    assert (await vk.error("messages.edit", peer_id=peer, cmid=2, message="нет"))[0] == 909


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"cmid": 1}, 920),
        ({"cmid": 9}, 100),
        ({}, 100),
        ({"cmid": 2, "message": "я" * 4097}, 914),
        ({"cmid": 2, "message": ""}, 100),
        ({"cmid": 2, "keyboard": "{}"}, 911),
        ({"peer_id": ""}, 100),
    ],
)
async def test_a_wrong_edit_has_its_code(vk: VkWorld, given: dict[str, Any], code: int) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer)

    params = {"peer_id": peer, "message": "другое", **given}
    assert (await vk.error("messages.edit", **params))[0] == code


async def test_keeping_forwards_and_cards_is_asked_for(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "https://a.example", forward='{"cmids":[1]}')

    await vk.api(
        "messages.edit", peer_id=peer, cmid=2, message="без", keep_forward_messages=1, keep_snippets=1
    )

    edited = (await vk.history(peer))[0]
    assert ([a["type"] for a in edited["attachments"]], len(edited["fwd_messages"])) == (["link"], 1)


async def test_deleting_answers_with_rows_and_tells_nobody(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    first = await vk.send(peer, "раз")
    await vk.send(peer, "два")
    asked = (await vk.history(peer))[2]["id"]
    await vk.subscribe()

    rows = await vk.api("messages.delete", message_ids=f"{first},{asked},999", delete_for_all=1)

    assert rows == [
        {"peer_id": peer, "message_id": first, "conversation_message_id": 2, "response": 1},
        {
            "peer_id": peer,
            "message_id": asked,
            "conversation_message_id": 1,
            "error": {"code": 924, "description": "Can't delete this message for everybody"},
        },
        {
            "peer_id": 0,
            "message_id": 999,
            "conversation_message_id": 0,
            "error": {"code": 104, "description": "Not found"},
        },
    ]
    assert [m["text"] for m in await vk.seen()] == ["ау", "два"]
    assert await vk.api("messages.delete", peer_id=peer, cmids="3") != []
    assert [m["text"] for m in await vk.seen()] == ["ау", "два"]
    assert [m["id"] for m in await vk.history(peer)] == [asked]
    assert vk.receiver.events == []
    await vk.fault(delete_as_map=True)
    assert await vk.api("messages.delete", message_ids=asked) == {str(asked): 1}
    assert (await vk.error("messages.delete"))[0] == 100
