"""The courier of this vendor: takes any success as success, and does things later."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from sandbox.courier import Courier, Judge, Policy, Push
from sandbox.faults import Faults
from sandbox.vendor import Bench

log = logging.getLogger("sandbox.whatsapp")


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many given-up webhooks in a row an URL is switched off (0: never), and how."""

    off_after: int
    switch_off: Callable[[str], None]


class AnySuccess(Judge):
    """Every 2xx is the success that §6.1 asks for; whether failures switch the URL off is unknown (§11.2)."""

    def __init__(self, attempts: int, patience: Patience) -> None:
        self._attempts = attempts
        self._patience = patience
        self._failures: Counter[str] = Counter()
        self._given_up: Counter[str] = Counter()

    def takes(self, push: Push, answer: httpx.Response | None) -> bool:
        if answer is not None and answer.is_success:
            del self._failures[push.id], self._given_up[push.url]
            return True
        self._failures[push.id] += 1
        if self._failures[push.id] == self._attempts:
            self._give_up(push)
        return False

    def _give_up(self, push: Push) -> None:
        del self._failures[push.id]
        self._given_up[push.url] += 1
        if self._given_up[push.url] == self._patience.off_after:
            del self._given_up[push.url]
            self._patience.switch_off(push.url)


class Postman(Courier):
    """A courier with an alarm clock for statuses, queued sends and restarts; both run while `run` runs."""

    def __init__(
        self, bench: Bench, policy: Policy, faults: Callable[[], Faults], patience: Patience
    ) -> None:
        judge = AnySuccess(1 + len(policy.retries), patience)
        super().__init__(bench.http, bench.timing, policy, faults, judge)
        self._clock = bench.timing
        self._asked: asyncio.Queue[tuple[float, Callable[[], None]]] = asyncio.Queue()
        self._alarms: set[asyncio.Task[None]] = set()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do it after so many seconds, or at once."""
        if seconds <= 0:
            action()
        else:
            self._asked.put_nowait((self._clock.now() + seconds, action))

    def forget(self) -> None:
        super().forget()
        while not self._asked.empty():
            self._asked.get_nowait()
        for alarm in self._alarms:
            alarm.cancel()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            while True:
                moment, action = await self._asked.get()
                alarm = tasks.create_task(self._ring(moment, action))
                self._alarms.add(alarm)
                alarm.add_done_callback(self._alarms.discard)

    async def _ring(self, moment: float, action: Callable[[], None]) -> None:
        await self._clock.sleep(max(moment - self._clock.now(), 0))
        try:
            action()
        except Exception:
            log.exception("something that was planned did not happen")
