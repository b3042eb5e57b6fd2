"""What callers are told while our own Redis or PostgreSQL is away: that, and not that the hub is broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import structlog
from pydantic import BaseModel

from core.echoes import storage_errors
from core.errors import StorageDown
from core.operations import Operation
from core.rehearsal import Rehearsal

log = structlog.get_logger()

#: Lost, refused, shutting down, or no place for one connection more; asyncpg lets OSError through.
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    OSError,
)


class DatabaseAway(StorageDown):
    """PostgreSQL cannot be reached, or was lost in the middle."""

    what_to_do = (
        "Repeat in a moment with the same idempotency_key; without one look first whether it was done."
    )


@contextmanager
def database_errors() -> Iterator[None]:
    """A PostgreSQL that does not answer becomes StorageDown."""
    try:
        yield
    except _AWAY as error:
        raise _away(error) from error
    except asyncpg.InterfaceError as error:
        if "clos" not in str(error):  # "is closed", "is closing"; all else is a mistake of ours
            raise
        raise _away(error) from error


def told_when_away(operation: Operation) -> Operation:
    """The same operation; its callers hear StorageDown instead of a failure without a meaning."""

    async def run(**given: Any) -> BaseModel:
        with storage_errors(), database_errors():
            return await operation.run(**given)

    rehearse = operation.rehearse
    made = operation.carried_out_by(run)
    if rehearse is None:
        return made

    async def rehearsed(**given: Any) -> Rehearsal:
        with storage_errors(), database_errors():
            return await rehearse(**given)

    return replace(made, rehearse=rehearsed)


def _away(error: Exception) -> DatabaseAway:
    log.warning("database_away", error=type(error).__name__)
    return DatabaseAway(f"PostgreSQL does not answer ({type(error).__name__}).")
