"""One channel's server: an inbox with a spool, and a sender. It dies whole and comes back with its file."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from core.attempts import Attempts
from core.channel import Arrival
from core.echoes import Echoes
from core.errors import OutcomeUnknown, VendorDown
from core.ids import ChatId
from core.inbox import Inbox, Pace, Stored
from core.keys import Keys
from core.sending import Sender
from tests.integration.chats_fixture import ManualClock
from tests.prove.fuse import CutLog, Fuse, Killed
from tests.prove.fused_redis import FusedRedis
from tests.prove.fused_spool import FusedSpool
from tests.prove.messenger import Messenger
from tests.prove.redis_server import RedisServer

T = TypeVar("T")

#: Real seconds; nothing here waits for them but a test that hangs.
_PACE = Pace(patience=60.0, retry=0.001)


class ChannelProcess:
    """Await `start` and call `serve` before use, await `end` after it."""

    def __init__(self, redis: RedisServer, clock: ManualClock, spool: Path, log: CutLog) -> None:
        self.spool = spool
        self.fuse = Fuse(log)
        self._client = FusedRedis(redis.pool, self.fuse, lambda: redis.away)
        self._redis = redis
        self._clock = clock
        file = FusedSpool(spool, self.fuse, redis.is_back)
        self.inbox = Inbox(self._client, Keys(), file, pace=_PACE, clock=clock)
        self._ready, self._stop = asyncio.Event(), asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    def serve(self, messenger: Messenger) -> None:
        """Speak to this messenger from now on."""
        self.messenger = messenger
        messenger.fuse = self.fuse
        attempts = Attempts(self._client, Keys(), self._clock)
        self._sender = Sender(messenger, attempts, Echoes(self._client, Keys()))

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return self._life is not None and not self._life.done() and not self.fuse.blown

    async def start(self) -> None:
        """Open the spool."""
        self._life = asyncio.create_task(self._live())
        await self._or_death(self._ready.wait())

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Stored]:
        """A webhook: how it was stored. Killed, or StorageDown: the vendor was not answered 200."""
        return await self._or_death(self.inbox.put(arrivals))

    async def drain(self) -> None:
        """Let what lies in the spool go to Redis, when that is there."""
        if self.inbox.waiting and not self._redis.away:
            await self._or_death(self.inbox.drained())

    async def send(self, chat_id: str, text: str, key: str) -> list[str]:
        """A call of its REST: the vendor's ids. A process that dies gives no answer."""
        if not self.alive:
            raise VendorDown(f"The {self.messenger.name} server cannot be reached.")
        try:
            sent = await self._sender.send_text(ChatId(chat_id), text, key)
        except Killed:
            raise OutcomeUnknown(f"The {self.messenger.name} server gave no answer.") from None
        return list(sent.message_ids)

    async def end(self) -> None:
        """The process is gone; the disk keeps its file."""
        self._stop.set()
        await self._sender.close()
        if self._life is not None:
            await asyncio.gather(self._life, return_exceptions=True)

    async def _live(self) -> None:
        async with self.inbox.run():
            self._ready.set()
            await self._stop.wait()

    async def _or_death(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result; Killed when the process dies before."""
        assert self._life is not None
        task = asyncio.ensure_future(work)
        await asyncio.wait({task, self._life}, return_when=asyncio.FIRST_COMPLETED)
        if self.fuse.blown or not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise Killed
        return await task
