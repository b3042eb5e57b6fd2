"""A conversation that a person has, at the real service of each channel: no door lets the AI touch it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from core.channel import NamesChats
from core.operations import READING
from tests.contract.service import AGENT_KEY, KEY, Door, served
from tests.contract.vendor_side import VendorSide, those_with

JPEG, PDF = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA==", "JVBERi0xLjcK"
#: Whatever a customer would see, and what each asks for beside the chat.
SEEN: dict[str, dict[str, Any]] = {
    "send_message": {"text": "Да"},
    "send_image": {"image_base64": JPEG},
    "send_file": {"kind": "document", "file_base64": PDF},
    "send_bulk": {"text": "Скидки"},
    "edit_message": {"message_id": "1", "text": "Нет"},
    "delete_message": {"message_id": "1"},
    "react": {"message_id": "1", "emoji": "👍"},
    "ask_for_phone": {"text": "Куда вам позвонить?"},
}
#: They say nothing.
SILENT = {"mark_read", "mark_message_read", "show_typing"}


async def _code(door: Door, name: str, chat: str, key: str) -> str:
    """The error of a call, "" when there is none; a bulk has its errors in the outcomes."""
    chats = {"chat_ids": [chat]} if name == "send_bulk" else {"chat_id": chat}
    answer: httpx.Response = await door.call(name, key=key, **chats, **SEEN[name])
    if name == "send_bulk":
        [outcome] = answer.json()["outcomes"]
        return str(outcome["error_untrusted"]).partition(":")[0]
    code = str(answer.json().get("code", ""))
    assert (answer.status_code == 409) is (code == "conversation_paused")
    return code


@pytest.mark.promise("pause-doors")
async def test_no_door_of_a_channel_lets_the_ai_touch_what_a_person_has(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    """Also what passes by the senders: an edit, a deletion, a reaction, the question for a number."""
    chat, other = vendor.chats[:2]
    async with served(vendor, redis_url, tmp_path) as door:
        await door.pause(chat)
        doors = [name for name in SEEN if name in door.operations]
        refused = {name: await _code(door, name, chat, AGENT_KEY) for name in doors}
        assert vendor.taken == []
        passed = {name: await _code(door, name, chat, KEY) for name in doors}
        elsewhere = {name: await _code(door, name, other, AGENT_KEY) for name in doors}

    assert refused == dict.fromkeys(doors, "conversation_paused")
    assert "conversation_paused" not in {*passed.values(), *elsewhere.values()}
    assert (passed["send_message"], elsewhere["send_message"]) == ("", "")
    assert (chat, "Да") in vendor.taken


@pytest.mark.promise("pause-doors")
async def test_every_operation_on_a_chat_is_refused_in_a_pause_or_says_nothing(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    """A new operation has to be judged."""
    async with served(vendor, redis_url, tmp_path) as door:
        on_chats = {
            name
            for name, one in door.operations.items()
            if one.risk not in READING and {"chat_id", "chat_ids"} & set(one.signature.parameters)
        }

    assert on_chats <= set(SEEN) | SILENT
    assert len(on_chats) > 1


@pytest.mark.promise("pause-doors")
@those_with(NamesChats)
@pytest.mark.parametrize("name", ["send_message", "delete_message"])
async def test_a_chat_is_what_a_person_has_under_each_of_its_names(
    vendor: VendorSide, redis_url: str, tmp_path: Path, name: str
) -> None:
    """WhatsApp takes a bare number and number@c.us for one chat."""
    channel, chat = vendor.channel, vendor.chats[0]
    assert isinstance(channel, NamesChats)
    async with served(vendor, redis_url, tmp_path) as door:
        await door.pause(chat)
        codes = [await _code(door, name, written, AGENT_KEY) for written in (chat, f"{chat}@c.us")]

    assert codes == ["conversation_paused"] * 2
    assert vendor.taken == []
