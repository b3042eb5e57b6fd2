"""From gathered batches to clients, cases, history and turns: one transaction, and repeating it is harmless.

Locks are taken in one order by everybody: chats, handles and phones (advisory, sorted), clients (by id),
cases, turns, messages. So no two transactions wait in a circle, and of any number of workers that resolve
the same person at once each sees what the one before has done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator import appeals, clients, history, marks, media_rows
from orchestrator.batching import Batch, target_of
from orchestrator.clients import Writer, writer_of
from orchestrator.content_store import ContentKey
from orchestrator.history import Novelty, Place
from orchestrator.media_rows import MessageKey
from orchestrator.message_files import MessageFile, files_of
from orchestrator.operator_words import split_at_operator
from orchestrator.rules import Rules
from orchestrator.store.errors import only_storable
from orchestrator.store.pool import Connection, Pool
from orchestrator.store.queries import sql
from orchestrator.takeover import operator_wrote

_RULES = Rules()
#: (channel, account, external_chat_id)
Chat = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ResolvedBatch:
    """What became of a batch.

    `turn_id` is the turn that has its messages, also when they were known before; `ready` tells that it
    waits for an agent now. `new_messages` counts those that were not known and ask for an answer. Without a
    question there may be no turn, no case and, for receipts of strangers, no client. `taken_over`: an
    operator wrote, so the channels have to be told of a pause.
    """

    turn_id: int | None
    appeal_id: int | None
    client_id: int | None
    new_messages: int
    ready: bool
    taken_over: bool = False

    def followed_by(self, later: "ResolvedBatch") -> "ResolvedBatch":
        """What became of a batch of which `later` is the second half."""
        return replace(
            later,
            turn_id=later.turn_id or self.turn_id,
            new_messages=self.new_messages + later.new_messages,
            ready=self.ready or later.ready,
            taken_over=self.taken_over or later.taken_over,
        )


async def resolve_batch(pool: Pool, batch: Batch, *, now: datetime, rules: Rules = _RULES) -> ResolvedBatch:
    """Store a batch. Raises Unstorable when PostgreSQL can never hold it; asyncpg's errors may be retried."""
    [resolved] = await resolve_batches(pool, [batch], now=now, rules=rules)
    return resolved


async def resolve_batches(
    pool: Pool, batches: Sequence[Batch], *, now: datetime, rules: Rules = _RULES, patience: float = 0
) -> list[ResolvedBatch]:
    """Store batches of different chats, all or none, in one transaction; results in their order.

    When Unstorable is raised, resolve them one by one to find the one that is. asyncpg.LockNotAvailableError:
    somebody has had one of the chats for `patience` seconds (0: any time is waited).
    """
    if len({_chat(batch) for batch in batches}) != len(batches):
        raise ValueError("two batches are of one chat")
    with only_storable():
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("wait_for_locks"), f"{round(patience * 1000)}ms")
            parts = [part for batch in batches for part in split_at_operator(batch)]
            await clients.lock_writers(connection, [writer_of(part) for part in parts])
            batches = await marks.without_erased(connection, batches)
            halves = [split_at_operator(batch) for batch in batches]
            first = await _resolve(connection, [both[0] for both in halves], now, rules)
            second = await _resolve(connection, [both[1] for both in halves if both[1:]], now, rules)
            later = iter(second)
            return [
                one.followed_by(next(later)) if both[1:] else one
                for one, both in zip(first, halves, strict=True)
            ]


