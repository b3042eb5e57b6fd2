"""One launcher per state folder."""

import fcntl
import os
from pathlib import Path

from launcher.errors import LauncherError


class StateLock:
    """Held by the kernel for as long as we live, so that a crash leaves no stale lock."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._file: int | None = None

    def acquire(self) -> None:
        lock = os.open(self._state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise LauncherError(
                f"Already running on {self._state}: stop it first, or set ELDOLEADO_STATE to another folder."
            ) from error
        self._file = lock

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
