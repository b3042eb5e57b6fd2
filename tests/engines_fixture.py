"""Real Redis and PostgreSQL for tests: one pair of servers per worker, something fresh per test."""

import itertools
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from launcher.binaries import postgres_server
from launcher.engines import Engines
from launcher.settings import LauncherSettings

_databases = itertools.cycle(range(1, 64))  # 0 is left to those who use the engines directly


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Both servers (ELDOLEADO_REDIS_SERVER and ELDOLEADO_PG_BIN choose others); leave them running."""
    chosen = LauncherSettings()
    folder = tmp_path_factory.mktemp("engines")
    servers = Engines(folder, redis_binary=chosen.redis_server, pg_bin=chosen.pg_bin)
    servers.start()
    yield servers
    servers.discard()


@pytest.fixture
def redis_url(engines: Engines) -> str:
    """An empty logical database."""
    return empty_redis(engines)


def empty_redis(engines: Engines) -> str:
    """The address of the next logical database, emptied; it comes round again after 63 others."""
    url = f"{engines.redis_url.removesuffix('/0')}/{next(_databases)}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@contextmanager
def database(engines: Engines, *, like: str = "template1") -> Iterator[str]:
    """A copy of the database `like`, an empty one by default, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    _sql(engines, f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
    yield _url(engines, name)
    _sql(engines, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def migrated(engines: Engines) -> str:
    """The name of a database with our schema and no rows: a copy of it is made faster than the schema."""
    name = f"migrated_{uuid.uuid4().hex}"
    _sql(engines, f'CREATE DATABASE "{name}"')
    environment = {**os.environ, "DATABASE_URL": _url(engines, name)}
    command = [sys.executable, "-m", "orchestrator.store.migrate"]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return name


@pytest.fixture
def database_url(engines: Engines, migrated: str) -> Iterator[str]:
    """A database with our schema and no rows, dropped afterwards."""
    with database(engines, like=migrated) as url:
        yield url


@pytest.fixture
def empty_database_url(engines: Engines) -> Iterator[str]:
    """A database without a schema, dropped afterwards."""
    with database(engines) as url:
        yield url


def _url(engines: Engines, name: str) -> str:
    return engines.database_url.replace("/postgres?", f"/{name}?")


def _sql(engines: Engines, statement: str) -> None:
    psql = postgres_server().with_name("psql")
    subprocess.run([psql, "-qX", "-c", statement, engines.database_url], check=True, capture_output=True)
