"""Both embedded engines, on one state folder.

A second start on the same folder finds its data; two at once are refused.
"""

import shutil
from pathlib import Path
from typing import Self

from launcher.binaries import postgres_server, redis_server
from launcher.child import Child
from launcher.ports import free_port
from launcher.postgres_engine import PostgresEngine
from launcher.redis_engine import RedisEngine
from launcher.state_lock import StateLock


class Engines:
    """Port 0 means any free one. Start from the main thread (see Child)."""

    def __init__(
        self,
        state: Path,
        redis_port: int = 0,
        pg_port: int = 0,
        *,
        redis_binary: str | None = None,
        pg_bin: str | None = None,
    ) -> None:
        self.state = state.resolve()
        self.redis = RedisEngine(self.state, redis_server(redis_binary), redis_port or free_port())
        self.postgres = PostgresEngine(self.state, postgres_server(pg_bin), pg_port or free_port())
        self._lock = StateLock(self.state)

    @property
    def redis_url(self) -> str:
        return self.redis.url

    @property
    def database_url(self) -> str:
        return self.postgres.url

    @property
    def pids(self) -> dict[str, int]:
        """Of the engines that run: `redis` and `postgres`."""
        children: dict[str, Child] = {"redis": self.redis.child, "postgres": self.postgres.child}
        return {name: child.pid for name, child in children.items() if child.alive and child.pid}

    def start(self) -> Self:
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.acquire()
        try:
            self.start_redis()
            self.start_postgres()
        except BaseException:
            self.stop()
            raise
        return self

    def start_redis(self) -> None:
        """Also after a kill: same port, same data."""
        self.redis.start()

    def start_postgres(self) -> None:
        """Also after a kill: same port, same data."""
        self.postgres.start()

    def stop(self) -> None:
        self.postgres.stop()
        self.redis.stop()
        self._lock.release()

    def discard(self) -> None:
        """Stop, and forget all data: for tests."""
        self.stop()
        self.postgres.discard()
        shutil.rmtree(self.state, ignore_errors=True)
