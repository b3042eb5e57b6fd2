"""Two clients become one, and two again.

    merge     everything that refers to the loser refers to the winner; the loser's row goes, its id leads on
    unmerge   what the merge moved goes back; what came since goes to the side whose handle it came by

A merge moves rows and changes no chat: a reply goes to the (channel, account, chat) its turn has, so nobody
hears what was meant for somebody else. A case that is open on both sides continues in the older one, as in
ways.py, and is two again afterwards. The latest merge of a client is undone first: an older one is refused,
and the answer names the merge that stands in the way.

Both run under the locks of store/resolve.py, all of the client's chats, handles and phones at once, so nobody
writes to either side meanwhile.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from orchestrator import sides
from orchestrator.cursors import BEGINNING
from orchestrator.store.catalogue import references, tables
from orchestrator.store.errors import MergeRefused
from orchestrator.store.moves import Moves, take_back
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

#: Tables that refer to a client and that a merge knows; a test compares them with the database.
MERGED = ("appeals", "client_facts", "identities", "messages_history", "outbound", "turns")
#: Likewise those that refer to a case: what is said in one goes along, its journal and notes stay with it.
OF_A_CASE = ("messages_history", "outbound", "turns")
STAY_WITH_THE_CASE = ("appeal_events", "appeal_notes")

#: A newcomer may join between the look at the keys and their locks; then the look is repeated.
_LOOKS = 10
#: Which of two cases tells how the one that they become stands.
_URGENCY = ("snoozed", "waiting_client", "open", "handed_off")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Merge:
    """A row of client_merges."""

    id: int
    winner_id: int
    loser_id: int
    why: str
    merged_by: str
    merged_at: datetime
    undone_by: str | None
    undone_at: datetime | None
    cases: list[list[int]]
    latest: dict[str, int | None]


async def merge(
    pool: Pool, winner_id: int, loser_id: int, *, by: str = "", why: str = "", now: datetime
) -> Merge:
    """Let the loser be the winner. MergeRefused: they are one already, or there is no such client."""
    if winner_id == loser_id:
        raise MergeRefused("A client cannot be merged with themselves.")

    async def work(connection: Connection, rows: dict[int, dict[str, Any]]) -> int:
        for client_id in (winner_id, loser_id):
            if client_id not in rows:
                raise await _gone(connection, client_id)
        return await _merge(connection, (rows[winner_id], rows[loser_id]), (storable(by), storable(why)), now)

    merge_id = await alone_with(pool, (winner_id, loser_id), work)
    return await get_merge(pool, merge_id)


async def unmerge(pool: Pool, merge_id: int, *, by: str = "", now: datetime) -> Merge:
    """Undo a merge. MergeRefused: it is undone, or others stand in the way (the text names the next one)."""
    known = await get_merge(pool, merge_id)

    async def work(connection: Connection, rows: dict[int, dict[str, Any]]) -> None:
        one = await get_merge(connection, merge_id)
        if one.undone_at is not None:
            raise MergeRefused(f"The merge {merge_id} was undone before.")
        if one.winner_id not in rows:
            raise await _gone(connection, one.winner_id)
        [latest] = await merges_of(connection, one.winner_id, limit=1)
        if latest.id != merge_id:
            raise MergeRefused(f"The client {one.winner_id} was merged again since: undo {latest.id} first.")
        await _unmerge(connection, one, rows[one.winner_id])
        await connection.execute(sql("end_merge"), merge_id, storable(by), now)

    await alone_with(pool, (known.winner_id, known.loser_id), work)
    return await get_merge(pool, merge_id)


async def get_merge(executor: Executor, merge_id: int) -> Merge:
    """MergeRefused: there is no such merge."""
    row = await executor.fetchrow(sql("get_merge"), merge_id)
    if row is None:
        raise MergeRefused(f"There is no merge {merge_id}.")
    return Merge(**dict(row))


async def merges_of(
    executor: Executor, client_id: int, *, before: int = BEGINNING, limit: int
) -> list[Merge]:
    """The merges that made the client what they are, the latest first, with ids smaller than `before`."""
    rows = await executor.fetch(sql("merges_of_client"), client_id, before, limit)
    return [Merge(**dict(row)) for row in rows]


async def follow(executor: Executor, client_id: int) -> int:
    """Who a client is by now."""
    found: int = await executor.fetchval(sql("follow_client"), client_id)
    return found


async def alone_with(
    pool: Pool,
    clients: Collection[int],
    work: Callable[[Connection, dict[int, dict[str, Any]]], Awaitable[T]],
) -> T:
    """Do the work in one transaction that has the clients for itself; it gets their rows {id: row}."""
    for _ in range(_LOOKS):
        async with pool.acquire() as connection, connection.transaction():
            keys = await _keys(connection, clients)
            await connection.execute(sql("lock_keys"), sorted(keys))
            if await _keys(connection, clients) <= keys:
                rows = await connection.fetch(sql("rows_of_clients_for_update"), list(clients))
                return await work(connection, {row["id"]: row["whole"] for row in rows})
    raise MergeRefused("New chats of the client keep coming in. Try again.")


async def _keys(connection: Connection, clients: Collection[int]) -> set[str]:
    return {row["key"] for one in clients for row in await connection.fetch(sql("keys_of_client"), one)}


async def _gone(connection: Connection, client_id: int) -> MergeRefused:
    row = await connection.fetchrow(sql("standing_merge_of"), client_id)
    if row is None:
        return MergeRefused(f"There is no client {client_id}.")
    return MergeRefused(f"The client {client_id} was merged into {row['winner_id']}; undo {row['id']} first.")


async def _merge(
    connection: Connection,
    rows: tuple[dict[str, Any], dict[str, Any]],
    said: tuple[str, str],
    now: datetime,
) -> int:
    winner, loser = rows
    by, why = said
    ids = (winner["id"], loser["id"])
    known = await tables(connection)
    merge_id: int = await connection.fetchval(sql("insert_merge"), *ids, why, by, now)
    moves = Moves(connection, known, merge_id)
    await connection.fetch(sql("lock_cases_of"), list(ids))
    cases = await _join_cases(connection, moves, ids, now)
    await connection.execute(sql("note_cases"), merge_id, cases)
    await _join_suggestions(connection, moves, ids, by, now)
    await moves.remove("client_facts", _KNOWN_TO_WINNER, ids[1], ids[0])
    for reference in await references(connection, "clients"):
        await moves.move(reference.table, reference.column, old=ids[1], new=ids[0])
    await _join_rows(connection, moves, winner, loser, now)
    return merge_id


#: A fact that came by no handle and that both have; $4 loser, $5 winner.
_KNOWN_TO_WINNER = """t.client_id = $4 AND EXISTS (
    SELECT FROM client_facts AS w WHERE w.client_id = $5
        AND (w.kind, w.value, w.channel, w.account, w.external_user_id)
        = (t.kind, t.value, t.channel, t.account, t.external_user_id))"""


async def _join_cases(
    connection: Connection, moves: Moves, ids: tuple[int, int], now: datetime
) -> list[list[int]]:
    """Cases open on both sides: the younger continues in the older."""
    pairs = await connection.fetch(sql("cases_open_twice"), *ids)
    for row in pairs:
        older, younger = row["older"], row["younger"]
        reason = f"continued in {older['id']}"
        ended: dict[str, Any] = {"status": "resolved", "closed_at": now.isoformat(), "close_reason": reason}
        ended |= {"updated_at": now.isoformat(), "snoozed_until": None, "reopenable": False}
        await moves.change("appeals", {"id": younger["id"]}, ended)
        event = {"appeal_id": younger["id"], "at": now.isoformat(), "actor": "system", "reason": reason}
        event |= {"event": "goes_on_elsewhere", "from_status": younger["status"], "to_status": "resolved"}
        await moves.add("appeal_events", event)
        for table in OF_A_CASE:
            await moves.move(table, "appeal_id", old=younger["id"], new=older["id"])
        await moves.change("appeals", {"id": older["id"]}, _joined(older, younger))
    return [[row["younger"]["id"], row["older"]["id"]] for row in pairs]


def _joined(older: dict[str, Any], younger: dict[str, Any]) -> dict[str, Any]:
    """Pure: how the older case stands with the younger in it: the more urgent of the two, the later chat."""
    urgent = max(older, younger, key=lambda case: _URGENCY.index(case["status"]))
    later = max(older, younger, key=lambda case: datetime.fromisoformat(case["updated_at"]))
    return {
        "status": urgent["status"],
        "snoozed_until": urgent["snoozed_until"],
        "external_chat_id": later["external_chat_id"],
        "updated_at": later["updated_at"],
    }


async def _join_suggestions(
    connection: Connection, moves: Moves, ids: tuple[int, int], by: str, now: datetime
) -> None:
    """The pair is settled; the loser's others become the winner's. A dismissal outlives a suggestion."""
    winner, loser = ids
    decided = {"decided_at": now.isoformat(), "decided_by": by}
    rows = await connection.fetch(sql("suggestions_of_client"), winner)
    of_winner = {_other(row, winner): row for row in rows}
    for row in await connection.fetch(sql("suggestions_of_client"), loser):
        key, other = {"id": row["id"]}, _other(row, loser)
        known = of_winner.get(other)
        if other == winner:
            await moves.change("link_suggestions", key, {"state": "accepted", **decided})
        elif known is None:
            first, second = sorted((winner, other))
            await moves.change("link_suggestions", key, {"client_id": first, "other_id": second})
        else:
            if row["state"] == "dismissed" and known["state"] == "open":
                said = {"decided_at": row["decided_at"].isoformat(), "decided_by": row["decided_by"]}
                await moves.change("link_suggestions", {"id": known["id"]}, {"state": "dismissed", **said})
            await moves.remove("link_suggestions", "t.id = $4", row["id"])


def _other(row: Any, client_id: int) -> int:
    other: int = row["other_id"] if row["client_id"] == client_id else row["client_id"]
    return other


async def _join_rows(
    connection: Connection, moves: Moves, winner: dict[str, Any], loser: dict[str, Any], now: datetime
) -> None:
    """The winner shows what only the loser's row told, and an attested phone before one that is not."""
    phone = await connection.fetchval(sql("attested_phone"), winner["id"])
    shown = {name: winner[name] or loser[name] for name in ("name", "email")}
    shown |= {"phone": phone or winner["phone"] or loser["phone"], "updated_at": now.isoformat()}
    await connection.execute(
        sql("set_client_row"), winner["id"], shown["name"], shown["phone"], shown["email"], now
    )
    await moves.note("clients", {"id": winner["id"]}, {name: winner[name] for name in shown})
    await moves.remove("clients", "t.id = $4", loser["id"], whole=loser)


async def _unmerge(connection: Connection, one: Merge, winner: dict[str, Any]) -> None:
    known = await tables(connection)
    await connection.fetch(sql("lock_cases_of"), [one.winner_id])
    for younger, older in one.cases:
        await connection.execute(sql("end_with_the_older_case"), one.id, younger, older)
    noted, gone = await connection.fetch(sql("noted_clients"), one.id)
    await take_back(connection, known, one.id, but=("clients",))
    await sides.separate(connection, one.winner_id, one.loser_id, one.latest, one.cases)
    before, after = noted["before"], noted["after"]
    again = {name: before[name] if winner[name] == after[name] else winner[name] for name in before}
    await sides.show(connection, one.winner_id, again, beside=one.loser_id, since=one.merged_at)
    await sides.show(connection, one.loser_id, gone["before"], beside=one.winner_id, since=one.merged_at)
    await connection.execute(sql("forget_steps"), one.id)
