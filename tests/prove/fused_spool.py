"""The spool with a fuse around each of its writes and reads."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from core.errors import StorageDown
from core.spool import Row, Spool
from tests.prove.fuse import Fuse


class FusedSpool(Spool):
    """As the product's; a process that dies leaves the file as the disk has it.

    Nothing is read from it before `redis_is_back`: how often a drain tries in vain is a matter of real time.
    """

    def __init__(self, path: Path, fuse: Fuse, redis_is_back: asyncio.Event) -> None:
        super().__init__(path)
        self._fuse = fuse
        self._redis_is_back = redis_is_back

    async def append(self, contents: Sequence[str]) -> None:
        """As the spool does."""
        keep = super().append
        await self._fuse.around("spool append", lambda: keep(contents), lost=_full())

    async def head(self, limit: int, characters: int) -> list[Row]:
        """As the spool does."""
        await self._redis_is_back.wait()
        read = super().head
        return await self._fuse.around("spool head", lambda: read(limit, characters), lost=_full())

    async def drop(self, last_id: int) -> None:
        """As the spool does."""
        forget = super().drop
        await self._fuse.around("spool drop", lambda: forget(last_id), lost=_full())


def _full() -> Exception:
    return StorageDown("The disk is full.")
