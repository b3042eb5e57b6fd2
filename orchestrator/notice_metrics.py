"""Figures of how agents are woken."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge

from core.observability import Metrics
from orchestrator.store.notices import Backlog


class NoticeMetrics:
    """In the registry of the service's metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self.calls = Counter(
            "eldoleado_agent_webhook_calls",
            "Calls of the agent's webhook",
            ["outcome"],
            registry=metrics.registry,
        )
        self._waiting = Gauge(
            "eldoleado_turn_notices",
            "Turns that wait and are not told of yet",
            ["way", "state"],
            registry=metrics.registry,
        )

    def show(self, backlog: Mapping[str, Backlog]) -> None:
        """Set the gauges: `failing` are those that failed before."""
        for way in ("redis", "webhook"):
            known = backlog.get(way, Backlog())
            self._waiting.labels(way, "waiting").set(known.waiting)
            self._waiting.labels(way, "failing").set(known.failing)
