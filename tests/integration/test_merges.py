"""Two clients become one and two again: nothing is lost, nobody hears what was meant for somebody else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator import merges
from orchestrator.clients import get_client
from orchestrator.merges import merge, unmerge
from orchestrator.store.catalogue import references, tables
from orchestrator.store.errors import MergeRefused
from tests.integration.test_resolve_scene import Scene, message, scene

#: What is about merges themselves, and tells of any change; everything else must be as it was.
OF_MERGES = frozenset({"client_merges", "client_merge_rows", "resource_changes"})


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=20) as opened:
        yield opened


async def everything(here: Scene) -> dict[str, list[str]]:
    """Every row of every table as text."""
    names = [name for name in await tables(here.pool) if name not in OF_MERGES]
    return {
        name: sorted(row for (row,) in await here.rows(f"SELECT to_jsonb(t)::text FROM {name} AS t"))  # noqa: S608 - a table of ours
        for name in names
    }


async def writes(here: Scene, who: str, number: str, text: str = "", **more: Any) -> int:
    given: dict[str, Any] = {"external_user_id": who, "chat": f"chat-of-{who}", "second": 1, **more}
    given.setdefault("client_name", who.title())
    return (await here.resolve(message(f"{who}-{number}", text, **given))).client_id or 0


async def two(here: Scene) -> tuple[int, int]:
    """Anna and Boris, each with a case on Avito, a turn and an answer."""
    anna, boris = await writes(here, "anna", "1"), await writes(here, "boris", "1")
    for _ in range(2):
        await here.reply(await here.leased())
    return anna, boris


async def owners(here: Scene, table: str = "messages_history") -> dict[str, set[int]]:
    rows = await here.rows(f"SELECT external_chat_id, client_id FROM {table}")  # noqa: S608 - a table of ours
    found: dict[str, set[int]] = {}
    for chat, client in rows:
        found.setdefault(chat, set()).add(client)
    return found


@pytest.mark.promise("unmerge")
async def test_every_table_that_refers_to_a_client_is_known_to_the_merge(here: Scene) -> None:
    """A new one must say what becomes of its rows."""
    of_client = {reference.table for reference in await references(here.pool, "clients")}
    of_case = {reference.table for reference in await references(here.pool, "appeals")}

    assert of_client == set(merges.MERGED)
    assert of_case == {*merges.OF_A_CASE, *merges.STAY_WITH_THE_CASE}
    named = {
        name
        for name, table in (await tables(here.pool)).items()
        if {"client_id", "other_id", "winner_id"} & {*table.columns}
    }
    assert named - of_client == {"client_merges", "erasures", "link_suggestions"}


async def test_after_a_merge_all_is_the_winners(here: Scene) -> None:
    anna, boris = await two(here)

    await merge(here.pool, anna, boris, by="olga", why="same person", now=here.now)

    assert await here.rows("SELECT id FROM clients") == [(anna,)]
    for table in merges.MERGED:
        owner = await here.rows(f"SELECT DISTINCT client_id FROM {table}")  # noqa: S608 - a table of ours
        assert owner == [(anna,)], table
    assert await here.rows("SELECT avito_id FROM clients") == [("anna",)]
    assert await merges.follow(here.pool, boris) == anna


@pytest.mark.promise("unmerge")
async def test_a_merge_that_is_undone_leaves_everything_as_it_was(here: Scene) -> None:
    anna, boris = await two(here)
    await writes(here, "boris", "2", client_phone="+79161234567", channel="max", chat="m")
    await here.pool.execute(
        "INSERT INTO link_suggestions (client_id, other_id, why, created_at) "
        "VALUES ($1, $2, 'typed_phone', now())",
        *sorted((anna, boris)),
    )
    before = await everything(here)

    one = await merge(here.pool, anna, boris, now=here.now)
    assert await everything(here) != before
    here.pass_time(60)
    await unmerge(here.pool, one.id, now=here.now)

    assert await everything(here) == before
    assert await here.value("SELECT count(*) FROM client_merge_rows") == 0


@pytest.mark.promise("unmerge")
async def test_what_comes_meanwhile_goes_to_the_side_whose_handle_it_came_by(here: Scene) -> None:
    anna, boris = await two(here)
    one = await merge(here.pool, anna, boris, now=here.now)
    assert await writes(here, "boris", "2", "new of boris", second=5) == anna
    assert await writes(here, "anna", "2", "new of anna", second=5) == anna
    await here.reply(await here.leased(), "answer")
    assert await writes(here, "boris", "3", "elsewhere", second=6, chat="second-of-boris") == anna

    await unmerge(here.pool, one.id, now=here.now)

    expected = {"chat-of-anna": {anna}, "chat-of-boris": {boris}, "second-of-boris": {boris}}
    for table in ("messages_history", "turns", "outbound", "appeals"):
        found = await owners(here, table)
        assert {chat: expected[chat] for chat in found} == found, table
    mixed = await here.rows(
        "SELECT m.id FROM messages_history AS m JOIN appeals AS a ON a.id = m.appeal_id "
        "WHERE a.client_id <> m.client_id"
    )
    assert mixed == []
    assert await writes(here, "boris", "4", second=9) == boris
    assert await writes(here, "anna", "4", second=9) == anna


async def test_a_case_open_on_both_sides_continues_in_the_older_one(here: Scene) -> None:
    anna, boris = await writes(here, "anna", "1"), await writes(here, "boris", "1")
    one = await merge(here.pool, boris, anna, now=here.now)

    cases = "SELECT id, client_id, status, close_reason FROM appeals ORDER BY id"
    assert await here.rows(cases) == [(1, boris, "open", None), (2, boris, "resolved", "continued in 1")]
    assert await here.rows("SELECT DISTINCT appeal_id FROM turns") == [(1,)]
    await writes(here, "boris", "2", second=5)
    await unmerge(here.pool, one.id, now=here.now)

    assert await here.rows(cases) == [(1, anna, "open", None), (2, boris, "open", None)]
    assert await here.rows("SELECT appeal_id, external_chat_id FROM messages_history ORDER BY id") == [
        (1, "chat-of-anna"),
        (2, "chat-of-boris"),
        (2, "chat-of-boris"),
    ]


async def test_a_case_that_ended_while_they_were_one_has_ended_for_both(here: Scene) -> None:
    anna, boris = await writes(here, "anna", "1"), await writes(here, "boris", "1")
    one = await merge(here.pool, anna, boris, now=here.now)
    await here.pool.execute("UPDATE appeals SET status = 'resolved', closed_at = $1 WHERE id = 1", here.now)
    here.pass_time(10 * 24 * 3600)
    await writes(here, "boris", "2", second=20)

    await unmerge(here.pool, one.id, now=here.now)

    cases = await here.rows("SELECT client_id, status FROM appeals ORDER BY id")
    assert cases == [(anna, "resolved"), (boris, "resolved"), (boris, "open")]


async def test_a_case_in_which_both_wrote_is_two_afterwards(here: Scene) -> None:
    anna, boris = await two(here)
    await here.pool.execute("UPDATE appeals SET status = 'resolved', closed_at = $1", here.now)
    here.pass_time(10 * 24 * 3600)
    one = await merge(here.pool, anna, boris, now=here.now)
    await writes(here, "boris", "2", second=20)
    await writes(here, "anna", "2", second=20)
    assert await here.value("SELECT count(*) FROM appeals WHERE closed_at IS NULL") == 1

    await unmerge(here.pool, one.id, now=here.now)

    opened = await here.rows("SELECT client_id, external_chat_id FROM appeals WHERE closed_at IS NULL")
    assert sorted(opened) == [(anna, "chat-of-anna"), (boris, "chat-of-boris")]


async def test_names_and_phones_go_along_and_come_back(here: Scene) -> None:
    anna = await writes(here, "anna", "1", client_name=None)
    boris = await writes(here, "b", "1", client_name="Борис", client_phone="+79161234567", channel="max")
    one = await merge(here.pool, anna, boris, now=here.now)
    here.pass_time(60)
    merged = await get_client(here.pool, anna)
    assert merged is not None
    assert (merged.name, merged.phone) == ("Борис", "+79161234567")
    await writes(here, "b", "2", client_name="Борис", client_phone="+79167654321", channel="max", second=3)

    await unmerge(here.pool, one.id, now=here.now)

    shown = await here.rows("SELECT id, name, phone FROM clients ORDER BY id")
    assert shown == [(anna, None, None), (boris, "Борис", "+79167654321")]


async def test_a_handle_that_joined_by_a_phone_goes_with_the_phone(here: Scene) -> None:
    anna = await writes(here, "anna", "1")
    boris = await writes(here, "b", "1", client_phone="+79161234567", channel="max")
    one = await merge(here.pool, anna, boris, now=here.now)
    joined = await writes(here, "79161234567", "1", client_phone="+79161234567", channel="whatsapp")
    assert joined == anna

    await unmerge(here.pool, one.id, now=here.now)

    assert await here.value("SELECT client_id FROM identities WHERE channel = 'whatsapp'") == boris
    assert await owners(here) == {
        "chat-of-anna": {anna},
        "chat-of-b": {boris},
        "chat-of-79161234567": {boris},
    }


async def test_merges_are_undone_from_the_latest_on(here: Scene) -> None:
    anna, boris = await two(here)
    clara = await writes(here, "clara", "1")
    before = await everything(here)
    first = await merge(here.pool, anna, boris, now=here.now)
    second = await merge(here.pool, clara, anna, now=here.now)
    assert await merges.follow(here.pool, boris) == clara

    with pytest.raises(MergeRefused, match=f"merged into {clara}; undo {second.id} first"):
        await unmerge(here.pool, first.id, now=here.now)
    with pytest.raises(MergeRefused, match=f"{anna} was merged into {clara}"):
        await merge(here.pool, anna, clara, now=here.now)
    await unmerge(here.pool, second.id, now=here.now)
    third = await merge(here.pool, anna, clara, now=here.now)
    with pytest.raises(MergeRefused, match=f"merged again since: undo {third.id} first"):
        await unmerge(here.pool, first.id, now=here.now)
    await unmerge(here.pool, third.id, now=here.now)
    await unmerge(here.pool, first.id, now=here.now)
    with pytest.raises(MergeRefused, match="undone before"):
        await unmerge(here.pool, first.id, now=here.now)

    assert await everything(here) == before


@pytest.mark.promise("unmerge")
async def test_an_attested_phone_that_came_by_a_merge_stays_with_whom_it_came_from(here: Scene) -> None:
    """Clara shows the first phone of her form; Anna's, which a messenger attests, is its second one."""
    first, second = "+79160000001", "+79160000002"
    anna = await writes(here, "anna", "1", channel="telegram", client_phone=second)
    form: dict[str, Any] = {"channel": "form", "client_name": None}
    clara = await writes(here, "clara", "1", client_phone=first, **form)
    assert await writes(here, "clara", "2", client_phone=second, second=2, **form) == clara
    boris = await writes(here, "boris", "1")
    before = await everything(here)

    one = await merge(here.pool, clara, anna, now=here.now)
    two_in_it = await merge(here.pool, boris, clara, now=here.now)
    for merged in (two_in_it, one):
        await unmerge(here.pool, merged.id, now=here.now)

    assert await everything(here) == before


