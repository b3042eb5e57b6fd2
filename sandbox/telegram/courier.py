"""Telegram's own delivery (contract §2.2): per chat in order, retried for as long as an update lives."""

import asyncio
import itertools
import json
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import httpx

from sandbox.courier import HELD_AT_MOST, LOOK, Courier, Policy, Push
from sandbox.faults import Switchboard
from sandbox.telegram.faults import TelegramFaults
from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.updates import Update, Updates
from sandbox.timing import Timing

log = logging.getLogger("sandbox.telegram.courier")
GONE_FOR = 23 * 3600
LONGEST_RETRY_AFTER = 3600.0
CAP = (60.0, 120.0)


@dataclass(slots=True)
class Hook:
    """The webhook as set; no url, no webhook."""

    url: str = ""
    secret: str = ""
    ip: str = ""
    most_connections: int = 40
    has_certificate: bool = False
    last_error_at: float = 0.0
    last_error: str = ""
    gone_since: float | None = None

    def failed(self, words: str, now: float) -> None:
        self.last_error, self.last_error_at = words, now


class Deliveries(Courier):
    """One worker per chat, `most_connections` of them at most; `replies` takes the answers that were 2xx."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        timing: Timing,
        switches: Switchboard[TelegramFaults],
        settings: TelegramSandboxSettings,
        updates: Updates,
    ) -> None:
        super().__init__(http, timing, Policy(settings.read_timeout, ()), lambda: switches.now)
        self._switches = switches
        self._settings = settings
        self._updates = updates
        self._work = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._chance = random.SystemRandom()
        self.hook = Hook()
        self.replies: Callable[[httpx.Response], Awaitable[None]] | None = None
        updates.listen(self._take)

    def set_hook(self, hook: Hook) -> None:
        """Send to another place from now on, what is under way included."""
        self.hook = hook
        self._stop()
        self._work.set()

    def look_again(self) -> None:
        self._work.set()

    def forget(self) -> None:
        super().forget()
        self._stop()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as workers:
            while True:
                await self._work.wait()
                self._work.clear()
                for lane in self._idle_lanes():
                    self._busy[lane] = task = workers.create_task(self._serve(lane))
                    task.add_done_callback(partial(self._freed, lane))

    def _stop(self) -> None:
        for task in self._busy.values():
            task.cancel()
        self._busy.clear()

    def _take(self, update: Update) -> None:
        """A new update; a silent webhook loses it for good, since Telegram has no history."""
        if self.hook.url and self._switches.now.silent_webhook:
            self._note(self._push(update), 0, None, "dropped by silent_webhook")
            self._updates.remove(update)
        self._work.set()

    def _idle_lanes(self) -> list[str]:
        """Chats with something to deliver; a revoked token delivers nothing (our reading)."""
        if not self.hook.url or self._switches.now.expired_token:
            return []
        waiting = dict.fromkeys(update.lane for update in self._updates.pending())
        free = [lane for lane in waiting if lane not in self._busy]
        return free[: max(self.hook.most_connections - len(self._busy), 0)]

    def _freed(self, lane: str, done: asyncio.Task[None]) -> None:
        if self._busy.get(lane) is done:
            del self._busy[lane]
            self._work.set()

    async def _serve(self, lane: str) -> None:
        """Deliver what the chat has, then end."""
        passed: set[int] = set()
        album: str | None = None
        try:
            while update := await self._choose(lane, passed):
                if self._switches.now.delay:
                    await self._timing.sleep(self._switches.now.delay)
                while self._switches.now.hold:
                    await self._timing.sleep(LOOK)
                if update.album and update.album == album:
                    await self._timing.sleep(self._chance.uniform(0, self._settings.album_spread))
                album = update.album
                await self._deliver_until_taken(update)
                self._updates.remove(update)
        except Exception:
            log.exception("an update was not delivered")

    async def _choose(self, lane: str, passed: set[int]) -> Update | None:
        """The oldest of the chat; `reorder` lets the next one pass it, if one comes in time."""
        waiting = self._updates.of_lane(lane)
        if not waiting or self._switches.now.expired_token:
            return None
        if not self._switches.now.reorder or waiting[0].id in passed:
            return waiting[0]
        if len(waiting) == 1:
            await self._timing.sleep(HELD_AT_MOST)
            waiting = self._updates.of_lane(lane)
        if len(waiting) > 1:
            passed.add(waiting[0].id)
        return waiting[min(1, len(waiting) - 1)] if waiting else None

    async def _deliver_until_taken(self, update: Update) -> None:
        for attempt in itertools.count(1):
            answer = await self._post(update, attempt)
            if answer is not None and answer.is_success:
                break
            if pause := self._pause(attempt, answer):
                await self._timing.sleep(pause / self._settings.retry_speed)
            if not self._updates.holds(update):
                self._note(self._push(update), attempt, None, "given up: too old, or dropped")
                return
        for again in range(1, self._switches.now.duplicate):
            await self._post(update, attempt + again)
        if self.replies and answer is not None:
            await self.replies(answer)

    def _pause(self, attempt: int, answer: httpx.Response | None) -> float:
        """Nothing, then 2, 4, 8 ... up to a random minute or two; `Retry-After` replaces it."""
        told = answer.headers.get("retry-after", "") if answer is not None else ""
        if told.isdecimal():
            return min(float(told[:9]), LONGEST_RETRY_AFTER)
        if attempt == 1:
            return 0.0
        return min(2.0 ** min(attempt - 1, 10), self._chance.uniform(*CAP))

    async def _post(self, update: Update, attempt: int) -> httpx.Response | None:
        """One attempt; None when no answer came."""
        push, timeout = self._push(update), self._settings.read_timeout
        try:
            async with asyncio.timeout(timeout):
                answer = await self._http.post(
                    push.url, content=push.body, headers=dict(push.headers), timeout=None
                )
        except TimeoutError:
            self._failed(push, attempt, "Read timeout expired")
            return None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            refused = isinstance(error, httpx.ConnectError)
            self._failed(push, attempt, "Connection refused" if refused else f"{error}" or "Closed")
            return None
        self._note(push, attempt, answer.status_code, None)
        if not answer.is_success:
            words = f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}"
            self.hook.failed(words, self._timing.now())
        self._watch_for_gone(answer.status_code)
        return answer

    def _failed(self, push: Push, attempt: int, words: str) -> None:
        self._note(push, attempt, None, words)
        self.hook.failed(words, self._timing.now())

    def _watch_for_gone(self, status: int) -> None:
        """410 for more than 23 hours removes the webhook."""
        if status != 410:
            self.hook.gone_since = None
        elif self.hook.gone_since is None:
            self.hook.gone_since = self._timing.now()
        elif self._timing.now() - self.hook.gone_since > GONE_FOR:
            self.set_hook(Hook())

    def _push(self, update: Update) -> Push:
        headers = {"content-type": "application/json", "accept-encoding": "gzip, deflate"}
        secret = {"right": self.hook.secret, "wrong": "wrong-secret", "absent": ""}[self._switches.now.secret]
        if secret:
            headers["x-telegram-bot-api-secret-token"] = secret
        return Push(
            id=str(update.id),
            url=self.hook.url,
            lane=update.lane,
            message_id=update.message_id,
            type=update.kind,
            body=json.dumps(update.view(), ensure_ascii=False).encode(),
            headers=headers,
        )
