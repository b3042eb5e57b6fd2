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


class Courier:
    """Owns the deliveries of one vendor while `run` runs."""

    def __init__(
        self, http: httpx.AsyncClient, timing: Timing, policy: Policy, faults: Callable[[], Faults]
    ) -> None:
        self._http = http
        self._timing = timing
        self._policy = policy
        self._faults = faults
        self._waiting: asyncio.Queue[Push] = asyncio.Queue()
        self._lanes: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: dict[tuple[str, str], asyncio.Event] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._log: deque[Attempt] = deque(maxlen=2000)

    def log(self) -> list[dict[str, Any]]:
        return [asdict(attempt) for attempt in self._log]

    def send(self, push: Push) -> None:
        """Take a push; `silent_webhook` loses it, `duplicate` takes it several times."""
        faults = self._faults()
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
            if self._faults().delay:
                await self._timing.sleep(self._faults().delay)
            if self._faults().reorder:
                await self._swap_with_the_next(push)
            else:
                await self._in_turn(push)
        except Exception:
            log.exception("a webhook was not delivered")

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
            for attempt, pause in enumerate((0.0, *self._policy.retries), start=1):
                if pause:
                    await self._timing.sleep(pause)
                if await self._attempt(push, attempt):
                    return

    async def _attempt(self, push: Push, attempt: int) -> bool:
        try:
            async with asyncio.timeout(self._policy.timeout):
                answer = await self._http.post(push.url, content=push.body, headers=dict(push.headers))
        except TimeoutError:
            self._note(push, attempt, None, f"no answer within {self._policy.timeout:g} s")
            return False
        except httpx.HTTPError as error:
            self._note(push, attempt, None, f"{type(error).__name__}: {error}")
            return False
        self._note(push, attempt, answer.status_code, None)
        return answer.status_code == 200

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