async def test_suggestions_of_the_loser_become_the_winners(here: Scene) -> None:
    ids = [await writes(here, name, "1") for name in ("anna", "boris", "clara", "dora")]
    anna, boris, clara, dora = ids
    add = (
        "INSERT INTO link_suggestions (client_id, other_id, why, state, created_at, decided_at) "
        "VALUES ($1, $2, 'same_email', $3, now(), CASE WHEN $3 <> 'open' THEN now() END)"
    )
    for first, second, state in (
        (anna, boris, "open"),
        (anna, clara, "open"),
        (boris, clara, "dismissed"),
        (boris, dora, "open"),
    ):
        await here.pool.execute(add, first, second, state)
    before = await everything(here)

    one = await merge(here.pool, anna, boris, now=here.now)

    pairs = "SELECT client_id, other_id, state FROM link_suggestions ORDER BY client_id, other_id"
    assert await here.rows(pairs) == [
        (anna, boris, "accepted"),
        (anna, clara, "dismissed"),
        (anna, dora, "open"),
    ]
    await unmerge(here.pool, one.id, now=here.now)
    assert await everything(here) == before


async def test_whoever_is_no_client_cannot_be_merged(here: Scene) -> None:
    anna = await writes(here, "anna", "1")

    for winner, loser, why in (
        (anna, 404, "no client 404"),
        (404, anna, "no client 404"),
        (anna, anna, "themselves"),
    ):
        with pytest.raises(MergeRefused, match=why):
            await merge(here.pool, winner, loser, now=here.now)
    with pytest.raises(MergeRefused, match="no merge 9"):
        await unmerge(here.pool, 9, now=here.now)
    assert await here.value("SELECT count(*) FROM client_merges") == 0


