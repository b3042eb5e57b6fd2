"""The content store in a folder of this machine (or a volume that all replicas share)."""

import asyncio
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageDown
from orchestrator.content_store import ContentKey, path_of


class FolderStore:
    """A file appears whole or not at all: written aside, synced, renamed. The folder is made when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: ContentKey, content: bytes) -> None:
        """Keep the bytes."""
        await asyncio.to_thread(self._put, self._folder / path_of(key), content)

    async def get(self, key: ContentKey) -> bytes | None:
        """The bytes, or None."""
        return await asyncio.to_thread(self._get, self._folder / path_of(key))

    async def delete(self, keys: Iterable[ContentKey]) -> None:
        """Remove the bytes, and what a crash left of writing them."""
        await asyncio.to_thread(self._delete, [self._folder / path_of(key) for key in keys])

    def _put(self, path: Path, content: bytes) -> None:
        with _storage_errors():
            if path.is_file() and path.stat().st_size == len(content):
                return
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
            try:
                _write_synced(aside, content)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent, self._folder):
                _sync_folder(folder)

    def _get(self, path: Path) -> bytes | None:
        with _storage_errors():
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def _delete(self, paths: list[Path]) -> None:
        with _storage_errors():
            for path in paths:
                for one in (path, *path.parent.glob(f"{path.name}.*.part")):
                    one.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageDown(f"The content store's folder fails: {error.strerror}.") from error
