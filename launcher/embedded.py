"""The engines of a run: those that the caller did not bring."""

from collections.abc import Mapping
from pathlib import Path

from launcher.addresses import Addresses
from launcher.binaries import postgres_server, redis_server
from launcher.postgres_engine import PostgresEngine
from launcher.redis_engine import RedisEngine
from launcher.settings import LauncherSettings

Engine = RedisEngine | PostgresEngine


def missing_engines(settings: LauncherSettings, where: Addresses, environ: Mapping[str, str]) -> list[Engine]:
    """Not started yet; a server that is not needed is not looked for."""
    engines: list[Engine] = []
    if "REDIS_URL" not in environ:
        engines.append(RedisEngine(_folder(settings), redis_server(settings.redis_server), where.redis))
    if "DATABASE_URL" not in environ:
        engines.append(PostgresEngine(_folder(settings), postgres_server(settings.pg_bin), where.postgres))
    return engines


def engine_urls(engines: list[Engine], environ: Mapping[str, str]) -> dict[str, str]:
    """REDIS_URL and DATABASE_URL, the caller's or the embedded ones."""
    brought = {name: environ[name] for name in ("REDIS_URL", "DATABASE_URL") if name in environ}
    return brought | {engine.variable: engine.url for engine in engines}


def _folder(settings: LauncherSettings) -> Path:
    return settings.state.resolve()
