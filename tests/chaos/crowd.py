"""Customers, agents and weather, in a thread of their own: the main thread kills and starts."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import httpx

from tests.chaos.agents import working
from tests.chaos.customers import Customers
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Plan
from tests.chaos.weather import Weather
from tests.system import System

_PATIENCE = httpx.Timeout(20, pool=None)
#: A question to each of the messengers, s: longer than all of them may take.
_ASKED_WITHIN = 180.0
#: Shorter than the services keep an idle line open (5 s): none is used at the moment when it is closed.
#: Few are kept: each request looks at all that are idle, and with 60 of them that took most of a core.
_CONNECTIONS = httpx.Limits(max_connections=60, max_keepalive_connections=8, keepalive_expiry=2)


class Crowd:
    """`start` it, wait until `done_writing`, `calm` the weather, then `leave`."""

    def __init__(self, system: System, plan: Plan, ledger: Ledger) -> None:
        self._system = system
        self._plan = plan
        self._ledger = ledger
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._background: list[Future[None]] = []
        self._writing: Future[None] | None = None

    def start(self) -> None:
        """Everybody begins."""
        self._thread.start()
        self._run(self._open())
        system, plan = self._system, self._plan
        self._writing = self._spawn(self._customers.write())
        self._background = [
            self._spawn(self._customers.keep_noting_what_was_accepted()),
            self._spawn(working(system, self._http, count=plan.agents, seed=plan.seed)),
        ]
        self._raging = self._spawn(self.weather.rage())

    @property
    def done_writing(self) -> bool:
        """Whether all is written; raises what stopped it."""
        if self._writing is None or not self._writing.done():
            return False
        self._writing.result()
        return True

    def calm(self) -> None:
        """The messengers behave again."""
        self._raging.cancel()
        self._run(self.weather.calm())

    def count(self, tell: Callable[[str], object]) -> None:
        """Enter what was accepted and what is seen; `tell` hears of every messenger."""
        self._run(self._customers.note_accepted())
        self._run(self._customers.note_seen(tell), within=self._plan.counted_within)

    def leave(self) -> None:
        """Everybody stops."""
        for task in self._background:
            task.cancel()
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        self._http = httpx.AsyncClient(timeout=_PATIENCE, limits=_CONNECTIONS, trust_env=False)
        self._customers = Customers(self._system, self._plan, self._ledger, self._http)
        self.weather = Weather(self._system, self._http, self._plan.seed)

    async def _close(self) -> None:
        await asyncio.sleep(0)
        await self._http.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _run(self, work: Coroutine[Any, Any, None], *, within: float = _ASKED_WITHIN) -> None:
        self._spawn(work).result(within)
