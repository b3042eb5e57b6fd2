"""Customers who write bursts on every messenger and fill forms, at an even pace."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable
from typing import Any

import httpx

from tests.chaos.ledger import Ledger
from tests.chaos.plan import MESSENGERS, Plan
from tests.system import System

#: Between two messages of a burst, s.
_GAPS = (0.0, 0.15)
#: How often the messengers' logs are read, s, and how far back: a log keeps 2,000 lines.
_LOOK_EVERY, _LOOK_BACK = 2.5, 500
#: Customers who write at the same time; when we are slow the storm lasts longer instead of piling up.
_AT_ONCE = 40
_PHONES_FROM = 79_000_000_000


class Customers:
    """Writes what the plan says and notes it in the ledger."""

    def __init__(self, system: System, plan: Plan, ledger: Ledger, http: httpx.AsyncClient) -> None:
        self._system = system
        self._plan = plan
        self._ledger = ledger
        self._http = http
        self._drawn = random.Random(plan.seed)  # noqa: S311  # a storm that can be repeated
        self._numbers = itertools.count()
        self._tokens: dict[tuple[str, str], str] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def write(self) -> None:
        """Until the plan's number is written; then every messenger has delivered, or given up."""
        loop = asyncio.get_running_loop()
        began, left = loop.time(), self._plan.messages
        async with asyncio.TaskGroup() as bursts:
            while left > 0:
                size = min(left, self._drawn.randint(1, 2 * self._plan.burst - 1))
                due = began + (self._plan.messages - left) / self._plan.per_second
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._places.acquire()
                bursts.create_task(self._burst(size)).add_done_callback(lambda _: self._places.release())
                left -= size

    async def keep_noting_what_was_accepted(self) -> None:
        """Until cancelled: which deliveries our webhooks answered 200."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                await self.note_accepted()
            await asyncio.sleep(_LOOK_EVERY)

    async def note_accepted(self, lines: int = _LOOK_BACK) -> None:
        """Look once at the end of every messenger's log of deliveries."""
        for messenger in MESSENGERS:
            log = await self._control("GET", f"{messenger}/deliveries?last={lines}")
            for attempt in log["deliveries"]:
                token = self._tokens.get((messenger, attempt["message_id"]))
                if token and attempt["status"] == 200:
                    self._ledger.told.add(token)

    async def note_seen(self, tell: Callable[[str], object]) -> None:
        """What every customer sees of us, by the tokens that our words quote."""
        writers = sorted(set(self._ledger.written.values()))
        for messenger in MESSENGERS:
            own = [writer for writer in writers if writer.startswith(f"{messenger}/")]
            for writer in own:
                await self._note_seen_by(messenger, writer.removeprefix(f"{messenger}/"))
            tell(f"counted {messenger}: {len(own)} customers; {self._ledger.seen.total()} answers so far")

    async def _note_seen_by(self, messenger: str, customer: str) -> None:
        shown = await self._control("GET", f"{messenger}/customers/{customer}/messages")
        said = [one["text"] for one in shown["messages"] if one["direction"] == "out"]
        self._ledger.seen.update(token for text in said for token in text.split() if token[0] == "#")

    async def _burst(self, size: int) -> None:
        if self._drawn.randrange(self._plan.forms) == 0:
            await asyncio.gather(*(self._form() for _ in range(size)))
            return
        messenger = self._drawn.choice(MESSENGERS)
        customer = f"{messenger}-{self._drawn.randrange(self._plan.customers)}"
        for _ in range(size):
            token = self._token(f"{messenger}/{customer}")
            path = f"{messenger}/customers/{customer}/messages"
            try:
                told = await self._control("POST", path, {"text": token})
            except httpx.TransportError:
                continue  # a customer without a network: nobody knows whether it was written
            for message_id in told["message_ids"]:
                self._tokens[messenger, str(message_id)] = token
            await asyncio.sleep(self._drawn.uniform(*_GAPS))

    async def _form(self) -> None:
        token = self._token("form/form")
        body = {
            "phone": f"+{_PHONES_FROM + int(token[1:])}",
            "name": "Ольга",
            "form_id": "callback",
            "message": token,
        }
        try:
            answer = await self._http.post(f"{self._system.url('form_api')}/api/submit", json=body)
        except httpx.HTTPError:
            return  # not told that it was accepted: nothing was promised
        if answer.status_code == 200:
            self._ledger.told.add(token)

    def _token(self, writer: str) -> str:
        token = f"#{next(self._numbers)}"
        self._ledger.written[token] = writer
        return token

    async def _control(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._system.url('sandbox')}/control/{path}"
        return (await self._http.request(method, url, json=body)).raise_for_status().json()
