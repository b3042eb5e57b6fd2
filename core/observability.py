"""Logs and counters: one JSON line per event on stderr, secrets masked; Prometheus text for /metrics."""

import json
import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

MASK = "***"
#: Without local variables: they hold passwords that nobody listed, and customers' words.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
#: What a terminal or a viewer of logs obeys or hides: controls, line ends of Unicode, directions, tags.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
#: Of several lines by nature.
_LONG = frozenset({"exception", "stack"})
_QUIET = ("httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.access", "mcp")


def configure_logging(
    service: str, *, level: str, console: bool, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send every log line of this process, ours and the libraries', to stderr in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service_name(service),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(shared, console=console, secrets=secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class Masking(logging.Formatter):
    """Renders with `inner` and masks every known secret in the result, wherever it came from.

    What a log's reader would obey instead of seeing is written as JSON escapes: nobody's words make a line.
    """

    def __init__(self, inner: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 8}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        return _UNSEEN.sub(_escaped, line)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _on_one_line(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """JSON escapes line ends itself; a console would begin a new line with somebody's words."""
    for name, value in event.items():
        if isinstance(value, str) and name not in _LONG:
            event[name] = value.replace("\r", "\\r").replace("\n", "\\n")
    return event


def _formatter(shared: list[Any], *, console: bool, secrets: Iterable[str]) -> logging.Formatter:
    if console:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)
        last: list[Any] = [_on_one_line, renderer]
    else:
        last = [_TRACEBACKS, structlog.processors.JSONRenderer(ensure_ascii=False)]
    inner = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    return Masking(inner, secrets)


def _service_name(service: str) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return add


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhook_events = self._counter("webhook_events", "Events of webhooks", "channel", "outcome")
        self.sends = self._counter("sends", "Messages handed to a messenger", "channel", "outcome")
        self.requests = self._counter("requests", "Calls of REST routes and tools", "operation", "outcome")
        self.dead_letters = self._counter("dead_letters", "Messages nobody could read or send", "door")
        self.turns = self._counter("turns", "Turns by what became of them", "outcome")
        self.media = self._counter("media", "Files of messages by what became of them", "outcome")
        self.transcriptions = self._counter("transcriptions", "Voice notes by what became of them", "outcome")
        self.media_store = self._gauge("media_store", "Bytes kept, files and voice notes that wait", "what")
        self.lag = Histogram(
            "eldoleado_due_lag_seconds",
            "From a chat's deadline to its lease",
            ["queue"],
            registry=self.registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30),
        )
        self.depth = Gauge(
            "eldoleado_queue_depth", "Messages or chats that wait", ["queue", "place"], registry=self.registry
        )

        self.outbound_depth = self._gauge(
            "outbound_depth", "Messages of the outbox that wait", "channel", "account", "state"
        )
        self.outbound_age = self._gauge(
            "outbound_age_seconds", "Since when the oldest of them waits", "channel", "account"
        )
        self.outbound_unknown = self._gauge(
            "outbound_unknown", "Messages of which nobody knows whether they arrived", "channel", "account"
        )
        self.breaker = self._gauge(
            "breaker_open", "1 while an account is not asked, 0.5 while it is tried", "channel", "account"
        )
        self.account_healthy = self._gauge("account_healthy", "1 when nothing is wrong", "channel", "account")
        self.account_troubles = self._gauge(
            "account_trouble", "1 while an account has this trouble", "channel", "account", "code"
        )
        self.recovered = self._counter(
            "recovered", "Messages that no webhook brought, found in the history", "channel", "account"
        )

    def exposition(self) -> tuple[bytes, str]:
        """The body of /metrics and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"eldoleado_{name}", says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"eldoleado_{name}", says, labels, registry=self.registry)
