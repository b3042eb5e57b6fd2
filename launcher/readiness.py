"""Waiting until a child answers, or saying why it does not."""

import time
from collections.abc import Callable

from launcher.child import Child
from launcher.errors import EngineError

_BETWEEN_LOOKS = 0.02


def wait_until(child: Child, ready: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not child.alive:
            raise EngineError(
                f"{child.name} ended at once; its last words in {child.log}:\n{child.last_words()}"
            )
        if ready():
            return
        time.sleep(_BETWEEN_LOOKS)
    raise EngineError(f"{child.name} did not answer within {timeout:.0f} s: see {child.log}.")