async def test_a_merge_beside_messages_of_both_loses_none(here: Scene) -> None:
    """Handles, chats and phones are locked: whoever resolves sees the client before or after."""
    anna, boris = await two(here)
    done = []

    async def keep_writing(who: str) -> None:
        for number in range(2, 12):
            await writes(here, who, str(number), second=number, chat=f"{who}-{number % 3}")

    async def keep_merging() -> None:
        for _ in range(4):
            one = await merge(here.pool, anna, boris, now=here.now)
            done.append(await unmerge(here.pool, one.id, now=here.now))

    await asyncio.gather(keep_writing("anna"), keep_writing("boris"), keep_merging())

    assert len(done) == 4
    wrong = await here.rows(
        "SELECT id FROM messages_history AS m WHERE sender = 'customer' AND client_id <> ("
        "SELECT client_id FROM identities AS i "
        "WHERE i.external_user_id = m.external_user_id AND i.channel = m.channel)"
    )
    assert wrong == []
    assert await here.value("SELECT count(*) FROM messages_history WHERE sender = 'customer'") == 22


async def test_merges_at_once_of_the_same_clients_make_one(here: Scene) -> None:
    ids = [await writes(here, name, "1") for name in ("anna", "boris", "clara")]
    anna, boris, clara = ids
    pairs = [(anna, boris), (boris, anna), (clara, anna), (boris, clara)]

    done = await asyncio.gather(
        *(merge(here.pool, *pair, now=here.now) for pair in pairs), return_exceptions=True
    )

    assert all(isinstance(one, merges.Merge | MergeRefused) for one in done), done
    left = await here.rows("SELECT id FROM clients")
    assert len(left) == 3 - sum(isinstance(one, merges.Merge) for one in done)
    assert {await merges.follow(here.pool, one) for one in ids} == {one for (one,) in left}
