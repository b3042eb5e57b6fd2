"""Connections to PostgreSQL, and the types that the other files name them by."""

import json
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core.jsontext import write_json

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
#: Where a single statement may run: on its own, or inside somebody's transaction.
Executor: TypeAlias = "Pool | Connection"


#: Longest wait for the answer to one statement. A server that vanished without a word would otherwise hold
#: every worker until the kernel gives up, hours later; repeating is harmless.
ANSWER_SECONDS = 30.0


def new_pool(url: str, *, connections: int = 10, **options: Any) -> Pool:
    """A pool, not yet open: `async with new_pool(url) as pool`. `options` are asyncpg's."""
    return asyncpg.create_pool(
        url,
        init=_speak_json,
        min_size=min(2, connections),
        max_size=connections,
        **{"command_timeout": ANSWER_SECONDS} | options,
    )


async def _speak_json(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=write_json, decoder=json.loads)
