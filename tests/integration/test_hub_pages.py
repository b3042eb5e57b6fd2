"""What the hub lists comes in pages, tool or not: each row on one, a last page, and no cursor but its own."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest

from core.errors import BadCursor
from core.jsontext import write_json
from core.tools import ANSWER_LIMIT
from tests.integration.test_hub_facts import House
from tests.integration.test_hub_facts import house as house
from tests.integration.test_resolve_scene import message

pytestmark = pytest.mark.promise("pages")

#: The list of rows in each answer.
ROWS: Mapping[str, str] = {
    "list_appeals": "appeals",
    "dead_letters": "letters",
    "list_clients": "clients",
    "list_deliveries": "deliveries",
    "list_paused": "conversations",
    "read_conversation": "messages",
    "appeal_journal": "entries",
    "list_merges": "merges",
}
#: The last page comes first, and the oldest row first on each.
READ_BACKWARDS = {"read_conversation", "appeal_journal"}


async def fill(house: House, name: str) -> None:
    """Five rows or more of everything; of merges when these are looked at."""
    for number in range(2, 7):
        await house.agents.customer("Ау", chat=f"chat-{number}", external_user_id=f"u{number}")
        await house.dead.bury("incoming", "unreadable", "why", b"{")
        await house.call("send_message", text=f"Слово {number}")
        await house.call("pause", channel="avito", chat_id=f"paused-{number}")
    for status in ("waiting_client", "open") * 3:
        await house.call("update_appeal", status=status)
    if name != "list_merges":
        return
    winner = house.given["get_client"]["client_id"]
    for client in (await house.call("list_clients")).clients:
        if client.client_id != winner:
            await house.call("merge_clients", winner_id=winner, loser_id=client.client_id)


async def pages(house: House, name: str, limit: int) -> list[list[Mapping[str, Any]]]:
    """All of them, by the cursor of each."""
    found, cursor = [], ""
    while True:
        page = (await house.call(name, limit=limit, cursor=cursor)).model_dump()
        found.append(page[ROWS[name]])
        if not (cursor := page["next_cursor"]):
            return found


@pytest.mark.parametrize("name", ROWS)
async def test_every_row_is_on_one_page_and_the_last_has_no_cursor(house: House, name: str) -> None:
    await fill(house, name)
    [whole] = await pages(house, name, 100)
    some = await pages(house, name, 2)

    assert len(whole) >= 5
    assert {len(page) for page in some[:-1]} == {2}
    assert 1 <= len(some[-1]) <= 2
    assert list(chain(*(some[::-1] if name in READ_BACKWARDS else some))) == whole


@pytest.mark.parametrize("name", ["list_deliveries", "list_paused", "list_clients", "read_conversation"])
async def test_a_last_page_that_is_full_has_no_cursor(house: House, name: str) -> None:
    await fill(house, name)
    [whole] = await pages(house, name, 100)

    assert await pages(house, name, len(whole)) == [whole]


@pytest.mark.parametrize("cursor", ["rubbish", "-1", "\u0000", "9" * 200, "2027-01-15T08:00:00+00:00|g"])
async def test_a_wrong_cursor_is_refused_by_name(house: House, cursor: str) -> None:
    lists = [name for name, one in house.operations.items() if "cursor" in one.arguments.model_fields]

    assert {*ROWS, "list_suggestions", "list_audit"} == set(lists)
    for name in lists:
        with pytest.raises(BadCursor):
            await house.call(name, cursor=cursor)


async def test_what_was_said_long_ago_is_read_page_by_page(house: House) -> None:
    """A conversation of more than a page is no end of it."""
    said = [message(f"m{number}", f"Слово {number}", chat="long", second=number) for number in range(120)]
    await house.agents.here.resolve(*said)

    house.given["read_conversation"] = {"channel": "avito", "chat_id": "long"}
    read = await pages(house, "read_conversation", 50)

    assert [len(page) for page in read] == [50, 50, 20]
    assert read[-1][0]["text_untrusted"] == "Слово 0"


async def test_a_bulk_of_which_much_is_refused_can_be_read(house: House) -> None:
    strangers = [f"{number:0>512}" for number in range(1000)]
    begun = await house.call("send_bulk", chat_ids=[*house.given["send_bulk"]["chat_ids"], *strangers])
    found = (await house.call("get_bulk", bulk_id=begun.bulk_id)).model_dump(mode="json")

    assert (found["refused_count"], len(found["refused"])) == (1000, 100)
    assert len(write_json(found)) <= ANSWER_LIMIT


async def test_a_client_of_many_handles_can_be_read(house: House) -> None:
    client = int(house.given["get_client"]["client_id"])
    await house.agents.here.pool.execute(
        "INSERT INTO identities (client_id, channel, account, external_user_id, evidence)"
        " SELECT $1, 'avito', 'shop', lpad(n::text, 120, 'x'), 'vendor_account'"
        " FROM generate_series(1, 600) AS n",
        client,
    )
    card = (await house.call("get_client")).model_dump(mode="json")

    assert (card["handles_count"], len(card["handles"])) == (601, 50)
    assert len(write_json(card)) <= ANSWER_LIMIT
