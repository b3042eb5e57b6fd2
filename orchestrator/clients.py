"""Who writes: the client behind a handle or an attested phone; made when nobody knows them.

A handle (channel, account, external_user_id) is one client's for good. A new handle joins the client of its
chat when an operator wrote there first, or the client with the same E.164 phone; evidence says which. All of
it runs in the caller's transaction, under the locks of `lock_writers`, so that twenty first messages of one
person make one client.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from orchestrator.batching import Batch
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql

_E164 = re.compile(r"^\+[1-9]\d{6,14}$")
#: Names and addresses are shown to people; what is longer is not one.
_LONGEST_NAME = 200
_LONGEST_EMAIL = 320


@dataclass(frozen=True, slots=True)
class Client:
    """A person, with the handle of each channel; "" where there is none."""

    id: int
    name: str = ""
    phone: str = ""
    email: str = ""
    telegram_id: str = ""
    avito_id: str = ""
    vk_id: str = ""
    whatsapp_id: str = ""
    max_id: str = ""
    instagram_id: str = ""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who a batch says it is from; `external_user_id` is None when only an operator or the vendor wrote."""

    channel: str
    account: str
    external_chat_id: str
    external_user_id: str | None
    name: str | None
    phone: str | None
    email: str | None

    @property
    def chat(self) -> tuple[str, str, str]:
        return (self.channel, self.account, self.external_chat_id)

    @property
    def handle(self) -> str:
        return handle_key(self.channel, self.account, self.external_user_id or "")

    @property
    def keys(self) -> list[str]:
        """What to lock before looking this writer up."""
        keys = [chat_key(self.channel, self.account, self.external_chat_id)]
        if self.external_user_id is not None:
            keys.append(self.handle)
        if self.phone:
            keys.append(f"phone|{self.phone}")
        return keys


def chat_key(channel: str, account: str, chat: str) -> str:
    """The name of a chat's lock; lock_turn and lock_outbound in the .sql files compose the same."""
    return f"chat|{channel}|{account}|{chat}"


def handle_key(channel: str, account: str, user: str) -> str:
    """The name of a handle's lock."""
    return f"handle|{channel}|{account}|{user}"


def writer_of(batch: Batch) -> Writer:
    """The customer of a batch with what the chat and their own messages tell of them; the latest word wins.

    In a group others write too: their phone in the customer's place would make one person of two.
    """
    who = batch.external_user_id
    told = [message for message in batch.messages if who is None or message.external_user_id == who]
    names = [message.client_name for message in told if message.client_name]
    phones = [message.client_phone for message in told if is_e164(message.client_phone)]
    emails = [message.client_email for message in told if message.client_email]
    name = names[-1] if names else batch.context.client_name
    return Writer(
        batch.channel,
        batch.account,
        batch.external_chat_id,
        who,
        name=name.strip()[:_LONGEST_NAME] or None,
        phone=phones[-1] if phones else vouched if is_e164(vouched := batch.context.client_phone) else None,
        email=emails[-1].strip()[:_LONGEST_EMAIL] or None if emails else None,
    )


def is_e164(phone: str | None) -> bool:
    """Whether a phone is exact enough to tell people apart by it."""
    return bool(phone and _E164.match(phone))


async def lock_writers(connection: Connection, writers: Sequence[Writer]) -> None:
    """Keep everybody else from resolving these chats, handles and phones until the transaction ends."""
    await connection.execute(sql("lock_keys"), [key for writer in writers for key in writer.keys])


async def find_or_create(connection: Connection, writers: Sequence[Writer], now: datetime) -> list[int]:
    """The client ids of `writers`, in their order; rows locked, missing name, phone and email filled in."""
    if not writers:
        return []
    found = await connection.fetch(sql("find_clients"), *_columns(writers))
    joins = [_join(writer, row) for writer, row in zip(writers, found, strict=True)]
    ids = await _create_missing(connection, joins, now)
    known = [(join.client_id, join.writer) for join in joins if join.client_id is not None]
    if known:
        await _lock_and_fill(connection, known, now)
    await _add_handles(
        connection, [(join, id_) for join, id_ in zip(joins, ids, strict=True) if join.evidence], now
    )
    return ids


async def find(connection: Connection, writers: Sequence[Writer]) -> list[int | None]:
    """Whose chats these are, by handle or by what was said there; nothing is created."""
    if not writers:
        return []
    found = await connection.fetch(sql("find_clients"), *_columns(writers))
    return [row["by_identity"] or row["by_chat"] for row in found]


