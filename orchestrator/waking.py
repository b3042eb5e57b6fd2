"""How agents are woken, put together: who tells of turns that wait, and who may read and watch them."""

from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from typing import Any

import asyncpg
from redis.asyncio import Redis
from starlette.routing import Route

from core.keys import Keys
from core.observability import Metrics
from core.operations import Operation
from core.resource_bus import ResourceBus
from core.resource_names import own_names
from core.resources import ResourceOf
from orchestrator.account_names import AccountNames
from orchestrator.agent_webhook import AgentWebhook, Target, webhook_client
from orchestrator.announcer import Announcer
from orchestrator.capability_watch import CapabilityWatch
from orchestrator.change_teller import ChangeTeller
from orchestrator.hub_inbox import InboxDesk
from orchestrator.hub_parts import HubParts
from orchestrator.notice_metrics import NoticeMetrics
from orchestrator.notifier import Notifier, Teller
from orchestrator.turn_events import PATH, TurnEvents
from orchestrator.waking_settings import WakingSettings


class Waking:
    """`parts` are the hub's. The lifespan enters `open` and owns the `loops`."""

    def __init__(
        self, settings: WakingSettings, parts: HubParts, redis: Redis, keys: Keys, metrics: Metrics
    ) -> None:
        self._parts = parts
        self._streams = settings.turns_stream_length > 0
        accounts = AccountNames(parts.manifests, parts.channels)
        self.bus = ResourceBus(redis, keys.changes("hub"), own_names(accounts.account))
        self._metrics = NoticeMetrics(metrics)
        self._target = Target.of(settings)
        self._client = webhook_client(settings) if self._target else None
        self._desk = InboxDesk(parts, self._target)
        self._events = TurnEvents(redis, keys.stream("turns"), self.bus, clock=parts.clock)
        self._announcer = Announcer(
            parts.pool,
            redis,
            keys.stream("turns"),
            length=settings.turns_stream_length,
            bus=self.bus,
            clock=parts.clock,
        )

    def operations(self) -> list[Operation]:
        """What can be asked about the turns that wait, and the webhook."""
        return self._desk.operations()

    def resources(self) -> list[ResourceOf]:
        """What may be read and watched."""
        return self._desk.resources()

    def routes(self) -> list[Route]:
        """The server-sent events, where a stream is written."""
        return [self._events.route()] if self._streams else []

    def openapi(self) -> Mapping[str, Any]:
        """The same for /openapi.json."""
        return {PATH: TurnEvents.described()} if self._streams else {}

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the service."""
        parts = self._parts
        return [
            *(notifier.run() for notifier in self.notifiers()),
            ChangeTeller(parts.pool, self.bus, parts.turns_bell, parts.clock).run(),
            CapabilityWatch(parts.manifests, parts.channels, self.bus).run(),
        ]

    def notifiers(self) -> list[Notifier]:
        """One for each way that is set."""
        parts = self._parts
        tellers: list[Teller] = [self._announcer]
        if self._target is not None and self._client is not None:
            webhook = AgentWebhook(
                parts.pool, self._client, self._target, clock=parts.clock, metrics=self._metrics
            )
            tellers.append(webhook)
        return [Notifier(parts.pool, teller, bell=parts.turns_bell, clock=parts.clock) for teller in tellers]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hear what other replicas tell, and keep connections, while inside."""
        async with self._client or nullcontext(), self.bus.listening():
            yield

    def stop(self) -> None:
        """The process ends: no reader holds it up."""
        self._events.stop()

    async def state(self) -> Mapping[str, Any]:
        """For /info: whom we tell, and what is still to be told; nothing of it while the database is away."""
        try:
            return await self._state()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            return {"error": type(error).__name__}

    async def _state(self) -> Mapping[str, Any]:
        backlog = await self._desk.backlog()
        webhook = await self._desk.state() if self._target else None
        return {
            "agent_webhook": webhook.model_dump() if webhook else None,
            "not_told": {way: asdict(one) for way, one in backlog.items()},
        }

    async def measure(self) -> None:
        """Set the gauges."""
        self._metrics.show(await self._desk.backlog())
