"""Bring the database to this program's schema: `python -m orchestrator.store.migrate`.

The files migrations/NNNN_name.sql run in order, each in its own transaction together with its row in
`schema_migrations`. Any number of programs may start at once: one applies, the others wait and find nothing
to do. An applied file never changes; a mend is a new file.
"""

import asyncio
import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from core.settings import load_one
from orchestrator.store.errors import MigrationError
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql
from orchestrator.store.settings import DatabaseSettings

#: Any number that no other program's advisory lock uses.
_LOCK = 7_311_205_508_780
_FILE_NAME = re.compile(r"^(\d{4})_\w+\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; `checksum` does not mind the line ends of the checkout."""

    name: str
    text: str

    @property
    def number(self) -> int:
        return int(self.name[:4])

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


def bundled() -> list[Migration]:
    """The migrations of this program, in order."""
    folder = files("orchestrator.store").joinpath("migrations")
    return sorted(
        (
            Migration(file.name, file.read_text(encoding="utf-8"))
            for file in folder.iterdir()
            if _FILE_NAME.match(file.name)
        ),
        key=lambda migration: migration.name,
    )


async def migrate(
    connection: Connection, migrations: Sequence[Migration], report: Callable[[str], object]
) -> None:
    """Apply what is missing; `report` hears the name of each applied file. Raises MigrationError."""
    _refuse_double_numbers(migrations)
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(sql("create_schema_migrations"))
        applied = {row["name"]: row["checksum"] for row in await connection.fetch(sql("applied_migrations"))}
        _refuse_surprises(applied, migrations)
        for migration in migrations:
            if migration.name not in applied:
                await _apply(connection, migration)
                report(migration.name)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _apply(connection: Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.text)
            await connection.execute(sql("record_migration"), migration.name, migration.checksum)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed and was rolled back: {error}") from error


def _refuse_double_numbers(migrations: Sequence[Migration]) -> None:
    names = {migration.number: migration.name for migration in migrations}
    for migration in migrations:
        if names[migration.number] != migration.name:
            raise MigrationError(
                f"{migration.name} and {names[migration.number]} have one number; rename one."
            )


def _refuse_surprises(applied: dict[str, str], migrations: Sequence[Migration]) -> None:
    known = {migration.name: migration.checksum for migration in migrations}
    for name, checksum in applied.items():
        if name not in known:
            raise MigrationError(f"The database has {name}, which this program lacks: start a newer version.")
        if known[name] != checksum:
            raise MigrationError(f"{name} was changed after it had been applied: restore it, add a new file.")


async def _main() -> None:
    settings = load_one(DatabaseSettings)
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        await migrate(connection, bundled(), lambda name: sys.stdout.write(f"applied {name}\n"))
    finally:
        await connection.close()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except (MigrationError, asyncpg.PostgresError, OSError) as error:
        sys.stderr.write(f"Migrations did not run: {error}\n")
        raise SystemExit(1) from None
