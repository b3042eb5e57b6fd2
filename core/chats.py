"""The chat engine: messages grouped by chat, a deadline per chat, one lease per chat, an ack after the work.

A chat with messages is always in `deadlines` or in `pending`, and a message is always in exactly one list:
each step is one Lua script. A *member* names a chat: "{channel}:{chat part}". All times are Unix ms and
come from the caller; only the length of a lease is measured by Redis. The client must not decode responses.
"""

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Generic, TypeVar, cast

import structlog
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from core.closing import Closing
from core.deadletters import DeadLetter, door_of, write_letter
from core.jsontext import read_json
from core.keys import QueueKeys, chat_part
from core.problems import without_input
from core.registry import CHANNEL_NAMES
from core.scripts import load_script

#: Larger messages are not parsed inside Redis, where everybody would wait for it.
MAX_BYTES = 1024 * 1024
#: The most messages that one script call moves; Lua's stack holds 8,000 arguments.
MAX_LIMIT = 1000

#: What a model's validators may raise on wild input. One message must not stop the intake of all others.
UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)

M = TypeVar("M", bound=BaseModel)
log = structlog.get_logger()


def member_name(channel: str, account: str, chat_id: str) -> str:
    """How the engine names a chat."""
    return f"{channel}:{chat_part(account, chat_id)}"


@dataclass(frozen=True, slots=True)
class Window:
    """How long a chat gathers: `silence` and `longest` in seconds; `max_count` closes it at once, 0 never."""

    silence: float = 20.0
    longest: float = 300.0
    max_count: int = 0

    @property
    def silence_ms(self) -> int:
        return round(self.silence * 1000)

    @property
    def longest_ms(self) -> int:
        return round(self.longest * 1000)

    def closes_at(self, first_ms: int, last_ms: int) -> int:
        """When a chat closes whose first and last messages came then, Unix ms."""
        return min(last_ms + self.silence_ms, first_ms + self.longest_ms)


@dataclass(frozen=True, slots=True)
class Windows:
    """When a chat closes: the window of its channel, and what closes it at once in any."""

    default: Window = Window()
    per_channel: Mapping[str, Window] = field(default_factory=dict)
    closing: Closing = field(default_factory=Closing)

    def of(self, channel: str) -> Window:
        return self.per_channel.get(channel, self.default)


@dataclass(frozen=True, slots=True)
class Lease:
    """A chat in work: nobody else gets it until it is given back or the lease ends.

    `items` are raw messages in order, as many as fit. `due_at`, `opened` (its first message) and `last` (the
    customer's last sign) are Unix ms. `closing` is what closed it at once, "" when nothing did.
    """

    member: str
    token: int
    due_at: int
    opened: int
    last: int
    items: tuple[bytes, ...]
    closing: str = ""

    @property
    def channel(self) -> str:
        return self.member.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Collected:
    """`moved` messages; `more` are waiting; the earliest deadline of all chats."""

    moved: int
    next_due: int | None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The leases, and when to look again."""

    leases: tuple[Lease, ...]
    next_due: int | None


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """A lease's items: the messages, and letters for what is none. Both are settled by one `ack`."""

    messages: tuple[M, ...]
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """Lengths of the lists, chats that have messages, the earliest deadline (Unix ms)."""

    source: int
    taken: int
    pending: int
    live_chats: int
    dead: int
    oldest_deadline: int | None


@dataclass(frozen=True, slots=True)
class _Stuck:
    """Messages at the head of a list (an index in KEYS) that the script could not place."""

    index: int
    why: bytes
    raws: list[bytes]


