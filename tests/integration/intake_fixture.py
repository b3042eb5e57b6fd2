"""An inbox on real Redis, and a Redis that is away: a port that nobody listens on until the test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from core.inbox import Inbox, Pace
from core.keys import Keys
from core.spool import Spool

KEYS = Keys()


def connect(url: str) -> Redis:
    """As a service does: no retries of its own."""
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), decode_responses=False)


class Line:
    """A TCP line to Redis or PostgreSQL that the test can cut and mend."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._own_port = 0
        self._pipes: set[asyncio.StreamWriter] = set()
        self._answers = True

    @property
    def url(self) -> str:
        user = f"{self._there.username}@" if self._there.username else ""
        return self._there._replace(netloc=f"{user}127.0.0.1:{self._own_port}").geturl()

    async def mend(self) -> None:
        self._answers = True
        self._server = await asyncio.start_server(self._pipe, "127.0.0.1", self._own_port)
        self._own_port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            for pipe in list(self._pipes):
                pipe.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def lose_answers(self) -> None:
        """Requests reach Redis, its answers do not come back."""
        self._answers = False

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._there.hostname, self._there.port)
        self._pipes |= {writer, up_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._copy(reader, up_writer))
                tasks.create_task(self._copy(up_reader, writer, answers=True))
        finally:
            self._pipes -= {writer, up_writer}

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        try:
            while piece := await reader.read(65_536):
                if self._answers or not answers:
                    writer.write(piece)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """A line that is up."""
    line = Line(url)
    await line.mend()
    try:
        yield line
    finally:
        await line.cut()


@asynccontextmanager
async def open_inbox(redis_url: str, folder: Path, **settings: Any) -> AsyncIterator[Inbox]:
    """An inbox whose spool lies in `folder`; it retries at once."""
    async with connect(redis_url) as redis:
        spool = Spool(folder / "avito.sqlite", max_bytes=settings.pop("max_bytes", 1 << 24))
        pace = Pace(patience=settings.pop("patience", 2.0), retry=0.01)
        inbox = Inbox(redis, KEYS, spool, pace=pace, **settings)
        async with inbox.run():
            yield inbox


async def queued(redis_url: str) -> list[str]:
    """The texts on queue:incoming."""
    async with connect(redis_url) as redis:
        rows = await redis.lrange(KEYS.incoming.source, 0, -1)
    return [json.loads(row)["text"] for row in rows]
