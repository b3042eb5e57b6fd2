"""Where events wait while Redis is away: a SQLite file; an append is on the disk when it returns."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from core.errors import StorageDown

T = TypeVar("T")

_PAGE_BYTES = 4096
_SET_UP = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS waiting (id INTEGER PRIMARY KEY, content TEXT NOT NULL);
"""


class Row(NamedTuple):
    """One spooled text; ids grow in the order of arrival."""

    id: int
    content: str


class Spool:
    """First in, first out; survives a restart. For one process at a time; works in a thread of its own."""

    def __init__(self, path: Path, *, max_bytes: int = 1 << 30) -> None:
        self._path = path
        self._max_pages = max(16, max_bytes // _PAGE_BYTES)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._connection: sqlite3.Connection | None = None
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many rows lie in the spool."""
        return self._waiting

    async def open(self) -> None:
        """Open or create the file; StorageDown says what is wrong with it."""
        await self._run(self._open)

    async def append(self, contents: Sequence[str]) -> None:
        """Keep them in order, all or none, with one fsync; StorageDown when the disk does not take them."""
        await self._run(lambda: self._append(contents))

    async def head(self, limit: int, characters: int) -> list[Row]:
        """The oldest rows, as many as fit; one at least, where there is one."""
        return await self._run(lambda: self._head(limit, characters))

    async def drop(self, last_id: int) -> None:
        """Forget the rows up to and including this one."""
        await self._run(lambda: self._drop(last_id))

    async def close(self) -> None:
        """Close the file; what waits in it stays."""
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        with self._disk_errors():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=1.0)
            self._connection.executescript(_SET_UP)
            self._connection.execute(f"PRAGMA max_page_count = {self._max_pages}")
            self._waiting = self._connection.execute("SELECT count(*) FROM waiting").fetchone()[0]

    def _append(self, contents: Sequence[str]) -> None:
        with self._disk_errors(), self._opened as connection:
            rows = [(content,) for content in contents]
            connection.executemany("INSERT INTO waiting (content) VALUES (?)", rows)
        self._waiting += len(contents)

    def _head(self, limit: int, characters: int) -> list[Row]:
        query = "SELECT id, content FROM waiting ORDER BY id LIMIT ?"
        rows: list[Row] = []
        with self._disk_errors():
            for row in map(Row._make, self._opened.execute(query, (limit,))):
                characters -= len(row.content)
                if rows and characters < 0:
                    break
                rows.append(row)
        return rows

    def _drop(self, last_id: int) -> None:
        with self._disk_errors(), self._opened as connection:
            dropped = connection.execute("DELETE FROM waiting WHERE id <= ?", (last_id,)).rowcount
        self._waiting -= dropped

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StorageDown("The spool is not open.")
        return self._connection

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = " Give each process a SPOOL_DIR of its own." if "locked" in str(error) else ""
            raise StorageDown(f"The spool {self._path} cannot be used: {error}.{hint}") from error
