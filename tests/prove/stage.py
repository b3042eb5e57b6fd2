"""What lasts over all examples: a loop, servers, connections, figures."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import structlog
from uvloop import new_event_loop

from orchestrator.store.migrate import bundled, migrate
from orchestrator.store.pool import Pool, new_pool
from tests.integration.chats_fixture import ManualClock
from tests.prove.channel_process import ChannelProcess
from tests.prove.fuse import CutLog, Killed
from tests.prove.messenger import House
from tests.prove.redis_server import RedisServer
from tests.prove.tally import Tally

T = TypeVar("T")

#: All but what the migrations have written.
_TABLES = """
SELECT tablename FROM pg_tables
WHERE schemaname = 'public' AND tablename NOT IN ('schema_migrations', 'erasure_salt')
"""


class Stage:
    """One Redis and one database, emptied for each example; time only goes on."""

    def __init__(self, redis_url: str, database_url: str, spools: Path) -> None:
        self._runner = asyncio.Runner(loop_factory=new_event_loop)
        self._database_url = database_url
        self._redis_url = redis_url
        self._spools = spools
        self._files = count(1)
        #: Servers of channels that nobody killed: the next example need not start them again.
        self.idle: dict[House, ChannelProcess] = {}
        self.clock = ManualClock()
        self.log = CutLog()
        self.tally = Tally(self.log)
        self.redis: RedisServer
        self.pool: Pool
        self._forget = ""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self._runner.run(work)

    def new_spool(self) -> Path:
        """A file that nobody has used."""
        return self._spools / f"{next(self._files)}.sqlite"

    async def reset(self) -> None:
        """Nothing has happened yet."""
        await self.redis.clear()
        await self.pool.execute(self._forget)

    async def pass_time(self, seconds: float) -> None:
        """Time passes for us and for Redis."""
        await self.redis.age(round(seconds * 1000))
        self.clock.move(round(seconds * 1000))

    async def open(self) -> None:
        """Connect and migrate. A server's own crash is not tried here, so nothing waits for its disk."""
        asyncio.get_running_loop().set_exception_handler(_all_but_deaths)
        self.redis = RedisServer(self._redis_url)
        self.pool = await new_pool(
            self._database_url, connections=6, server_settings={"synchronous_commit": "off"}
        )
        async with self.pool.acquire() as connection:
            await migrate(connection, bundled(), lambda name: None)
            tables = [row[0] for row in await connection.fetch(_TABLES)]
        deletes = "; ".join(f"DELETE FROM {table}" for table in tables)  # noqa: S608  # names of our own tables
        self._forget = f"SET session_replication_role = replica; {deletes}; RESET session_replication_role"

    async def close(self) -> None:
        """Disconnect."""
        for process in self.idle.values():
            await process.end()
        await self.pool.close()
        await self.redis.close()

    def end(self) -> None:
        """Close everything."""
        self.run(self.close())
        self._runner.close()


@contextmanager
def stage(redis_url: str, database_url: str, spools: Path) -> Iterator[Stage]:
    """An open stage. The product's log is silent meanwhile: a line per crash would be gigabytes."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    made = Stage(redis_url, database_url, spools)
    made.run(made.open())
    try:
        yield made
    finally:
        made.end()
        structlog.configure(**before)


def _all_but_deaths(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Nobody waits for the tasks of a process that was killed."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)
