"""Servers that the caller brings with REDIS_URL and DATABASE_URL: asked before anything is started."""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import redis

from launcher.errors import LauncherError

_PATIENCE = 3.0


def require_brought(environ: Mapping[str, str]) -> None:
    """Raises LauncherError when a server that the caller named does not answer."""
    for variable, ask in _ASKS.items():
        if (url := environ.get(variable)) and (problem := what_is_wrong(variable, url, ask)):
            raise LauncherError(problem)


def redis_problem(url: str) -> str:
    """ "" when Redis answers, else one sentence with the mend."""
    return what_is_wrong("REDIS_URL", url, _ping)


def postgres_problem(url: str) -> str:
    """ "" when PostgreSQL answers, else one sentence with the mend."""
    return what_is_wrong("DATABASE_URL", url, _connect)


def what_is_wrong(variable: str, url: str, ask: Callable[[str], None]) -> str:
    """The sentence never holds the address: it may carry a password."""
    try:
        ask(url)
    except (OSError, ValueError, redis.RedisError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = type(error).__name__
        return (
            f"The server at {variable} does not answer ({reason}): correct {variable} or start that server."
        )
    return ""


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE) as client:
        client.ping()


def _connect(url: str) -> None:
    async def connect() -> None:
        connection = await asyncpg.connect(url, timeout=_PATIENCE)
        await connection.close()

    asyncio.run(connect())


_ASKS: dict[str, Callable[[str], None]] = {"REDIS_URL": _ping, "DATABASE_URL": _connect}
