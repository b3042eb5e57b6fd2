"""A pool of PostgreSQL connections with a fuse around each statement, BEGIN and COMMIT."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar, cast

import asyncpg

from orchestrator.store.pool import Connection, Pool
from orchestrator.store.queries import named_queries
from tests.prove.fuse import Fuse

T = TypeVar("T")


def fused(pool: Pool, fuse: Fuse) -> Pool:
    """The pool as the product sees it."""
    return cast("Pool", _FusedPool(pool, fuse))


class _Statements:
    """What pools and connections have in common."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse
        self._within = False

    async def execute(self, query: str, *values: Any, **options: Any) -> Any:
        return await self._around(query, lambda: self._real.execute(query, *values, **options))

    async def fetch(self, query: str, *values: Any, **options: Any) -> Any:
        return await self._around(query, lambda: self._real.fetch(query, *values, **options))

    async def fetchrow(self, query: str, *values: Any, **options: Any) -> Any:
        return await self._around(query, lambda: self._real.fetchrow(query, *values, **options))

    async def fetchval(self, query: str, *values: Any, **options: Any) -> Any:
        return await self._around(query, lambda: self._real.fetchval(query, *values, **options))

    async def executemany(self, query: str, *values: Any, **options: Any) -> Any:
        return await self._around(query, lambda: self._real.executemany(query, *values, **options))

    async def _around(self, query: str, call: Callable[[], Awaitable[T]]) -> T:
        # Who stalls within a transaction holds its locks: others would wait for it, here for ever.
        name = f"sql {_name_of(query)}"
        return await self._fuse.around(name, call, lost=_lost(), may_stall=not self._within)


class _FusedPool(_Statements):
    @asynccontextmanager
    async def acquire(self, **options: Any) -> AsyncIterator[Connection]:
        async with self._real.acquire(**options) as connection:
            yield cast("Connection", _FusedConnection(connection, self._fuse))


class _FusedConnection(_Statements):
    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[None]:
        """A process that dies within it is one whose connection broke: the server rolls back."""
        real = self._real.transaction(**options)
        open_there = False

        async def begin() -> None:
            nonlocal open_there
            await real.start()
            open_there = True

        async def commit() -> None:
            nonlocal open_there
            open_there = False
            await real.commit()

        outer = self._within
        try:
            await self._around("BEGIN", begin)
            self._within = True
            yield
            await self._around("COMMIT", commit)
        except BaseException:
            if open_there:
                await real.rollback()
            raise
        finally:
            self._within = outer


@cache
def _name_of(query: str) -> str:
    names = {text: name for name, text in named_queries().items()}
    return names.get(query) or re.sub(r"[^a-zA-Z_]+", " ", query).strip()[:40]


def _lost() -> Exception:
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
