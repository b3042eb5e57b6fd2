"""An engine on real Redis whose time the test decides."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel
from redis.asyncio import Redis

from core.chats import Chats, Lease, Window, Windows
from core.deadletters import DeadLetter, DeadLetters, door_of
from core.keys import Keys, QueueKeys
from core.messages import IncomingMessage, OutgoingMessage
from orchestrator.timing import closing_of

T0 = 1_800_000_000_000
LEASE_MS = 300_000
SECOND = 1000


def incoming(text: str, chat: Any = "u2i-1", **more: Any) -> dict[str, Any]:
    """A message as a producer that knows only the contract writes it."""
    return {
        "channel": "avito",
        "external_user_id": "94235311",
        "external_chat_id": chat,
        "external_message_id": f"m-{text[:40]}",
        "text": text,
        "timestamp": "2027-01-15T08:00:00Z",
        **more,
    }


def canonical(message: dict[str, Any]) -> bytes:
    """The same message as our own producers write it."""
    return IncomingMessage.model_validate(message).model_dump_json().encode()


def as_bytes(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()


def as_text(value: bytes | str) -> str:
    """Redis speaks bytes here; its stubs leave both open."""
    return value.decode() if isinstance(value, bytes) else value


class ManualClock:
    """Time that moves when the test says so."""

    def __init__(self, now: int = T0) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now_ms(self) -> int:
        return self._now

    def move(self, ms: int) -> None:
        self._now += ms
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, event: asyncio.Event, until_ms: int) -> None:
        while not event.is_set() and self._now < until_ms:
            waits = [asyncio.ensure_future(each.wait()) for each in (event, self._moved)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()


class Line:
    """One engine with its queue, and the few moves a test makes."""

    def __init__(self, redis: Redis, keys: QueueKeys, chats: Chats[Any]) -> None:
        self.redis = redis
        self.keys = keys
        self.chats = chats
        self.clock = ManualClock()
        self._letters = DeadLetters(redis, Keys())

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    async def push(self, *messages: Any) -> None:
        """Producers append messages (dicts, or bytes as they are)."""
        if messages:
            await self.redis.rpush(self.keys.source, *map(as_bytes, messages))

    async def arrive(self, *messages: Any) -> int:
        """Messages come in and are collected now; how many were moved."""
        await self.push(*messages)
        return (await self.chats.collect(self.now)).moved

    async def take(self, limit: int = 10) -> list[Lease]:
        return list((await self.chats.take(self.now, limit)).leases)

    async def take_one(self) -> Lease:
        (lease,) = await self.take()
        return lease

    async def ack_all(self, lease: Lease) -> bool:
        return await self.chats.ack(lease, len(lease.items), self.now)

    async def pass_time(self, ms: int) -> None:
        """Time passes for us and for the leases that Redis measures itself."""
        for key in await self.redis.keys(f"{self.keys.lock}*"):
            left = await self.redis.pttl(key) - ms
            await (self.redis.pexpire(key, left) if left > 0 else self.redis.delete(key))
        self.clock.move(ms)

    async def letters(self) -> list[DeadLetter]:
        return (await self._letters.list(door_of(self.keys)))[::-1]

    async def survey(self) -> tuple[int, set[str]]:
        """How many messages are stored, and the chats that nobody would ever look at again: always none."""
        async with self.redis.pipeline() as pipe:
            pipe.keys(f"{self.keys.items}*")
            pipe.llen(self.keys.source)
            pipe.llen(self.keys.taken)
            pipe.zrange(self.keys.deadlines, 0, -1)
            pipe.lrange(self.keys.pending, 0, -1)
            keys, source, taken, due, pending = await pipe.execute()
            for key in keys:
                pipe.llen(key)
            gathered = await pipe.execute()
        chats = {as_text(key).removeprefix(self.keys.items) for key in keys}
        return source + taken + sum(gathered), chats - {as_text(member) for member in (*due, *pending)}

    async def homeless(self) -> set[str]:
        return (await self.survey())[1]


def texts(lease: Lease) -> list[str]:
    return [json.loads(item)["text"] for item in lease.items]


@asynccontextmanager
async def incoming_line(url: str, window: Window | None = None, **options: Any) -> AsyncIterator[Line]:
    """The engine that gathers batches: 20 s of silence, 300 s at most; every command closes a chat."""
    windows = Windows(window or Window(), {"vk": Window(silence=5, longest=60)}, closing_of(("*",)))
    async with Redis.from_url(url) as redis:
        keys = Keys().incoming
        options = {"windows": windows, "lease_ms": LEASE_MS, "model": IncomingMessage, **options}
        yield Line(redis, keys, Chats(redis, keys, **options))


@asynccontextmanager
async def outgoing_line(url: str) -> AsyncIterator[Line]:
    """The engine of the list door: due at once."""
    async with Redis.from_url(url) as redis:
        yield line_at_once(redis, Keys().outgoing, OutgoingMessage)


def line_at_once(redis: Redis, keys: QueueKeys, model: type[BaseModel]) -> Line:
    """An engine without a silence: it keeps order while something is done with each message."""
    return Line(
        redis, keys, Chats(redis, keys, windows=Windows(Window(0, 0)), lease_ms=LEASE_MS, model=model)
    )
