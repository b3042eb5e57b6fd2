"""Bounded waiting for what only the operating system can tell."""

import time
from collections.abc import Callable


def eventually(true: Callable[[], bool], within: float = 30) -> bool:
    deadline = time.monotonic() + within
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()
