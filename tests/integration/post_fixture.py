"""A vendor in memory, and senders of as many replicas as a test wants, on real Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import pytest
from redis.asyncio import Redis

from core.attempts import Attempts
from core.echoes import Echoes
from core.ids import ChatId
from core.parts import OffersFiles
from core.sending import Sender
from core.testing import FakeChannel
from tests.integration.chats_fixture import ManualClock
from tests.integration.intake_fixture import KEYS, connect

CHAT = ChatId("u2i-1")

#: Half as long again as a vendor call may take, ms.
LEASE_MS = 90_000

F = TypeVar("F", bound=FakeChannel)


class Killed(BaseException):
    """The process ends here: nothing that follows is done."""


class Post(Generic[F]):
    """A vendor, and senders of as many replicas as a test wants."""

    def __init__(self, channel: F, clock: ManualClock, redis: Redis, shelf: OffersFiles | None) -> None:
        self.channel = channel
        self.clock = clock
        self.redis = redis
        self._shelf = shelf

    def replica(self, redis: Redis | None = None) -> Sender:
        used = redis or self.redis
        return Sender(self.channel, Attempts(used, KEYS, self.clock), Echoes(used, KEYS), self._shelf)

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.channel.taken]

    async def kill_after(self, part: int, *, taken: bool, text: str = "Да", key: str = "k") -> None:
        """Send, and die in this part (from 0): before the vendor takes it or after."""
        for _ in range(part):
            self.channel.fail(None)
        self.channel.fail(Killed(), taken=taken)
        with pytest.raises(Killed):
            await self.replica().send_text(CHAT, text, key)

    def after_the_lease(self) -> None:
        self.clock.move(LEASE_MS + 1)


@asynccontextmanager
async def post(
    redis_url: str, kind: type[F], *, shelf: OffersFiles | None = None, **more: Any
) -> AsyncIterator[Post[F]]:
    clock = ManualClock()
    async with connect(redis_url) as redis:
        yield Post(kind(clock=clock, **more), clock, redis, shelf)
