"""The door of the system: "seen? else push" in one atomic script, and a spool for when Redis is away.

Whoever calls `put` at the same time shares one script call; each waits for its own answer. An answer always
means stored: in Redis, or on this machine's disk until Redis is back. While anything lies in the spool, what
comes later goes there too, so that order is kept. A lost answer of Redis is harmless: the event is pushed
again from the spool and recognised. Typing is of the moment: it is passed on while Redis is there, never
remembered and never spooled.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, NamedTuple

import structlog
from redis.asyncio import Redis

from core.channel import Arrival
from core.clock import Clock, SystemClock
from core.echoes import REDIS_AWAY
from core.errors import StorageDown
from core.jsontext import without_surrogates, write_json
from core.keys import Keys
from core.messages import IncomingMessage
from core.scripts import load_script
from core.spool import Spool

Stored = Literal["queued", "repeated", "echo", "passed", "spooled"]

SEEN_TTL_SECONDS = 7 * 24 * 3600
BATCH = 200
BATCH_CHARACTERS = 4 * 1024 * 1024

_ANSWERS: tuple[Stored, ...] = ("queued", "repeated", "echo", "passed")


class _Entry(NamedTuple):
    """One arrival as the script and the spool need it."""

    channel: str
    account: str
    chat_id: str
    message_id: str
    event_key: str
    own: bool
    fingerprint: str
    payload: str
    passes: bool = False

    @property
    def kind(self) -> str:
        """As core/lua/inbox_put.lua reads it."""
        return "-" if self.passes else "1" if self.own else ""


class _Caller(NamedTuple):
    """Who waits for which entries to be stored."""

    entries: list[_Entry]
    answer: "asyncio.Future[list[Stored]]"

    def told(self, stored: list[Stored]) -> None:
        if not self.answer.done():
            self.answer.set_result(stored)

    def refused(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(StorageDown(why))


class Pace(NamedTuple):
    """In seconds: the longest wait for Redis, and the pause between attempts to drain the spool."""

    patience: float = 1.0
    retry: float = 1.0


_USUAL = Pace()


class Inbox:
    """Stores arrivals while `run()` is entered; `seen_ttl`, in seconds, is how long it recognises repeats."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        spool: Spool,
        *,
        seen_ttl: float = SEEN_TTL_SECONDS,
        pace: Pace = _USUAL,
        clock: Clock | None = None,
    ) -> None:
        self.counts: Counter[Stored] = Counter()
        self._put_script = load_script(redis, "inbox_put")
        self._keys = keys
        self._clock = clock or SystemClock()
        self._queue = keys.incoming.source
        self._spool = spool
        self._seen_ttl = str(int(seen_ttl * 1000))
        self._patience = pace.patience
        self._retry = pace.retry
        self._callers: deque[_Caller] = deque()
        self._called = asyncio.Event()
        self._spooled = asyncio.Event()
        self._drained = asyncio.Event()
        self._open = False

    async def put(self, arrivals: Sequence[Arrival]) -> list[Stored]:
        """Store the arrivals; what became of each. StorageDown: neither Redis nor the disk took them."""
        if not self._open:
            raise StorageDown("The inbox is closed.")
        if not arrivals:
            return []
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        entries = [_entry(arrival, now) for arrival in arrivals]
        caller = _Caller(entries, asyncio.get_running_loop().create_future())
        self._callers.append(caller)
        self._called.set()
        return await caller.answer

    @property
    def waiting(self) -> int:
        """How many arrivals wait on this machine's disk for Redis."""
        return self._spool.waiting

    async def drained(self) -> None:
        """Return when nothing waits in the spool."""
        await self._drained.wait()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Open the spool and own the tasks; at the end everybody who waits still gets an answer."""
        await self._spool.open()
        self._note_spool()
        try:
            async with asyncio.TaskGroup() as tasks:
                draining = tasks.create_task(self._keep_draining())
                flushing = tasks.create_task(self._keep_flushing())
                self._open = True
                try:
                    yield
                finally:
                    self._open = False
                    self._called.set()
                    draining.cancel()
                    await flushing
        finally:
            await self._spool.close()

    async def _keep_flushing(self) -> None:
        while self._open or self._callers:
            await self._called.wait()
            self._called.clear()
            while self._callers:
                await self._serve(self._next_callers())

    def _next_callers(self) -> list[_Caller]:
        callers: list[_Caller] = []
        entries = characters = 0
        while self._callers and entries < BATCH and characters < BATCH_CHARACTERS:
            caller = self._callers.popleft()
            callers.append(caller)
            entries += len(caller.entries)
            characters += sum(len(entry.payload) for entry in caller.entries)
        return callers

    async def _serve(self, callers: list[_Caller]) -> None:
        why = "The inbox failed; the log says why."
        try:
            stored = iter(await self._store([entry for caller in callers for entry in caller.entries]))
            for caller in callers:
                caller.told(list(islice(stored, len(caller.entries))))
        except StorageDown as error:
            why = error.detail
            structlog.get_logger().error("nothing_stored", reason=why, events=len(callers))
        except Exception:  # noqa: BLE001  # top of the loop: the next callers must be served
            structlog.get_logger().exception("inbox_failed")
        finally:
            for caller in callers:
                caller.refused(why)

    async def _store(self, entries: list[_Entry]) -> list[Stored]:
        pushed = None if self._spool.waiting else await self._pushed_if_up(entries)
        stored = await self._kept_on_disk(entries) if pushed is None else pushed
        self.counts.update(stored)
        return stored

    async def _kept_on_disk(self, entries: list[_Entry]) -> list[Stored]:
        kept = [write_json(_marked(entry)._asdict()) for entry in entries if not entry.passes]
        if kept:
            await self._spool.append(kept)
        self._note_spool()
        return ["passed" if entry.passes else "spooled" for entry in entries]

    async def _pushed_if_up(self, entries: list[_Entry]) -> list[Stored] | None:
        try:
            return await self._push(entries)
        except REDIS_AWAY as error:
            structlog.get_logger().warning("redis_away_spooling", error=type(error).__name__)
            return None

    async def _push(self, entries: Sequence[_Entry]) -> list[Stored]:
        keys, arguments = [self._queue], [self._seen_ttl]
        for entry in entries:
            keys.append(self._keys.seen(entry.channel, entry.account, entry.event_key))
            arguments += (entry.payload, entry.kind)
            if entry.kind == "1":
                keys.append(self._keys.sent(entry.channel, entry.account, entry.message_id))
                keys.append(self._keys.sending(entry.channel, entry.account, entry.chat_id))
                arguments += (entry.fingerprint, entry.message_id)
        async with asyncio.timeout(self._patience):
            answers = await self._put_script(keys=keys, args=arguments)
        return [_ANSWERS[answer] for answer in answers]

    async def _keep_draining(self) -> None:
        while True:
            await self._spooled.wait()
            try:
                await self._drain_some()
            except (*REDIS_AWAY, StorageDown):
                await asyncio.sleep(self._retry)
            except Exception:  # noqa: BLE001  # top of the loop: what waits must not wait for ever
                structlog.get_logger().exception("drain_failed")
                await asyncio.sleep(self._retry)

    async def _drain_some(self) -> None:
        rows = await self._spool.head(BATCH, BATCH_CHARACTERS)
        if rows:
            stored = await self._push([_Entry(**json.loads(row.content)) for row in rows])
            await self._spool.drop(rows[-1].id)
            self.counts.update(stored)
            structlog.get_logger().info("spool_drained", events=len(rows), waiting=self._spool.waiting)
        self._note_spool()

    def _note_spool(self) -> None:
        now, before = self._spooled, self._drained
        if not self._spool.waiting:
            now, before = before, now
        now.set()
        before.clear()


def _entry(arrival: Arrival, received_at: datetime) -> _Entry:
    event_key = without_surrogates(arrival.event_key)
    known: dict[str, object] = {"received_at": received_at, "event_key": event_key}
    if arrival.own and arrival.message.event != "operator_message":
        known["own"] = True
    message = arrival.message.model_copy(update=known)
    return _Entry(
        channel=message.channel,
        account=message.account,
        chat_id=message.external_chat_id,
        message_id=message.external_message_id,
        event_key=event_key,
        own=arrival.own,
        fingerprint=without_surrogates(arrival.fingerprint),
        payload=message.model_dump_json(),
        passes=message.event == "typing",
    )


def _marked(entry: _Entry) -> _Entry:
    """The entry of a message that tells of its wait on the disk."""
    message = IncomingMessage.model_validate_json(entry.payload).model_copy(update={"spooled": True})
    return entry._replace(payload=message.model_dump_json())