async def _resolve(
    connection: Connection, batches: Sequence[Batch], now: datetime, rules: Rules
) -> list[ResolvedBatch]:
    if not batches:
        return []
    writers = [writer_of(batch) for batch in batches]
    news = await history.novelties(connection, batches)
    client_of = await _clients(connection, news, writers, now)
    appeal_of = await _appeals(connection, news, client_of, now, rules)
    turn_of = await _turns(connection, news, (client_of, appeal_of), now)
    places = [
        (new, Place(client_id, appeal_of.get(chat), turn_of.get(chat), new.batch.external_user_id))
        for new in news
        if (client_id := client_of.get(chat := _chat(new.batch))) is not None
    ]
    await history.write(connection, places, now)
    await history.change(connection, news, now)
    kept = {source: ContentKey(key) for new in news for source, key in new.batch.context.kept.items()}
    await media_rows.write(connection, _files(news), kept, now)
    opened = set(turn_of.values())
    handled = await operator_wrote(connection, news, opened, rules, now)
    turns = [turn_of.get(_chat(new.batch), new.repeated_in) for new in news]
    ready = await _still_ready(connection, turns, opened - handled)
    return [
        ResolvedBatch(
            turn,
            appeal_of.get(chat),
            client_of.get(chat),
            new_messages=len(new.asks),
            ready=turn in ready,
            taken_over=bool(new.operator_words),
        )
        for new, turn in zip(news, turns, strict=True)
        for chat in [_chat(new.batch)]
    ]


async def _clients(
    connection: Connection, news: Sequence[Novelty], writers: Sequence[Writer], now: datetime
) -> dict[Chat, int]:
    """Whose chats these are; only somebody who said something new is created."""
    speaking = [writer for writer, new in zip(writers, news, strict=True) if new.items]
    silent = [writer for writer, new in zip(writers, news, strict=True) if not new.items]
    found = await clients.find_or_create(connection, speaking, now)
    known = await clients.find(connection, silent)
    pairs = zip((*speaking, *silent), (*found, *known), strict=True)
    return {writer.chat: client_id for writer, client_id in pairs if client_id is not None}


async def _appeals(
    connection: Connection,
    news: Sequence[Novelty],
    client_of: dict[Chat, int],
    now: datetime,
    rules: Rules,
) -> dict[Chat, int]:
    """The open case of each chat; only a new question opens one, or opens one again."""
    key_of = {
        chat: (client_of[chat], new.batch.channel, new.batch.account)
        for new in news
        if (chat := _chat(new.batch)) in client_of
    }
    asking = [(client_of[_chat(new.batch)], new.batch) for new in news if new.asks]
    ids = await appeals.open_or_touch(connection, asking, now, reopen_within=rules.reopen_within)
    ids |= await appeals.find_open(connection, set(key_of.values()) - ids.keys())
    return {chat: ids[key] for chat, key in key_of.items() if key in ids}


async def _turns(
    connection: Connection,
    news: Sequence[Novelty],
    owners: tuple[dict[Chat, int], dict[Chat, int]],
    now: datetime,
) -> dict[Chat, int]:
    """The waiting turn of each chat with new questions, opened where none waits."""
    asking = [new for new in news if new.asks]
    if not asking:
        return {}
    client_of, appeal_of = owners
    chats = [_chat(new.batch) for new in asking]
    times = [[item.message.timestamp for item in new.asks] for new in asking]
    rows = await connection.fetch(
        sql("append_or_open_turns"),
        [appeal_of[chat] for chat in chats],
        [client_of[chat] for chat in chats],
        *zip(*chats, strict=True),
        [min(said) for said in times],
        [max(said) for said in times],
        [new.batch.closed_by for new in asking],
        now,
    )
    return {(row["channel"], row["account"], row["external_chat_id"]): row["id"] for row in rows}


async def _still_ready(connection: Connection, turns: Sequence[int | None], opened: set[int]) -> set[int]:
    """Which turns wait: those just opened or appended to, and of the others those that nobody took."""
    others = {turn for turn in turns if turn is not None} - opened
    if not others:
        return opened
    return opened | {row["id"] for row in await connection.fetch(sql("ready_turns"), others)}


def _files(news: Sequence[Novelty]) -> list[tuple[MessageKey, MessageFile]]:
    """The files of what is new, and of edits of what was known."""
    return [
        ((*_chat(new.batch), target_of(item.message)), file)
        for new in news
        for item in (*new.items, *new.known)
        for file in files_of(item.media)
    ]


def _chat(batch: Batch) -> Chat:
    return (batch.channel, batch.account, batch.external_chat_id)
