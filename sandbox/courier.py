"""Delivers webhooks: in order per chat, with a deadline, retries and the fault switches."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from sandbox.faults import Faults
from sandbox.timing import Timing

log = logging.getLogger("sandbox.courier")
HELD_AT_MOST = 2.0
#: Of one vendor. What waits for a connection must not use up the deadline: thousands that wait in the
#: client's pool, after an outage, would all end there and come again.
AT_ONCE = 20
#: How often is looked whether webhooks are still held back; seconds.
LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Push:
    """One webhook on its way to one URL; `lane` is the chat whose order is kept."""

    id: str
    url: str
    lane: str
    message_id: str
    type: str
    body: bytes
    headers: Mapping[str, str]
    handshake: bool = False  # no event: the fault switches leave it alone


@dataclass(frozen=True, slots=True)
class Attempt:
    """A line of the delivery log; `status` is null when no answer came, `error` says why."""

    id: str
    url: str
    chat_id: str
    message_id: str
    type: str
    attempt: int
    status: int | None
    error: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Policy:
    """200 within `timeout` seconds or it failed; `retries` are the pauses before the next attempts."""

    timeout: float = 2.0
    retries: tuple[float, ...] = (1.0, 5.0, 30.0)
    keeps_order: bool = True  # False: a push that failed lets the next ones of its chat pass


class Judge:
    """How a vendor reads what subscribers answer; vendors with other rules override it."""

    def wants(self, push: Push) -> bool:
        """Whether to (still) try."""
        return True

    def takes(self, push: Push, answer: httpx.Response | None) -> bool:
        """Whether this answer ends the deliveries of the push; None is no answer at all."""
        return answer is not None and answer.status_code == 200

    def headers(self, push: Push, attempt: int) -> Mapping[str, str]:
        """What this attempt is sent with."""
        return push.headers

    def pause(self, push: Push, planned: float) -> float:
        """How long to wait before the next attempt; asked after `takes` said no."""
        return planned


class Courier:
    """Owns the deliveries of one vendor while `run` runs."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        timing: Timing,
        policy: Policy,
        faults: Callable[[], Faults],
        judge: Judge | None = None,
    ) -> None:
        self._http = http
        self._timing = timing
        self._policy = policy
        self._faults = faults
        self._judge = judge or Judge()
        self._waiting: asyncio.Queue[Push] = asyncio.Queue()
        self._lanes: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: dict[tuple[str, str], asyncio.Event] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._connections = asyncio.Semaphore(AT_ONCE)
        self._log: deque[Attempt] = deque(maxlen=2000)

    def log(self, last: int = 0) -> list[dict[str, Any]]:
        """The attempts, oldest first; only so many of the newest unless 0."""
        return [asdict(attempt) for attempt in list(self._log)[-last:]]

    def send(self, push: Push) -> None:
        """Take a push; `silent_webhook` loses it, `duplicate` takes it several times."""
        faults = self._faults_for(push)
        if faults.silent_webhook:
            self._note(push, 0, None, "dropped by silent_webhook")
            return
        for _ in range(faults.duplicate):
            self._waiting.put_nowait(push)

    def forget(self) -> None:
        """Drop the log and everything that is still under way."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        for task in self._under_way:
            task.cancel()
        self._log.clear()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as deliveries:
            while True:
                push = await self._waiting.get()
                task = deliveries.create_task(self._deliver(push))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _deliver(self, push: Push) -> None:
        try:
            if self._faults_for(push).delay:
                await self._timing.sleep(self._faults_for(push).delay)
            if self._faults_for(push).reorder:
                await self._swap_with_the_next(push)
            else:
                await self._in_turn(push)
        except Exception:
            log.exception("a webhook was not delivered")

    def _faults_for(self, push: Push) -> Faults:
        return Faults() if push.handshake else self._faults()

    async def _swap_with_the_next(self, push: Push) -> None:
        """Hold a push until the next one of its chat has passed, or until the patience ends."""
        lane = (push.url, push.lane)
        if held := self._held.pop(lane, None):
            await self._in_turn(push)
            held.set()
            return
        self._held[lane] = passed = asyncio.Event()
        async with asyncio.TaskGroup() as either:
            patience = either.create_task(self._end_of_patience(passed))
            await passed.wait()
            patience.cancel()
        if self._held.get(lane) is passed:
            del self._held[lane]
        await self._in_turn(push)

    async def _end_of_patience(self, passed: asyncio.Event) -> None:
        await self._timing.sleep(HELD_AT_MOST)
        passed.set()

    async def _in_turn(self, push: Push) -> None:
        async with self._lanes[push.url, push.lane]:
            while self._faults_for(push).hold:
                await self._timing.sleep(LOOK)
            done = await self._attempt(push, 1)
            if not done and self._policy.keeps_order:
                await self._repeat(push)
        if not done and not self._policy.keeps_order:
            await self._repeat(push)

    async def _repeat(self, push: Push) -> None:
        for attempt, planned in enumerate(self._policy.retries, start=2):
            if pause := self._judge.pause(push, planned):
                await self._timing.sleep(pause)
            if await self._attempt(push, attempt):
                return

    async def _attempt(self, push: Push, attempt: int) -> bool:
        """Whether there is nothing more to do."""
        if not self._judge.wants(push):
            return True
        answer: httpx.Response | None = None
        headers = dict(self._judge.headers(push, attempt))
        try:
            async with self._connections, asyncio.timeout(self._policy.timeout):
                answer = await self._http.post(
                    push.url, content=push.body, headers=headers, timeout=self._policy.timeout
                )
            self._note(push, attempt, answer.status_code, None)
        except TimeoutError:
            self._note(push, attempt, None, f"no answer within {self._policy.timeout:g} s")
        except httpx.HTTPError as error:
            self._note(push, attempt, None, f"{type(error).__name__}: {error}")
        return self._judge.takes(push, answer)

    def _note(self, push: Push, attempt: int, status: int | None, error: str | None) -> None:
        self._log.append(
            Attempt(
                id=push.id,
                url=push.url,
                chat_id=push.lane,
                message_id=push.message_id,
                type=push.type,
                attempt=attempt,
                status=status,
                error=error,
                at=self._timing.now(),
            )
        )
