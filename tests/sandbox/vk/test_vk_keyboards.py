import json
from typing import Any

import pytest

from tests.sandbox.vk.world import VkWorld


def text(label: str = "Цены", **more: Any) -> dict[str, Any]:
    return {"action": {"type": "text", "label": label}, **more}


LINK = {"action": {"type": "open_link", "label": "Сайт", "link": "https://shop.example"}}
CARD = {"title": "Экран", "description": "Замена", "buttons": [text()]}


@pytest.mark.parametrize(
    "keyboard",
    [
        {"buttons": []},
        {"one_time": True, "buttons": [[text(color="primary")]]},
        {"inline": True, "buttons": [[text(), LINK], [{"action": {"type": "location"}}]]},
        {"buttons": [[text()] * 5] * 8},
        {"inline": True, "buttons": [[text()] * 5] * 2},
        {"buttons": [[{"action": {"type": "callback", "label": "Да", "payload": {"a": 1}}}]]},
    ],
)
async def test_keyboards_of_the_contract_are_taken(vk: VkWorld, keyboard: dict[str, Any]) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, keyboard=json.dumps(keyboard))

    kept = (await vk.history(peer))[0]["keyboard"]
    assert len(kept["buttons"]) == len(keyboard["buttons"])
    assert all(isinstance(b["action"].get("payload", ""), str) for row in kept["buttons"] for b in row)


@pytest.mark.parametrize(
    "keyboard",
    [
        [],
        {},
        {"buttons": {}},
        {"buttons": [[]]},
        {"buttons": [[5]]},
        {"buttons": [[text()] * 6]},
        {"buttons": [[text()]] * 11},
        {"buttons": [[text()] * 5] * 9},
        {"inline": True, "buttons": [[text()]] * 7},
        {"inline": True, "buttons": [[text()] * 4] * 3},
        {"inline": True, "one_time": True, "buttons": [[text()]]},
        {"buttons": [[text("я" * 41)]]},
        {"buttons": [[text("")]]},
        {"buttons": [[text(color="pink")]]},
        {"buttons": [[{**LINK, "color": "primary"}]]},
        {"buttons": [[{"action": {"type": "dance"}}]]},
        {"buttons": [[{"action": {"type": ["text"]}}]]},
        {"buttons": [[text(color=["primary"])]]},
        {"buttons": [[{"action": {"type": "text", "label": "а", "payload": None}}]]},
        {"buttons": [[{"action": {"type": "text", "label": "а", "payload": "{"}}]]},
        {"buttons": [[{"action": {"type": "text", "label": "а", "payload": '"' + "я" * 254 + '"'}}]]},
        {"buttons": [[{"action": {"type": "callback", "label": "а"}}]]},
    ],
)
async def test_other_keyboards_are_911(vk: VkWorld, keyboard: Any) -> None:
    assert await vk.refusal(await vk.write(text="ау"), keyboard=json.dumps(keyboard)) == 911


async def test_a_keyboard_that_is_not_json_is_911(vk: VkWorld) -> None:
    assert await vk.refusal(await vk.write(text="ау"), keyboard="{") == 911


async def test_a_carousel_is_kept_as_sent(vk: VkWorld) -> None:
    template = {"type": "carousel", "elements": [CARD, CARD]}
    peer = await vk.write(text="ау")
    await vk.send(peer, template=json.dumps(template))

    assert (await vk.history(peer))[0]["template"] == template


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ([], 100),
        ({"type": "list", "elements": [CARD]}, 100),
        ({"type": "carousel", "elements": []}, 100),
        ({"type": "carousel", "elements": [CARD] * 11}, 100),
        ({"type": "carousel", "elements": [CARD, {"title": "другая"}]}, 100),
        ({"type": "carousel", "elements": [5]}, 100),
        ({"type": "carousel", "elements": [{**CARD, "buttons": [text()] * 4}]}, 100),
        ({"type": "carousel", "elements": [{**CARD, "buttons": [5]}]}, 911),
    ],
)
async def test_other_templates_are_refused(vk: VkWorld, template: Any, code: int) -> None:
    assert await vk.refusal(await vk.write(text="ау"), template=json.dumps(template)) == code
