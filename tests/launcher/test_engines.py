"""The embedded engines: real servers, their data, and how they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from launcher.engines import Engines
from launcher.errors import EngineError, LauncherError, PortTaken
from launcher.ports import free_port, require_free
from tests.launcher.waiting import eventually


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def ours(state: Path) -> Iterator[Engines]:
    servers = Engines(state)
    yield servers.start()
    servers.discard()


async def remember(engines: Engines) -> None:
    with redis.Redis.from_url(engines.redis_url) as client:
        client.rpush("queue:incoming", "Здравствуйте")
    connection = await asyncpg.connect(engines.database_url)
    await connection.execute("CREATE TABLE kept AS SELECT 'Здравствуйте' AS text")
    await connection.close()


async def recall(engines: Engines) -> tuple[bytes, str]:
    with redis.Redis.from_url(engines.redis_url) as client:
        from_redis = client.lindex("queue:incoming", 0)
    connection = await asyncpg.connect(engines.database_url)
    from_postgres = await connection.fetchval("SELECT text FROM kept")
    await connection.close()
    return from_redis, from_postgres


async def test_a_second_start_finds_its_data(ours: Engines) -> None:
    await remember(ours)
    ours.stop()

    again = Engines(ours.state).start()
    remembered = await recall(again)
    again.stop()

    assert remembered == ("Здравствуйте".encode(), "Здравствуйте")


async def test_killed_engines_start_again_on_the_same_port_with_their_data(ours: Engines) -> None:
    await remember(ours)
    urls = ours.redis_url, ours.database_url

    for pid in ours.pids.values():
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not ours.pids)
    ours.start_redis()
    ours.start_postgres()

    assert (ours.redis_url, ours.database_url) == urls
    assert await recall(ours) == ("Здравствуйте".encode(), "Здравствуйте")


def test_two_at_once_on_one_folder_are_refused(ours: Engines) -> None:
    with pytest.raises(LauncherError, match=r"Already running on .*ELDOLEADO_STATE"):
        Engines(ours.state).start()


async def test_postgres_knows_russian_letters(ours: Engines) -> None:
    connection = await asyncpg.connect(ours.database_url)
    assert await connection.fetchval("SELECT lower('ЭКРАН') || ('Ёж' ILIKE 'ёЖ')") == "экранtrue"
    await connection.close()


SUPERVISOR = """
import pathlib, signal, sys
from launcher.engines import Engines
print(*Engines(pathlib.Path(sys.argv[1])).start().pids.values(), flush=True)
signal.pause()
"""


def test_a_killed_supervisor_leaves_no_orphans(state: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, state], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout
    engines = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()]
    supervisor.kill()
    supervisor.communicate()

    assert eventually(lambda: not any(map(psutil.Process.is_running, engines)))
    Engines(state).start().discard()  # and the folder is free again


def test_a_taken_port_is_named_with_the_mend(ours: Engines) -> None:
    with pytest.raises(PortTaken, match=f"Port {ours.redis.port}, meant for Redis, .* set SOME_PORT"):
        require_free(ours.redis.port, owner="Redis", variable="SOME_PORT", patience=0)


def test_a_wrong_override_is_named(state: Path) -> None:
    with pytest.raises(EngineError, match="ELDOLEADO_REDIS_SERVER leads to /nowhere"):
        Engines(state, redis_binary="/nowhere")


def test_a_server_that_ends_at_once_shows_its_last_words(state: Path, tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no memory left >&2\nexit 3\n")
    broken.chmod(0o755)

    with pytest.raises(EngineError, match="no memory left"):
        Engines(state, redis_binary=str(broken)).start()


def test_data_of_another_version_are_not_touched(ours: Engines) -> None:
    ours.stop()
    (ours.postgres.home.data / "PG_VERSION").write_text("9\n")

    with pytest.raises(EngineError, match="made by PostgreSQL 9"):
        Engines(ours.state, redis_port=free_port()).start()