class Chats(Generic[M]):
    """One engine: `Keys.incoming` gathers batches, `Keys.outgoing` (silence 0) keeps order while sending."""

    def __init__(
        self,
        redis: Redis,
        keys: QueueKeys,
        *,
        windows: Windows,
        lease_ms: int,
        model: type[M],
        max_items: int = 500,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._key_list = astuple(keys)
        self._model = model
        self.windows = windows
        self._door = door_of(keys)
        self._rules = json.dumps(
            _windows_as_rules(windows)
            | {"lease": lease_ms, "max_items": max_items, "max_bytes": MAX_BYTES}
            | {"needs_id": "id" in model.model_fields, "closing": windows.closing.as_rule()}
        )
        self._collect = load_script(redis, "chat", "envelope", "collect")
        self._mend = load_script(redis, "chat", "envelope", "mend")
        self._take = load_script(redis, "chat", "take")
        self._close = load_script(redis, "chat", "close")
        self._ack = load_script(redis, "chat", "ack")
        self._retry = load_script(redis, "chat", "retry")
        self._extend = load_script(redis, "chat", "extend")
        self._hasten = load_script(redis, "chat", "hasten")

    async def wait_source(self, timeout: float) -> bool:
        """Sleep in Redis until a message comes, at most `timeout` seconds; whether one came.

        It is in `taken` then, which `collect` reads first. Cancelling is safe.
        """
        seconds = max(0.01, min(timeout, self._longest_block()))
        moved = await self._redis.blmove(
            self._keys.source,
            self._keys.taken,
            seconds,  # type: ignore[arg-type]  # Redis takes fractions of a second, the stub does not
        )
        return moved is not None

    async def collect(self, now: int, limit: int = 500) -> Collected:
        """Move up to `limit` messages into their chats; what nobody can read goes to the dead letters."""
        limit = min(limit, MAX_LIMIT)
        moved = seen = 0
        while True:
            count, next_due, more, *stuck = await self._call(self._collect, now, limit - seen)
            head = _Stuck(*stuck)
            moved += count
            seen += count + len(head.raws)
            await self._put_right(now, head)
            if not head.raws or seen >= limit:
                return Collected(moved, next_due, bool(more))

    async def take(self, now: int, limit: int) -> Taken:
        """Lease up to `limit` chats that are due."""
        leases, next_due = await self._call(self._take, now, limit)
        return Taken(tuple(_lease(row) for row in leases), next_due)

    async def close_member(self, now: int, member: str) -> Lease | None:
        """Lease this chat now, due or not; None when it has no messages or is in work."""
        row = await self._call(self._close, now, member)
        return None if row is None else _lease(row)

    def read(self, lease: Lease, now: int) -> Read[M]:
        """The messages of a lease. Pure: pass the letters to `ack`."""
        messages: list[M] = []
        letters: list[DeadLetter] = []
        for raw in lease.items:
            try:
                messages.append(self._parse(raw))
            except UNREADABLE as error:
                letters.append(self._letter(raw, "unreadable", explain(error), now))
        return Read(tuple(messages), tuple(letters))

    async def ack(
        self, lease: Lease, count: int, now: int, *, keep: bool = False, letters: Sequence[DeadLetter] = ()
    ) -> bool:
        """The first `count` messages are done: remove them and give the chat back (or keep it).

        False when the lease is lost: then nothing has changed. `letters` are buried in the same step.
        """
        flat = [part for letter in letters for part in (letter.id, letter.model_dump_json())]
        return bool(
            await self._call(self._ack, now, lease.member, lease.token, max(count, 0), int(keep), *flat)
        )

    async def retry(self, lease: Lease, now: int, *, due_at: int) -> bool:
        """Give the chat back untouched, not to be leased before `due_at` whatever arrives; False as `ack`."""
        kept = (max(due_at, now), lease.opened, lease.closing)
        return bool(await self._call(self._retry, now, lease.member, lease.token, *kept))

    async def extend(self, lease: Lease, now: int) -> bool:
        """Start the lease anew; False when it is lost."""
        return bool(await self._call(self._extend, now, lease.member, lease.token))

    async def hasten(self, member: str, now: int) -> bool:
        """Make a chat due now; False when it has no messages or is in work."""
        return bool(await self._call(self._hasten, now, member))

    async def in_work(self, member: str) -> bool:
        """Whether somebody holds a lease on the chat; the hold that a retry leaves is none."""
        lock: bytes | None = await cast("Awaitable[bytes | None]", self._redis.get(self._keys.lock + member))
        return lock is not None and not lock.startswith(b"-")

    async def next_due(self) -> int | None:
        """The earliest deadline, Unix ms."""
        head = await self._redis.zrange(self._keys.deadlines, 0, 0, withscores=True)
        return int(head[0][1]) if head else None

    async def stats(self) -> Stats:
        """Figures for metrics."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in (self._keys.source, self._keys.taken, self._keys.pending):
                pipe.llen(queue)
            pipe.zcard(self._keys.deadlines)
            pipe.hlen(self._keys.dead)
            pipe.zrange(self._keys.deadlines, 0, 0, withscores=True)
            source, taken, pending, live, dead, head = await pipe.execute()
        return Stats(source, taken, pending, live, dead, int(head[0][1]) if head else None)

    async def _call(self, script: Any, now: int, *args: Any) -> Any:
        return await script(keys=self._key_list, args=(self._rules, now, *args))

    async def _put_right(self, now: int, stuck: _Stuck) -> None:
        """Replace stuck messages by what they mean, or bury them; skips what another collector has done."""
        if not stuck.raws:
            return
        args: list[str | bytes] = []
        reasons: dict[str, str] = {}
        for raw in stuck.raws:
            mended, letter = self._mended(raw, stuck.why, now)
            args += (raw, mended, letter.id, letter.model_dump_json())
            reasons[letter.id] = letter.reason
        for buried in await self._call(self._mend, now, stuck.index, *args):
            letter_id = buried.decode()
            log.warning("dead_letter", door=self._door, letter=letter_id, reason=reasons[letter_id])

    def _mended(self, raw: bytes, why: bytes, now: int) -> tuple[str, DeadLetter]:
        """What to put in place of `raw` ("" when there is nothing), and the letter if that is refused too."""
        if why == b"refused":
            return "", self._letter(raw, "refused", "the key of its chat does not hold a list", now)
        try:
            mended = self._parse(raw).model_dump_json()
        except UNREADABLE as error:
            return "", self._letter(raw, "unreadable", explain(error), now)
        return mended, self._letter(
            raw, "refused", f"readable, but over {MAX_BYTES} bytes or a bad chat id", now
        )

    def _parse(self, raw: bytes) -> M:
        return self._model.model_validate(read_json(raw))

    def _letter(self, raw: bytes, reason: str, detail: str, now: int) -> DeadLetter:
        return write_letter(self._door, reason, detail, raw, now)

    def _longest_block(self) -> float:
        """redis-py gives up on a blocked command after its socket timeout (redis-py issue 2807).

        Half of it, because a server ends a blocking command up to 100 ms late.
        """
        socket_timeout = self._redis.connection_pool.connection_kwargs.get("socket_timeout", 5)
        return float("inf") if socket_timeout is None else float(socket_timeout) / 2


def _windows_as_rules(windows: Windows) -> dict[str, Any]:
    """The windows as core/lua/chat.lua reads them."""
    channels = {name: _rule(windows.of(name)) for name in CHANNEL_NAMES}
    return {"channels": channels, "default": _rule(windows.default)}


def _rule(window: Window) -> list[int]:
    return [window.silence_ms, window.longest_ms, window.max_count]


def _lease(row: Any) -> Lease:
    member, token, due_at, opened, last, items, closing = row
    items = tuple(items)
    return Lease(member.decode(errors="replace"), token, due_at, opened, last, items, closing.decode())


def explain(error: Exception) -> str:
    """Why a message cannot be read, without repeating the customer's words."""
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    found = error.errors(include_url=False, include_context=False)
    wrong = ((each["loc"], without_input(each["msg"], each.get("input"))) for each in found)
    return "; ".join(f"{'.'.join(map(str, place)) or 'message'}: {says}" for place, says in wrong)
