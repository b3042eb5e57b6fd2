"""Who writes: the client behind a handle or an attested phone; made when nobody knows them.

A handle (channel, account, external_user_id) is one client's until an operator merges two. A new handle joins
the client of its chat when an operator wrote there first, or the client with the same phone, if a messenger
or a form attests it on both sides; evidence says which. Whatever else two clients share is a suggestion for
an operator (suggestions.py). All of it runs in the caller's transaction, under the locks of `lock_writers`,
so that twenty first messages of one person make one client.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from orchestrator import facts, suggestions
from orchestrator.batching import Batch
from orchestrator.facts import Card, Learned, Told, told_in
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql


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
    told: tuple[Told, ...] = ()
    ad_id: str = ""

    @property
    def phone(self) -> str | None:
        """The phone that a vendor or a form attests."""
        return next((word.value for word in self.told if word.kind == "phone" and word.is_attested), None)

    @property
    def source(self) -> tuple[str, str, str]:
        """The handle as facts bear it."""
        return (self.channel, self.account, self.external_user_id or "")

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
            keys.append(phone_key(self.phone))
        return keys


def chat_key(channel: str, account: str, chat: str) -> str:
    """The name of a chat's lock; lock_turn and lock_outbound in the .sql files compose the same."""
    return f"chat|{channel}|{account}|{chat}"


def handle_key(channel: str, account: str, user: str) -> str:
    """The name of a handle's lock."""
    return f"handle|{channel}|{account}|{user}"


def phone_key(phone: str) -> str:
    """The name of a phone's lock."""
    return f"phone|{phone}"


def writer_of(batch: Batch) -> Writer:
    """The customer of a batch with what the chat and their own messages tell of them."""
    ads = (item.message.meta.ad_id for item in reversed(batch.items) if item.message.meta.ad_id)
    return Writer(
        batch.channel,
        batch.account,
        batch.external_chat_id,
        batch.external_user_id,
        told=told_in(batch),
        ad_id=next(ads, batch.context.ad_id),
    )


async def lock_writers(connection: Connection, writers: Sequence[Writer]) -> None:
    """Keep everybody else from resolving these chats, handles and phones until the transaction ends."""
    await connection.execute(sql("lock_keys"), [key for writer in writers for key in writer.keys])


async def find_or_create(connection: Connection, writers: Sequence[Writer], now: datetime) -> list[int]:
    """The client ids of `writers`, in their order; rows locked, what they tell of themselves filled in."""
    if not writers:
        return []
    found = await connection.fetch(sql("find_clients"), *_columns(writers))
    joins = [_join(writer, row) for writer, row in zip(writers, found, strict=True)]
    ids, learned = await _create_missing(connection, joins, now)
    known = [(join.client_id, join.writer) for join in joins if join.client_id is not None]
    if known:
        learned += await _lock_and_fill(connection, known, now)
    await _add_handles(
        connection, [(join, id_) for join, id_ in zip(joins, ids, strict=True) if join.evidence], now
    )
    await facts.store(connection, learned, now)
    ads = {id_: writer.ad_id for id_, writer in zip(ids, writers, strict=True) if writer.ad_id}
    await suggestions.suggest(connection, learned, ads, now)
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


async def _create_missing(
    connection: Connection, joins: Sequence[_Join], now: datetime
) -> tuple[list[int], list[Learned]]:
    """A client for each, with what was learned of the new ones; writers who share a key share the client."""
    slot_of = _slots([join.writer for join in joins if join.client_id is None])
    made: list[int] = []
    told: list[tuple[int, list[Told], Writer]] = []
    if slot_of:
        cards = [Card() for _ in range(max(slot_of.values()) + 1)]
        told = [(slot, cards[slot].learn(one.told, one.source), one) for one, slot in slot_of.items()]
        rows = await connection.fetch(sql("create_clients"), *_shown(cards), now)
        made = sorted(row["id"] for row in rows)
    ids = [made[slot_of[join.writer]] if join.client_id is None else join.client_id for join in joins]
    return ids, [Learned(made[slot], word, writer.source) for slot, words, writer in told for word in words]


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
) -> list[Learned]:
    """Keep others from the clients' cases, and note what is new about them."""
    rows = await connection.fetch(sql("lock_clients"), sorted({client_id for client_id, _ in writers}))
    cards = {row["id"]: facts.card_of(row) for row in rows}
    before = {id_: (card.name, card.phone, card.email) for id_, card in cards.items()}
    learned = [
        Learned(client_id, word, writer.source)
        for client_id, writer in writers
        for word in cards[client_id].learn(writer.told, writer.source)
    ]
    changed = {id_: card for id_, card in cards.items() if before[id_] != (card.name, card.phone, card.email)}
    if changed:
        await connection.execute(sql("fill_clients"), list(changed), *_shown(changed.values()), now)
    return learned


def _shown(cards: Iterable[Card]) -> tuple[list[str | None], ...]:
    each = list(cards)
    return ([one.name for one in each], [one.phone for one in each], [one.email for one in each])
