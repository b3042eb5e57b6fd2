"""Everything that is kept about a client in PostgreSQL: which rows of which table, and under which names.

    OWNED   tables with rows of a client, in the order in which they can be deleted
    KEPT    tables without, and why an erasure leaves them

A test compares both with the database, so that a table added later says where it belongs.
"""

from dataclasses import dataclass
from typing import Any

from orchestrator.store.catalogue import tables
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql

#: (channel, account, id of a chat or a user)
Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Person:
    """A client with the ids of all that is theirs.

    `client_ids` has those who were merged into them. `chats` are theirs alone; in `shared` others write, too.
    `sent_ids` are (channel, account, id) of messages as the messengers call them.
    """

    client_id: int
    client_ids: list[int]
    merge_ids: list[int]
    handles: list[Name]
    chats: list[Name]
    shared: list[Name]
    phones: list[str]
    emails: list[str]
    message_ids: list[int]
    outbound_ids: list[str]
    turn_ids: list[int]
    appeal_ids: list[int]
    sent_ids: list[Name]

    @property
    def chat_names(self) -> list[str]:
        return ["|".join(chat) for chat in self.chats]

    @property
    def marks(self) -> list[str]:
        """What is remembered of them, hashed: the names of clients.py, and their deliveries."""
        named = [f"chat|{'|'.join(chat)}" for chat in self.chats]
        named += [f"handle|{'|'.join(handle)}" for handle in self.handles]
        return [*named, *(f"delivery|{one}" for one in self.outbound_ids)]


_CHAT = "concat_ws('|', t.channel, t.account, t.external_chat_id) = ANY ($1::text[])"
#: table -> (which rows `t`, the part of a Person that is $1)
OWNED: dict[str, tuple[str, str]] = {
    "media": ("t.message_id = ANY ($1::bigint[])", "message_ids"),
    "messages_history": ("t.id = ANY ($1::bigint[])", "message_ids"),
    "outbound_steps": ("t.outbound_id = ANY ($1::uuid[])", "outbound_ids"),
    "outbound": ("t.id = ANY ($1::uuid[])", "outbound_ids"),
    "turn_notices": ("t.turn_id = ANY ($1::bigint[])", "turn_ids"),
    "turn_leases": ("t.turn_id = ANY ($1::bigint[])", "turn_ids"),
    "turns": ("t.id = ANY ($1::bigint[])", "turn_ids"),
    "appeal_events": ("t.appeal_id = ANY ($1::bigint[])", "appeal_ids"),
    "appeal_notes": ("t.appeal_id = ANY ($1::bigint[])", "appeal_ids"),
    "appeals": ("t.id = ANY ($1::bigint[])", "appeal_ids"),
    "early_receipts": (_CHAT, "chat_names"),
    "pauses": (_CHAT, "chat_names"),
    "client_facts": ("t.client_id = $1", "client_id"),
    "identities": ("t.client_id = $1", "client_id"),
    "link_suggestions": ("ARRAY[t.client_id, t.other_id] && $1::bigint[]", "client_ids"),
    "client_merge_rows": ("t.merge_id = ANY ($1::bigint[])", "merge_ids"),
    "client_merges": ("t.id = ANY ($1::bigint[])", "merge_ids"),
    "clients": ("t.id = $1", "client_id"),
    # Last: what went before may still have told of a chat.
    "resource_changes": (
        "t.kind = 'chat' AND concat_ws('|', t.channel, t.account, t.name) = ANY ($1::text[])",
        "chat_names",
    ),
}
KEPT = {
    "schema_migrations": "about the program",
    "agent_webhooks": "about agents",
    "audit": "who called what, with keyed digests of the arguments: nothing of a client but our own numbers",
    "bulks": "counts what was sent to all; the client's chat is taken out of its refusals",
    "contents": "files by their hash: the content store forgets those that nobody else needs",
    "erasure_marks": "salted hashes that recognise what was written before the erasure",
    "erasure_salt": "the salt",
    "erasures": "proof that somebody was erased, by number",
}


async def person(connection: Connection, client_id: int) -> Person | None:
    """Who the client is and what is theirs; None when there is no such client."""
    row = await connection.fetchrow(sql("person"), client_id)
    if row is None:
        return None
    chats = [tuple(chat) for chat in row["chats"]]
    shared = {tuple(chat) for chat in row["shared"]}
    own = [chat for chat in chats if chat not in shared]
    handles = [tuple(handle) for handle in row["handles"]]
    found = await connection.fetchrow(
        sql("rows_of_person"), client_id, *_columns(own), *_columns(sorted(shared)), *_columns(handles)
    )
    if found is None:
        return None
    return Person(
        client_id,
        client_ids=row["client_ids"],
        merge_ids=row["merge_ids"],
        handles=handles,
        chats=own,
        shared=sorted(shared),
        phones=row["phones"],
        emails=row["emails"],
        message_ids=found["message_ids"],
        outbound_ids=[str(one) for one in found["outbound_ids"]],
        turn_ids=row["turn_ids"],
        appeal_ids=row["appeal_ids"],
        sent_ids=[tuple(one) for one in found["sent_ids"]],
    )


async def rows_of(connection: Connection, whose: Person) -> dict[str, list[dict[str, Any]]]:
    """Every row of theirs, whole, by table."""
    there = await tables(connection)
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, (condition, part) in OWNED.items():
        if name in there:
            query = f"SELECT to_jsonb(t) AS whole FROM {name} AS t WHERE {condition}"  # noqa: S608 - our own names
            rows[name] = [row["whole"] for row in await connection.fetch(query, getattr(whose, part))]
    return rows


async def delete_rows(connection: Connection, whose: Person) -> dict[str, int]:
    """Delete it, in the caller's transaction, which has the client for itself; how many rows, by table."""
    there = await tables(connection)
    await connection.execute(sql("let_others_go"), whose.client_id, whose.turn_ids, whose.appeal_ids)
    await connection.execute(sql("keep_shared"), whose.client_id, *_columns(whose.shared))
    await connection.execute(sql("forget_refusals"), *_columns(whose.chats))
    counts: dict[str, int] = {}
    for name, (condition, part) in OWNED.items():
        if name in there:
            query = f"DELETE FROM {name} AS t WHERE {condition}"  # noqa: S608 - our own names
            counts[name] = int((await connection.execute(query, getattr(whose, part))).rpartition(" ")[2])
    return counts


def _columns(names: list[Any]) -> tuple[list[str], list[str], list[str]]:
    return ([one[0] for one in names], [one[1] for one in names], [one[2] for one in names])
