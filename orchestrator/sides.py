"""What came while two clients were one: each piece goes to the side whose handle it came by.

The rows that the merge had moved are back by then. In a chat in which both sides write, what belongs to
neither stays where it is. All of it runs in the transaction of the undoing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from orchestrator.facts import Fact, facts_of
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql


async def separate(
    connection: Connection,
    stays: int,
    goes: int,
    latest: Mapping[str, int | None],
    cases: Sequence[Sequence[int]],
) -> None:
    """Give client `goes` what came by their handles since; `latest` {table: highest id at the merge}."""
    newer = {name: latest.get(name) or 0 for name in ("messages_history", "identities", "turns", "appeals")}
    both = (stays, goes)
    await connection.execute(sql("separate_new_handles"), *both, newer["identities"])
    await connection.execute(sql("separate_facts"), *both)
    await connection.execute(sql("separate_messages"), *both, newer["messages_history"])
    await connection.execute(sql("separate_answers"), *both, newer["messages_history"])
    await connection.execute(sql("separate_turns"), *both, newer["turns"])
    await connection.execute(sql("separate_outbound"), *both)
    await connection.execute(sql("separate_new_cases"), *both, newer["appeals"])
    partner = {one: other for pair in cases for one, other in (pair, pair[::-1])}
    words = await connection.fetch(
        sql("words_in_the_others_case"), *both, newer["messages_history"], newer["turns"]
    )
    for row in words:
        case = await _own_case(connection, row, partner.get(row["appeal_id"]))
        if case is not None:
            await connection.execute(sql("move_words"), row["client_id"], row["appeal_id"], case)
    await connection.execute(sql("readdress_cases"), *both)


async def _own_case(connection: Connection, row: asyncpg.Record, partner: int | None) -> int | None:
    """Where words belong that stand in the other side's case: in the one it was joined with, or one's own."""
    if partner and await connection.fetchval(sql("client_of_case"), partner) == row["client_id"]:
        return partner
    place = (row["channel"], row["account"])
    own: int | None = await connection.fetchval(sql("open_case_of"), row["client_id"], *place)
    if own is None:
        own = await connection.fetchval(sql("split_case"), row["client_id"], row["appeal_id"], *place)
    return own


async def show(
    connection: Connection, client_id: int, shown: Mapping[str, Any], *, beside: int, since: datetime
) -> None:
    """Let a client's row show this, except what only the facts of `beside` tell, and what came `since`."""
    own, others = await facts_of(connection, client_id), await facts_of(connection, beside)
    name, email = (_shown(kind, shown[kind], own, others) for kind in ("name", "email"))
    phone = _shown("phone", shown["phone"], own, others)
    phone = _phone(phone, [fact for fact in own if phone != shown["phone"] or fact.last_at > since])
    at = datetime.fromisoformat(shown["updated_at"])
    await connection.execute(sql("set_client_row"), client_id, name, phone, email, at)


def _shown(kind: str, value: str | None, own: Sequence[Fact], others: Sequence[Fact]) -> str | None:
    """Pure: the value if it is theirs, else the first that they told."""
    theirs = [fact for fact in own if fact.kind == kind and fact.evidence != "mentioned"]
    only_others = value in {fact.value for fact in others if fact.kind == kind}
    if value is not None and (value in {fact.value for fact in theirs} or not only_others):
        return value
    return min(theirs, key=lambda fact: fact.first_at).value if theirs else None


def _phone(value: str | None, own: Sequence[Fact]) -> str | None:
    """Pure: the number that their messenger attested last, by these facts, unless the one shown is as new."""
    attested = [fact for fact in own if fact.kind == "phone" and fact.evidence == "vendor"]
    if not attested:
        return value
    latest = max(attested, key=lambda fact: fact.last_at)
    shown = next((fact for fact in attested if fact.value == value), None)
    return value if shown is not None and shown.last_at >= latest.last_at else latest.value