async def get_client(executor: Executor, client_id: int) -> Client | None:
    """The client, or None."""
    row = await executor.fetchrow(sql("get_client"), client_id)
    return client_from(row) if row else None


def client_from(row: asyncpg.Record) -> Client:
    """A row of get_client."""
    handles = {name: value or "" for name, value in row.items() if name != "id"}
    return Client(row["id"], **handles)


@dataclass(frozen=True, slots=True)
class _Join:
    """Which client a writer joins (None: a new one); `evidence` is "" when no handle is to be added."""

    writer: Writer
    client_id: int | None
    evidence: str


@dataclass(slots=True)
class _Learned:
    """What is known about a client; the first word stands."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None

    def learn(self, writer: Writer) -> bool:
        """Take what was not known; whether there was anything."""
        before = (self.name, self.phone, self.email)
        self.name = self.name or writer.name
        self.phone = self.phone or writer.phone
        self.email = self.email or writer.email
        return before != (self.name, self.phone, self.email)


def _join(writer: Writer, row: asyncpg.Record) -> _Join:
    if row["by_identity"] is not None:
        return _Join(writer, row["by_identity"], "")
    if writer.external_user_id is None:
        return _Join(writer, row["by_chat"], "")
    if row["by_chat"] is not None and not row["chat_has_handle"]:
        return _Join(writer, row["by_chat"], "vendor_account")
    return _Join(writer, row["by_phone"], _evidence(writer, by_phone=row["by_phone"] is not None))


def _evidence(writer: Writer, *, by_phone: bool) -> str:
    if writer.channel == "form":
        return "form_phone" if writer.phone else "form"
    return "vendor_phone" if by_phone else "vendor_account"


def _columns(writers: Sequence[Writer]) -> tuple[list[str | None], ...]:
    return (
        [writer.channel for writer in writers],
        [writer.account for writer in writers],
        [writer.external_user_id for writer in writers],
        [writer.phone for writer in writers],
        [writer.external_chat_id for writer in writers],
    )


async def _create_missing(connection: Connection, joins: Sequence[_Join], now: datetime) -> list[int]:
    """A client for each; writers of one group that share a key share the new client."""
    slot_of = _slots([join.writer for join in joins if join.client_id is None])
    made: list[int] = []
    if slot_of:
        newcomers = [_Learned() for _ in range(max(slot_of.values()) + 1)]
        for writer, slot in slot_of.items():
            newcomers[slot].learn(writer)
        rows = await connection.fetch(sql("create_clients"), *_facts(newcomers), now)
        made = sorted(row["id"] for row in rows)
    return [made[slot_of[join.writer]] if join.client_id is None else join.client_id for join in joins]


def _slots(writers: Sequence[Writer]) -> dict[Writer, int]:
    """Pure: writers who share a handle or a phone share a number; numbers count up from 0."""
    slots: dict[str, int] = {}
    slot_of: dict[Writer, int] = {}
    for writer in writers:
        known = (slots[key] for key in reversed(writer.keys) if key in slots)
        slot = next(known, len(set(slot_of.values())))
        slots.update(dict.fromkeys(writer.keys, slot))
        slot_of[writer] = slot
    return slot_of


async def _add_handles(connection: Connection, added: Sequence[tuple[_Join, int]], now: datetime) -> None:
    if not added:
        return
    await connection.execute(
        sql("add_identities"),
        [client_id for _, client_id in added],
        [join.writer.channel for join, _ in added],
        [join.writer.account for join, _ in added],
        [join.writer.external_user_id for join, _ in added],
        [join.evidence for join, _ in added],
        now,
    )


async def _lock_and_fill(
    connection: Connection, writers: Sequence[tuple[int, Writer]], now: datetime
) -> None:
    """Keep others from the clients' cases, and note what is new about them."""
    rows = await connection.fetch(sql("lock_clients"), sorted({client_id for client_id, _ in writers}))
    known = {row["id"]: _Learned(row["name"], row["phone"], row["email"]) for row in rows}
    learned = {client_id: known[client_id] for client_id, writer in writers if known[client_id].learn(writer)}
    if learned:
        await connection.execute(sql("fill_clients"), list(learned), *_facts(learned.values()), now)


def _facts(learned: Iterable[_Learned]) -> tuple[list[str | None], ...]:
    each = list(learned)
    return ([one.name for one in each], [one.phone for one in each], [one.email for one in each])
