"""All that leaves: the list door, the outbox's relay and the senders, made of parts that the caller opens."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from redis.asyncio import Redis

from core.bell import Bell
from core.chats import Chats, Window, Windows
from core.clock import Clock
from core.collector import Collector
from core.dispatcher import Dispatcher
from core.keys import Keys, QueueKeys
from core.messages import OutgoingMessage
from core.observability import Metrics
from orchestrator.account_names import AccountNames
from orchestrator.breakers import Rules
from orchestrator.channels import Channels
from orchestrator.deliver import Deliverer, Patience
from orchestrator.fair_share import FairShare
from orchestrator.fitting import Fitting
from orchestrator.list_door import ListDoor
from orchestrator.manifests import Manifests
from orchestrator.outbound_gauges import OutboundGauges
from orchestrator.relay import Relay
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.outbox import Ticket
from orchestrator.store.pool import Pool

#: Chats of the list that are accepted at a time; each is a moment's work of the database.
_DOOR_WORKERS = 4


@dataclass(frozen=True, slots=True)
class DepartureParts:
    """What the way out is made of."""

    settings: OrchestratorSettings
    redis: Redis
    pool: Pool
    keys: Keys
    clock: Clock
    metrics: Metrics
    channels: Channels
    manifests: Manifests
    bell: Bell


class Departures:
    """`queue:outgoing` -> outbox -> tickets -> channels. Ring the bell when something was accepted."""

    def __init__(self, parts: DepartureParts) -> None:
        self._parts = parts
        self._listed = self._engine(parts.keys.outgoing, OutgoingMessage)
        self._tickets = self._engine(parts.keys.tickets, Ticket)
        self._deliverer = self._made_deliverer()
        self._door = self._made_door()
        self.dispatchers = (self._door_workers(), self._senders())

    @property
    def queues(self) -> dict[str, Chats[Any]]:
        """The engines by the names that metrics and /info show."""
        return {"outgoing": self._listed, "tickets": self._tickets}

    def loops(self) -> list[Awaitable[None]]:
        """What runs for ever beside the dispatchers."""
        parts, (door, senders) = self._parts, self.dispatchers
        source = parts.keys.tickets.source
        gauges = OutboundGauges(parts.metrics, parts.pool, self._deliverer.breakers, parts.clock)
        return [
            Collector(self._listed, clock=parts.clock, notify=door.notify).run(),
            Collector(self._tickets, clock=parts.clock, notify=senders.notify).run(),
            Relay(parts.pool, parts.redis, source, bell=parts.bell, clock=parts.clock).run(),
            gauges.run(),
        ]

    def breakers(self) -> list[Mapping[str, Any]]:
        """The accounts that are not asked now, for /info."""
        seen = self._deliverer.breakers.seen()
        return [{name: getattr(one, name) for name in one.__slots__} for one in seen]

    def _engine(self, keys: QueueKeys, model: type[BaseModel]) -> Chats[Any]:
        lease = self._parts.settings.delivery_lease_seconds
        windows = Windows(Window(0, 0))
        return Chats(self._parts.redis, keys, windows=windows, lease_ms=round(lease * 1000), model=model)

    def _made_door(self) -> ListDoor:
        parts = self._parts
        return ListDoor(
            self._listed,
            AccountNames(parts.manifests, parts.channels.names),
            pool=parts.pool,
            clock=parts.clock,
            metrics=parts.metrics,
            bell=parts.bell,
        )

    def _made_deliverer(self) -> Deliverer:
        parts, settings = self._parts, self._parts.settings
        refused = settings.refused_account_seconds
        rules = Rules(settings.breaker_failures, settings.breaker_seconds, refused=refused)
        return Deliverer(
            self._tickets,
            Fitting(parts.channels, parts.manifests),
            pool=parts.pool,
            clock=parts.clock,
            metrics=parts.metrics,
            patience=Patience(settings.delivery_attempts, rules),
        )

    def _door_workers(self) -> Dispatcher:
        return Dispatcher(self._listed, self._door.work, clock=self._parts.clock, workers=_DOOR_WORKERS)

    def _senders(self) -> Dispatcher:
        """Workers for what somebody waits for, and half as many more for what has time."""
        parts, workers = self._parts, self._parts.settings.delivery_workers
        patient = (workers + 1) // 2
        share = FairShare(
            self._tickets,
            self._deliverer.work,
            workers=(workers, patient),
            clock=parts.clock,
            freed=parts.bell.ring,
        )
        return Dispatcher(self._tickets, share.work, clock=parts.clock, workers=workers + patient)
