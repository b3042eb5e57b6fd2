"""What is queued goes out: in order per chat, retried while that helps, looked up before it is repeated."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from core.chats import Chats, Lease
from core.clock import Clock
from core.deadletters import DeadLetter, write_letter
from core.errors import ChannelError, IdempotencyConflict, OutcomeUnknown, RateLimited, SendInProgress
from core.messages import OutgoingMessage
from core.observability import Metrics
from orchestrator.stopped import StoppedAccounts
from orchestrator.store import outbound
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.store.pool import Pool

log = structlog.get_logger()

LONGEST_DELAY = 300.0
#: The account's turn has not come, or another attempt is under way: waiting, and no attempt that failed.
_WAITING = (RateLimited, SendInProgress)
#: So long also for the owner of an account that is refused (keys, plan, session) to mend it.
_LONGEST_WAITING = timedelta(days=1)
_WAIT_UNTOLD = 10.0
#: What an attempt leaves behind that crashed or had no answer.
_DOUBTFUL = ("sending", "unknown")


class SendsMessages(Protocol):
    """The part of the channels' client that is used here (orchestrator/channels.py)."""

    async def send(self, message: OutgoingMessage) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is tried that may yet be sent, and the pause of an account that is refused."""

    attempts: int
    refused_seconds: float = LONGEST_DELAY


@dataclass(frozen=True, slots=True)
class Done:
    """The message needs no more work; `reason` is set when it could not be sent."""

    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The message stays at the head of its chat for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt; `doubtful`: an earlier one may have reached the vendor, and nobody knows yet."""

    attempts: int
    created_at: datetime
    doubtful: bool


class Deliverer:
    """The work on one leased chat of the outbound queue.

    A repeat names the same delivery: the channel knows what it has sent of it, so nothing is sent twice.
    """

    def __init__(
        self,
        chats: Chats[OutgoingMessage],
        channels: SendsMessages,
        *,
        pool: Pool,
        clock: Clock,
        metrics: Metrics,
        patience: Patience,
    ) -> None:
        self._chats = chats
        self._channels = channels
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._patience = patience
        self._stopped = StoppedAccounts(clock, seconds=patience.refused_seconds)

    async def work(self, lease: Lease) -> None:
        """Send the chat's messages one after the other; the first that must wait holds the rest."""
        self._metrics.lag.labels("outgoing").observe(max(0, self._clock.now_ms() - lease.due_at) / 1000)
        for position, raw in enumerate(lease.items):
            keep = position < len(lease.items) - 1
            letters, later = await self._attempt(lease, raw)
            if later is not None:
                now = self._clock.now_ms()
                await self._chats.retry(lease, now, due_at=now + round(later.seconds * 1000))
                return
            self._metrics.dead_letters.labels("outgoing").inc(len(letters))
            if not await self._chats.ack(lease, 1, self._clock.now_ms(), keep=keep, letters=letters):
                log.warning("outbound_lease_lost", chat=lease.member)
                return

    async def _attempt(self, lease: Lease, raw: bytes) -> tuple[Sequence[DeadLetter], Later | None]:
        read = self._chats.read(replace(lease, items=(raw,)), self._clock.now_ms())
        if read.letters:
            return read.letters, None
        [message] = read.messages
        outcome = await self._deliver(message)
        if isinstance(outcome, Later):
            return (), outcome
        return self._letters(message, outcome), None

    def _letters(self, message: OutgoingMessage, outcome: Done) -> list[DeadLetter]:
        if not outcome.reason:
            return []
        payload = message.model_dump_json().encode()
        return [write_letter("outgoing", outcome.reason, outcome.detail, payload, self._clock.now_ms())]

    async def _deliver(self, message: OutgoingMessage) -> Done | Later:
        try:
            begun = await self._begin(message)
        except IdempotencyConflict as error:
            return Done(error.code, error.detail)
        except Unstorable as error:
            return Done("unstorable", str(error))
        if begun is None:
            return Done()  # sent by an earlier attempt
        refusal = self._stopped.refusal(message)
        if refusal is not None and self._may_wait(begun):
            return await self._failed(message, refusal, begun)
        try:
            vendor_ids = await self._channels.send(message)
        except ChannelError as error:
            if error.reaction == "stop_account":
                self._stopped.note(message, error)
            return await self._failed(message, error, begun)
        self._stopped.forget(message)
        await outbound.mark_sent(self._pool, message.id, vendor_ids, now=self._now())
        self._note(message, "sent", begun.attempts)
        return Done()

    async def _begin(self, message: OutgoingMessage) -> _Begun | None:
        """Accept it if it is new, and begin. One that had failed comes back from the dead letters."""
        with only_storable():
            known = await outbound.insert_outbound(self._pool, message, origin="list", now=self._now())
        if known.delivery.state == "failed":
            await outbound.mark_retry(self._pool, message.id, code="", detail="", now=self._now())
        begun = await outbound.begin_sending(self._pool, message.id, now=self._now())
        if begun is None:
            return None
        return _Begun(begun.attempts, begun.created_at, doubtful=known.delivery.state in _DOUBTFUL)

    async def _failed(self, message: OutgoingMessage, error: ChannelError, begun: _Begun) -> Done | Later:
        # An error without a known code is a fault of a server: nobody can tell what it had done before. The
        # repeat carries the same idempotency key, so the channel looks first.
        unknown = isinstance(error, OutcomeUnknown) or type(error) is ChannelError
        stopped = error.reaction == "stop_account"
        waits = (stopped or isinstance(error, _WAITING)) and self._may_wait(begun)
        self._note(message, error.code, begun.attempts)
        again = waits or ((error.retryable or unknown) and begun.attempts < self._patience.attempts)
        mark = _mark(unknown=unknown or begun.doubtful, again=again)
        await mark(
            self._pool, message.id, code=error.code, detail=error.detail, counted=not waits, now=self._now()
        )
        if not again:
            return Done(error.code, error.detail)
        if stopped:
            return Later(self._patience.refused_seconds)
        told = _WAIT_UNTOLD if waits and error.retry_after is None else error.retry_after
        return Later(_delay(begun.attempts, told))

    def _may_wait(self, begun: _Begun) -> bool:
        return self._now() - begun.created_at < _LONGEST_WAITING

    def _note(self, message: OutgoingMessage, outcome: str, attempts: int) -> None:
        self._metrics.sends.labels(message.channel, outcome).inc()
        log.info(
            "delivery",
            outcome=outcome,
            channel=message.channel,
            account=message.account,
            chat=message.external_chat_id,
            delivery=str(message.id),
            attempt=attempts,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def _mark(*, unknown: bool, again: bool) -> Callable[..., Awaitable[object]]:
    if unknown:
        return outbound.mark_unknown
    return outbound.mark_retry if again else outbound.mark_failed


def _delay(attempts: int, retry_after: float | None) -> float:
    """Seconds before the next attempt: as told, else doubled each time with jitter."""
    if retry_after is not None:
        return min(max(retry_after, 0.1), LONGEST_DELAY)
    return min(LONGEST_DELAY, 2.0 ** (attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter, not a secret
