"""The loop that leases due chats and works on a bounded number of them at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from redis.exceptions import RedisError

from core.alarm import Alarm, Outage
from core.chats import Chats, Lease
from core.clock import Clock

log = structlog.get_logger()

Work = Callable[[Lease], Awaitable[None]]

FIRST_RETRY_MS = 1000
LONGEST_RETRY_MS = 60_000
FAILURES_IN_MEMORY = 10_000


class Dispatcher:
    """Runs `work(lease)`, which acknowledges the lease itself, for at most `workers` chats at a time.

    It sleeps until the earliest deadline, a free slot or `notify`; `sweep` (seconds) bounds how late it
    sees a deadline that another process made. A chat whose work raises is retried with growing delays.
    """

    def __init__(
        self,
        chats: Chats[Any],
        work: Work,
        *,
        clock: Clock,
        workers: int = 10,
        sweep: float = 1.0,
        grace: float = 20.0,
    ) -> None:
        self._chats = chats
        self._work = work
        self._clock = clock
        self._workers = workers
        self._sweep_ms = round(sweep * 1000)
        self._grace = grace
        self._alarm = Alarm(clock)
        self._outage = Outage("dispatcher")
        self._running: set[asyncio.Task[None]] = set()
        self._failures: OrderedDict[str, int] = OrderedDict()
        self._stopping = False

    def notify(self, next_due: int | None) -> None:
        """A chat is due then (Unix ms); None means that nothing is known."""
        if next_due is not None:
            self._alarm.set(next_due)

    def stop(self) -> None:
        """Take no more chats; `run` returns when the running work has ended, or after `grace` seconds."""
        self._stopping = True
        self._alarm.ring()

    @property
    def in_work(self) -> int:
        """How many chats are being worked on."""
        return len(self._running)

    async def run(self) -> None:
        """Serve until `stop`, or until cancelled: then running work is cancelled and its chats given back."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                await self._round(group)
            await self._let_finish()

    async def _round(self, group: asyncio.TaskGroup) -> None:
        self._alarm.reset()
        pause = await self._outage.survive(partial(self._fill, group))
        if self._stopping:
            return
        if pause:
            self._alarm.reset()
            self._alarm.set(self._clock.now_ms() + pause)
        await self._alarm.rest()

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        """Give every free slot a due chat, and set the alarm for the next one."""
        free = self._workers - len(self._running)
        if free <= 0:
            return  # a slot that gets free rings
        taken = await self._chats.take(self._clock.now_ms(), free)
        for lease in taken.leases:
            self._start(group, lease)
        if len(self._running) < self._workers:
            self._alarm.set(self._clock.now_ms() + self._sweep_ms)
            self.notify(taken.next_due)

    def _start(self, group: asyncio.TaskGroup, lease: Lease) -> None:
        task = group.create_task(self._serve(lease))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._alarm.ring()

    async def _serve(self, lease: Lease) -> None:
        try:
            await self._work(lease)
        except asyncio.CancelledError:
            await self._give_back(lease, delay_ms=0)
            raise
        except Exception:  # the top of a unit of work
            failures = self._count_failure(lease.member)
            log.exception("chat_work_failed", chat=lease.member, failures=failures)
            delay = min(FIRST_RETRY_MS << min(failures - 1, 10), LONGEST_RETRY_MS)
            await self._give_back(lease, delay_ms=delay)
        else:
            self._failures.pop(lease.member, None)

    def _count_failure(self, member: str) -> int:
        """How often the chat has failed in a row; of too many chats the oldest count is forgotten."""
        failures = self._failures.pop(member, 0) + 1
        self._failures[member] = failures
        if len(self._failures) > FAILURES_IN_MEMORY:
            self._failures.popitem(last=False)
        return failures

    async def _give_back(self, lease: Lease, *, delay_ms: int) -> None:
        now = self._clock.now_ms()
        try:
            await self._chats.retry(lease, now, due_at=now + delay_ms)
        except (RedisError, OSError) as error:
            log.warning("chat_waits_for_lease_end", chat=lease.member, error=type(error).__name__)
        except Exception:  # one chat's trouble must not end the loop of all
            log.exception("chat_waits_for_lease_end", chat=lease.member)

    async def _let_finish(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=self._grace)
        for task in self._running:
            task.cancel()
