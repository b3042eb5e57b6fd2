"""VK drops a send without a word when an earlier message used up its random_id (§3.1)."""

from typing import Any

import pytest

from core.errors import OutcomeUnknown
from mcp_vk.client import random_id_of
from tests.contract.vk_side import GROUP, error
from tests.unit.test_vk_channel import ANNA, Vk, row

ANNAS, BORIS = int(ANNA), 77_002
DAY = 86_400
GONE: dict[str, Any] = {"response": {"items": []}}
RANDOM_IDS = [random_id_of(ANNAS, "k", nth) for nth in range(3)]


async def meeting(*firsts: dict[str, Any]) -> Vk:
    """After one send, VK answers as often with the number of an earlier message, then with new ones."""
    vk = Vk()
    met = [sent(30, 4) for _ in firsts]
    vk.answers["messages.send"] = [sent(40, 20), *met, sent(41, 21), sent(42, 22)]
    vk.answers["messages.getById"] = [{"response": {"items": [first]}} for first in firsts]
    assert await vk.channel.send_text(ANNA, "Раньше", key="another") == "77001:20"
    return vk


def sent(number: int, cmid: int) -> dict[str, Any]:
    row = {"peer_id": ANNAS, "message_id": number, "conversation_message_id": cmid}
    return {"response": [row]}


def first(random_id: int = RANDOM_IDS[0], *, days: int = 1, peer_id: int = ANNAS) -> dict[str, Any]:
    date = int(Vk().time.now) - days * DAY
    return row(4, "Давно", id=30, from_id=-GROUP, out=1, date=date, random_id=random_id, peer_id=peer_id)


@pytest.mark.parametrize("used_up", [first(peer_id=BORIS), first(days=32), first(days=400)])
async def test_a_send_that_vk_dropped_is_sent_under_another_number(used_up: dict[str, Any]) -> None:
    vk = await meeting(used_up)

    assert await vk.channel.send_text(ANNA, "x", key="k") == "77001:21"

    dropped, taken = vk.called("messages.send")[1:]
    assert [int(form.pop("random_id")) for form in (dropped, taken)] == RANDOM_IDS[:2]
    assert dropped == taken
    assert [form["message_ids"] for form in vk.called("messages.getById")] == ["30"]


@pytest.mark.parametrize("ours", [first(), first(days=30), first(RANDOM_IDS[0] + 1, days=400)])
async def test_an_earlier_try_of_the_same_send_is_not_sent_again(ours: dict[str, Any]) -> None:
    """No repeat of ours comes after 30 days; another random_id proves nothing."""
    vk = await meeting(ours)

    assert await vk.channel.send_text(ANNA, "x", key="k") == "77001:4"
    assert len(vk.called("messages.send")) == 2


async def test_a_message_with_a_newer_number_is_not_looked_into() -> None:
    vk = Vk()
    for n in range(3):
        await vk.channel.send_text(ANNA, "x", key=f"k#{n}")

    assert {name for name, _ in vk.calls} == {"messages.send"}


async def test_in_a_group_chat_there_is_nothing_to_compare() -> None:
    vk = await meeting()
    vk.answers["messages.send"] = [sent(0, 7)]

    assert await vk.channel.send_text(ANNA, "x", key="k") == "77001:7"
    assert vk.called("messages.getById") == []


@pytest.mark.parametrize("failure", [error(10), error(6), error(917), GONE, {"response": 5}])
async def test_an_answer_that_cannot_be_looked_into_is_an_unknown_outcome(failure: dict[str, Any]) -> None:
    vk = await meeting(first(days=400))
    vk.answers["messages.getById"] = [failure] * 5

    with pytest.raises(OutcomeUnknown):
        await vk.channel.send_text(ANNA, "x", key="k")
    assert len(vk.called("messages.send")) == 2


async def test_a_send_that_vk_drops_again_and_again_is_told() -> None:
    vk = await meeting(*(first(number, days=400) for number in RANDOM_IDS))

    with pytest.raises(OutcomeUnknown, match="random_id"):
        await vk.channel.send_text(ANNA, "x", key="k")
    assert [int(form["random_id"]) for form in vk.called("messages.send")[1:]] == RANDOM_IDS
