"""Time as an argument: what the clock says, and how to wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


_SINCE = 1_767_225_600  # 2026


def ids_from(clock: Clock) -> int:
    """Where numbers of messages begin that must not come again after a restart: the vendors' never do."""
    return max(0, int(clock()) - _SINCE)


@dataclass(frozen=True, slots=True)
class Timing:
    """`now()` in epoch seconds; `sleep(seconds)` of the same clock."""

    now: Clock = time.time
    sleep: Sleep = asyncio.sleep
