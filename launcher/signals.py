"""Ctrl-C and its relatives, turned into an orderly end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked us to stop."""


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal raises Interrupted here; later ones do not disturb the stopping."""
    before = {name: signal.signal(name, _raise_once) for name in _ENDINGS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _raise_once(number: int, frame: FrameType | None) -> None:
    for name in _ENDINGS:
        signal.signal(name, signal.SIG_IGN)
    raise Interrupted
