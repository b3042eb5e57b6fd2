"""How far a long call is, told to a caller who asked to hear of it; nobody asked: nothing is told.

MCP: a client that gives a `progressToken` gets `notifications/progress` (specification, basic/utilities).
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: So much of so much is done, and in words.
Told = Callable[[float, float | None, str | None], Awaitable[None]]

_told: ContextVar[Told | None] = ContextVar("progress", default=None)


@contextmanager
def progress_to(told: Told) -> Iterator[None]:
    """Whoever works inside tells its progress to `told`."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


async def tell_progress(done: int, total: int, words: str = "") -> None:
    """Tell that `done` of `total` is done."""
    if told := _told.get():
        await told(done, total, words or None)
