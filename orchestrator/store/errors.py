"""What can go wrong in the store, by meaning.

StoreError
├── Unstorable        PostgreSQL can never hold this; repeating does not help
├── MergeRefused      two clients cannot be merged or separated now; the text says why
├── Erased            it was of a client who has been erased: it is not taken in again
├── WrongClient       a way was found for somebody who is not the client by now; look for it again
└── MigrationError    the schema is not what this program expects; the text says what to do

Everything else (a lost connection, a deadlock, a server that restarts) stays asyncpg's own error: the same
call may be repeated. What the hub's callers are told of it stands in orchestrator/when_away.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


class StoreError(Exception):
    """The store refuses."""


class Unstorable(StoreError):
    """PostgreSQL can never hold this message; nothing of its batch was stored."""


class MergeRefused(StoreError):
    """Two clients cannot be merged or separated; nothing has changed. The text says why, for people."""


class Erased(StoreError):
    """What is asked for was of a client who has been erased."""


class WrongClient(StoreError):
    """Clients were merged or separated since the way was found; nothing was written."""


class MigrationError(StoreError):
    """The schema is not what this program expects."""


@contextmanager
def only_storable() -> Iterator[None]:
    """Tell what can never be stored from what failed this time."""
    try:
        yield
    except (
        asyncpg.DataError,
        asyncpg.CheckViolationError,
        asyncpg.NotNullViolationError,
        asyncpg.ProgramLimitExceededError,
        RecursionError,
        ValueError,
    ) as error:
        raise Unstorable(f"{type(error).__name__}: {error}") from error
