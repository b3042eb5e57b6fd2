"""A Redis client with a fuse around each command, and a server that may be away."""

import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.prove.fuse import Fuse

#: The last lines of each script of the engine tell which one it is.
_SCRIPTS = {path.name[:-4]: path.read_text("utf-8") for path in (files("core") / "lua").iterdir()}


class FusedRedis(Redis):
    """As the product's client; `is_away` tells whether nobody answers."""

    def __init__(self, pool: ConnectionPool, fuse: Fuse, is_away: Callable[[], bool]) -> None:
        super().__init__(connection_pool=pool)
        self._fuse = fuse
        self._is_away = is_away
        self._names: dict[str, str] = {}

    def register_script(self, script: Any) -> Any:
        """As Redis does; the name of the script is kept."""
        name = next(name for name, text in _SCRIPTS.items() if str(script).endswith(text))
        self._names[hashlib.sha1(str(script).encode()).hexdigest()] = name  # noqa: S324  # how Redis names it
        return super().register_script(script)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command."""
        self.refuse_when_away()

        async def call() -> Any:
            return await super(FusedRedis, self).execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py

        return await self._fuse.around(self._name(args), call, lost=_lost())

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Several commands, which are one await."""
        return FusedPipeline(self, self._fuse, transaction)

    def refuse_when_away(self) -> None:
        """Raise what redis-py raises when nobody listens."""
        if self._is_away():
            raise RedisConnectionError("Nobody listens there.")

    def _name(self, args: tuple[Any, ...]) -> str:
        if args[0] == "EVALSHA":
            return f"redis {self._names.get(args[1], 'script')}"
        return f"redis {args[0]}"


class FusedPipeline(Pipeline):
    """A pipeline with a fuse around its execution."""

    def __init__(self, redis: FusedRedis, fuse: Fuse, transaction: bool) -> None:
        super().__init__(redis.connection_pool, redis.response_callbacks, transaction, None)
        self._redis = redis
        self._fuse = fuse

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """All commands, in one await."""
        self._redis.refuse_when_away()

        async def call() -> list[Any]:
            return list(await super(FusedPipeline, self).execute(raise_on_error))

        return await self._fuse.around("redis pipeline", call, lost=_lost())


def _lost() -> Exception:
    return RedisConnectionError("The connection broke.")
