"""Where a section measures: real engines, emptied; processes of its own; how long."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import asyncpg
import psutil
from redis.asyncio import Redis

from launcher.engines import Engines
from launcher.ports import free_port
from orchestrator.store.migrate import bundled, migrate
from orchestrator.store.pool import Pool, new_pool

_PROJECT = Path(__file__).parent.parent
_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A process of the bench that listens on `port`."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Stage:
    """The engines of a run; `scale` shortens it."""

    engines: Engines
    folder: Path
    scale: float

    def seconds(self, full: float) -> float:
        return full * self.scale

    def count(self, full: int) -> int:
        return max(1, round(full * self.scale))

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        """A client of the emptied server."""
        async with Redis.from_url(self.engines.redis_url, socket_timeout=30) as client:
            await client.flushall()
            yield client

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The address of a fresh, migrated database, dropped afterwards."""
        name = f"bench_{uuid.uuid4().hex}"
        connection = await asyncpg.connect(self.engines.database_url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
            url = self.engines.database_url.replace("/postgres?", f"/{name}?")
            fresh = await asyncpg.connect(url)
            await migrate(fresh, bundled(), lambda _: None)
            await fresh.close()
            yield url
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    @asynccontextmanager
    async def pool(self, *, connections: int = 10) -> AsyncIterator[Pool]:
        """Connections to a fresh database."""
        async with self.database() as url, new_pool(url, connections=connections) as pool:
            yield pool

    @asynccontextmanager
    async def server(self, module: str, *arguments: str) -> AsyncIterator[Server]:
        """`python -m module PORT arguments…`, ready when its port answers; ended by its pid."""
        port = free_port()
        with (self.folder / f"{module}.log").open("ab") as log:
            process = await start(module, str(port), *arguments, stderr=log)
        try:
            await _answers(port)
            yield Server(process, port)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def worker(self, module: str, *arguments: str) -> dict[str, Any]:
        """What `python -m module arguments…` prints as its last line, read as JSON."""
        process = await start(module, *arguments, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{module} ended with {process.returncode}")
        answer: dict[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
        return answer


async def start(
    module: str, *arguments: str, stdout: int | None = None, stderr: IO[bytes] | None = None
) -> asyncio.subprocess.Process:
    """A Python process of ours."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=_PROJECT, stdout=stdout, stderr=stderr
    )


async def _answers(port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
