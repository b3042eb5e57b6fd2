"""Time as an argument: what the clock says, and how to wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timing:
    """`now()` in epoch seconds; `sleep(seconds)` of the same clock."""

    now: Clock = time.time
    sleep: Sleep = asyncio.sleep
