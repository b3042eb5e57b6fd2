"""The agent's webhook: a signed call for each turn that waits, repeated until the agent answers 2xx.

The call holds no words of a customer: the agent leases the turn by its id. One notice keeps its webhook-id
over all attempts; a turn that is offered anew is told under a new one.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from core.checked_address import AddressRefused, CheckedAddress, is_callable
from core.clock import Clock
from core.jsontext import write_json
from core.media_fetch import Resolve, resolve_host
from core.transports import retry_after
from orchestrator.announcer import entry
from orchestrator.notice_metrics import NoticeMetrics
from orchestrator.standard_webhooks import keys_of, signed
from orchestrator.store import agent_webhooks, notices
from orchestrator.store.notices import Notice, Way
from orchestrator.store.pool import Pool
from orchestrator.waking_settings import WakingSettings

log = structlog.get_logger()

#: Seconds before each further attempt; the last one repeats as long as the turn waits.
LADDER = (5, 30, 120, 600, 1800, 3600)
#: An attempt may come this part of its pause sooner or later: what failed together must not come together.
JITTER = 0.2
#: Retry-After is heeded so far.
LONGEST_PAUSE = 6 * 3600.0
_CLAIM_MARGIN = 15.0
_GONE = 410


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call: `mark` names the address where it must not be shown."""

    url: str
    keys: Sequence[bytes]
    seconds: float

    @classmethod
    def of(cls, settings: WakingSettings) -> "Target | None":
        """As the settings say; None: nobody."""
        if not settings.agent_webhook_url:
            return None
        keys = keys_of(settings.agent_webhook_secret.get_secret_value())
        return cls(settings.agent_webhook_url, keys, settings.agent_webhook_seconds)

    @property
    def mark(self) -> str:
        return hashlib.sha256(self.url.encode()).hexdigest()

    @property
    def host(self) -> str:
        """What may be shown: a path can be a secret."""
        return urlsplit(self.url).netloc


def webhook_client(settings: WakingSettings, *, resolve: Resolve = resolve_host) -> httpx.AsyncClient:
    """A client that goes nowhere but where the settings allow; redirects are not followed."""
    allows = partial(is_callable, private=settings.agent_webhook_private)
    inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=AgentWebhook.at_once))
    return httpx.AsyncClient(
        transport=CheckedAddress(inner, allows, resolve=resolve),
        timeout=settings.agent_webhook_seconds,
        follow_redirects=False,
    )


class AgentWebhook:
    """A Teller. `draw` gives numbers of 0..1 for the jitter."""

    way: Way = "webhook"
    at_once = 8

    def __init__(
        self,
        pool: Pool,
        client: httpx.AsyncClient,
        target: Target,
        *,
        clock: Clock,
        metrics: NoticeMetrics,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._client = client
        self._target = target
        self._clock = clock
        self._metrics = metrics
        self._draw = draw
        self.seconds = target.seconds + _CLAIM_MARGIN

    async def willing(self) -> bool:
        """Not after it said that it is gone."""
        return (await agent_webhooks.get_webhook(self._pool, self._target.mark)).disabled_at is None

    async def tell(self, told: Sequence[Notice]) -> None:
        """Call for each of these turns, at once; every one is done or due again later."""
        await asyncio.gather(*(self._tell(notice) for notice in told))

    async def _tell(self, notice: Notice) -> None:
        try:
            async with asyncio.timeout(self._target.seconds):
                response = await self._call(notice)
        except (httpx.HTTPError, TimeoutError) as error:
            await self._failed(notice, _cause(error), pause(notice.attempts, None, self._draw()))
            return
        if response.is_success:
            self._metrics.calls.labels("ok").inc()
            await notices.done(self._pool, self.way, [notice], now=self._now())
            return
        asked = retry_after(response, self._clock.now_ms() / 1000)
        gone = response.status_code == _GONE
        told = f"answered {response.status_code}"
        await self._failed(notice, told, pause(notice.attempts, asked, self._draw()), gone=gone)

    async def _call(self, notice: Notice) -> httpx.Response:
        """The answer without its body, which nobody reads."""
        body = write_json(_event(notice)).encode()
        headers = signed(
            self._target.keys,
            webhook_id=str(notice.notice_id),
            timestamp=self._clock.now_ms() // 1000,
            body=body,
        )
        headers |= {"content-type": "application/json", "user-agent": "eldoleado-hub"}
        request = self._client.build_request("POST", self._target.url, content=body, headers=headers)
        response = await self._client.send(request, stream=True)
        await response.aclose()
        return response

    async def _failed(self, notice: Notice, error: str, seconds: float, *, gone: bool = False) -> None:
        due = self._now() + timedelta(seconds=seconds)
        self._metrics.calls.labels("gone" if gone else "failed").inc()
        log.warning(
            "agent_webhook_failed",
            turn=notice.turn_id,
            attempt=notice.attempts,
            error=error,
            again_at=None if gone else due.isoformat(),
        )
        await agent_webhooks.note_failure(self._pool, self._target.mark, error, now=self._now(), gone=gone)
        await notices.failed(self._pool, self.way, notice, error, due=due)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def pause(attempts: int, asked: float | None, draw: float) -> float:
    """Seconds until the next attempt after so many; what the receiver asks for is the least."""
    step = LADDER[min(attempts, len(LADDER)) - 1]
    own = step * (1 - JITTER + 2 * JITTER * draw)
    return max(own, min(asked or 0.0, LONGEST_PAUSE))


def _event(notice: Notice) -> dict[str, Any]:
    told = entry(notice)
    return {"type": "turn.ready", "timestamp": told.pop("at"), "data": told}


def _cause(error: Exception) -> str:
    if isinstance(error, AddressRefused):
        return "its address is private: set AGENT_WEBHOOK_PRIVATE=true if that is meant"
    return type(error).__name__
