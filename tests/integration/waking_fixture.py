"""A hub whose agents are woken: turns, notifiers by a clock that the test holds, and a webhook in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from core.keys import Keys
from core.observability import Metrics
from core.resource_bus import ResourceBus
from orchestrator.agent_webhook import AgentWebhook, Target
from orchestrator.announcer import Announcer
from orchestrator.hub_inbox import InboxDesk
from orchestrator.notice_metrics import NoticeMetrics
from orchestrator.notifier import Notifier, Teller
from orchestrator.standard_webhooks import keys_of
from tests.integration.chats_fixture import SECOND
from tests.integration.test_hub import Agents, opened

STREAM = Keys().stream("turns")
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
URL = "https://agent.example/wake"

Answer = Callable[[httpx.Request], httpx.Response]


class Receiver:
    """The agent's side: remembers the calls and answers as it was told, 200 when nothing was said."""

    def __init__(self) -> None:
        self.calls: list[httpx.Request] = []
        self._answers: list[httpx.Response | Exception] = []

    def will(self, *answers: httpx.Response | Exception | int) -> None:
        self._answers += [httpx.Response(one) if isinstance(one, int) else one for one in answers]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        answer = self._answers.pop(0) if self._answers else httpx.Response(200)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def ids(self) -> list[str]:
        return [call.headers["webhook-id"] for call in self.calls]


class Wakes:
    """One replica that tells, or another one beside it."""

    def __init__(self, agents: Agents, *, draw: float = 0.5) -> None:
        self.agents = agents
        self.pool = agents.here.pool
        self.redis = agents.desk.line.redis
        self.clock = agents.desk.line.clock
        self.metrics = Metrics()
        self.figures = NoticeMetrics(self.metrics)
        self.bus = ResourceBus(self.redis, Keys().changes("hub"))
        self.target = Target(URL, keys_of(SECRET), 15.0)
        self.receiver = Receiver()
        self.desk = InboxDesk(agents.hub._turns._parts, self.target)
        self._draw = draw

    def announcer(self, *, length: int = 10_000) -> Notifier:
        teller = Announcer(self.pool, self.redis, STREAM, length=length, bus=self.bus, clock=self.clock)
        return self._notifier(teller)

    def webhook(self, receiver: Answer | None = None) -> Notifier:
        client = httpx.AsyncClient(transport=httpx.MockTransport(receiver or self.receiver))
        teller = AgentWebhook(
            self.pool,
            client,
            self.target,
            clock=self.clock,
            metrics=self.figures,
            draw=lambda: self._draw,
        )
        return self._notifier(teller)

    def _notifier(self, teller: Teller) -> Notifier:
        return Notifier(self.pool, teller, bell=self.agents.desk.bell, clock=self.clock)

    async def pass_time(self, seconds: float) -> None:
        await self.agents.desk.line.pass_time(round(seconds * SECOND))
        self.agents.here.now = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)

    async def customer(self, *chats: str) -> list[str]:
        """A customer writes in each of these chats; the ids of the turns that wait then."""
        self.agents.here.now = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        for chat in chats:
            await self.agents.customer("Здравствуйте, я Анна", chat=chat)
        rows = await self.agents.here.rows("SELECT id FROM turns ORDER BY id")
        return [str(number) for (number,) in rows][-len(chats) :]

    async def entries(self) -> list[dict[str, str]]:
        """What stands in the stream."""
        found: Any = await self.redis.xrange(STREAM)
        return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in found]

    async def told(self) -> list[str]:
        return [entry["turn_id"] for entry in await self.entries()]

    async def notices(self) -> list[tuple[Any, ...]]:
        """The way, the attempts and whether it is done, of each."""
        return await self.agents.here.rows(
            "SELECT way, attempts, done_at IS NOT NULL FROM turn_notices ORDER BY turn_id, way"
        )


@asynccontextmanager
async def waking(redis_url: str, database_url: str, **options: Any) -> AsyncIterator[Wakes]:
    async with opened(redis_url, database_url) as agents:
        yield Wakes(agents, **options)
