"""Waiting: until a time that others may bring forward."""

import asyncio
import time

from core.alarm import Alarm
from core.clock import SystemClock


class ListedClock:
    """A clock that jumps to the end of every wait, and lists the waits."""

    def __init__(self) -> None:
        self.now = 1000
        self.waits: list[int] = []

    def now_ms(self) -> int:
        return self.now

    async def wait(self, event: asyncio.Event, until_ms: int) -> None:
        self.waits.append(until_ms)
        if not event.is_set():
            self.now = until_ms


async def test_the_earliest_time_rings() -> None:
    clock = ListedClock()
    alarm = Alarm(clock)
    for at in (5000, 3000, 9000):
        alarm.set(at)
    await alarm.rest()
    assert clock.waits == [3000]


async def test_a_ring_before_the_rest_is_not_lost() -> None:
    clock = ListedClock()
    alarm = Alarm(clock)
    alarm.ring()
    await alarm.rest()
    assert clock.waits == []


async def test_a_reset_forgets_earlier_times() -> None:
    clock = ListedClock()
    alarm = Alarm(clock)
    alarm.set(2000)
    alarm.reset()
    alarm.set(7000)
    await alarm.rest()
    assert clock.now == 7000


async def test_an_alarm_set_to_the_past_rings_at_once() -> None:
    clock = ListedClock()
    alarm = Alarm(clock)
    alarm.set(10)
    await alarm.rest()
    assert clock.waits == []


async def test_an_earlier_time_wakes_the_sleeper() -> None:
    alarm = Alarm(SystemClock())
    alarm.set(SystemClock().now_ms() + 3_600_000)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(alarm.rest())
        await asyncio.sleep(0)
        alarm.set(SystemClock().now_ms())


async def test_the_system_clock_waits_for_the_time_or_the_event() -> None:
    clock, event = SystemClock(), asyncio.Event()
    until = clock.now_ms() + 5
    await clock.wait(event, until)
    assert time.time() * 1000 >= until - 2
    event.set()
    async with asyncio.timeout(10):
        await clock.wait(event, until + 3_600_000)
    await clock.wait(asyncio.Event(), until - 3_600_000)
