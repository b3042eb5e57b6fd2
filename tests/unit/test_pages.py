"""What shows rows comes in pages, tool or not; what shows some of them only says why that is enough."""

from collections.abc import Mapping
from typing import get_args

import pytest
from pydantic import BaseModel

from core.operations import READING, Operation
from tests.tool_lists import SERVERS

#: Operations that only read, show rows and have no pages.
HUB_WHOLE: Mapping[str, str] = {
    "get_appeal": "the last messages and notes; read_conversation has every message",
    "get_bulk": "the first hundred refused chats; refused_count tells how many there are",
    "trace_message": "the way of one message",
    "get_client": "the first handles, best facts and latest cases of one client, and how many handles",
    "export_client": "all of it, for the client whose it is",
    "show_inbox": "the cases that wait longest; list_appeals has them all",
    "waiting_turns": "a line for each account of a channel",
}
CHANNEL_WHOLE: Mapping[str, str] = {"read_conversation": "the last messages; list_messages has them all"}


def whole(server: str) -> Mapping[str, str]:
    """Those of a server."""
    return HUB_WHOLE if server == "hub" else CHANNEL_WHOLE


def shows_rows(operation: Operation) -> bool:
    """Whether the answer has a list of things of more than one word."""
    items = [item for field in operation.result.model_fields.values() for item in get_args(field.annotation)]
    return any(isinstance(item, type) and issubclass(item, BaseModel) for item in items)


@pytest.mark.promise("pages")
@pytest.mark.parametrize("server", SERVERS)
async def test_what_shows_rows_has_a_limit_a_cursor_and_a_next_cursor(server: str) -> None:
    for one in SERVERS[server]().operations:
        paged = "next_cursor" in one.result.model_fields
        if one.risk not in READING:
            assert not paged, one.name
            continue
        assert paged == (shows_rows(one) and one.name not in whole(server)), one.name
        if paged:
            asked = one.arguments.model_json_schema()["properties"]
            assert asked["limit"]["maximum"] <= 100, one.name
            assert asked["limit"]["default"] <= (20 if one.tool else 50), one.name
            assert asked["cursor"]["default"] == "", one.name


@pytest.mark.promise("pages")
@pytest.mark.parametrize("server", ["hub", "everything"])
async def test_every_exception_is_one(server: str) -> None:
    known = {one.name for one in SERVERS[server]().operations if one.risk in READING}

    assert whole(server).keys() <= known
