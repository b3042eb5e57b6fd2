"""What may go goes out: in order per chat, retried while that helps, looked up before it is repeated."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from pydantic_core import to_json

from core.chats import Chats, Lease
from core.clock import Clock
from core.deadletters import write_letter
from core.errors import (
    ChannelError,
    ConversationPaused,
    OutcomeUnknown,
    OutcomeUntraceable,
    RateLimited,
    Rejected,
    SendInProgress,
    StorageDown,
    VendorDown,
)
from core.lanes import in_lane
from core.messages import OutgoingMessage
from core.observability import Metrics
from orchestrator.breakers import Account, Breakers, Rules
from orchestrator.store import outbound, outbox
from orchestrator.store.outbound import Delivery, Failure
from orchestrator.store.outbox import Ticket
from orchestrator.store.pool import Pool

log = structlog.get_logger()

LONGEST_DELAY = 300.0
#: The account's turn has not come, or another attempt is under way: waiting, and no attempt that failed.
_WAITING = (RateLimited, SendInProgress)
#: Nothing was done, because the vendor (or what the channel stands on) could not be asked.
_DOWN = (VendorDown, StorageDown)
#: So long also for the owner of an account that is refused (keys, plan, session) to mend it.
_LONGEST_WAITING = timedelta(days=1)
_WAIT_UNTOLD = 10.0
#: What an attempt leaves behind that crashed or had no answer.
_DOUBTFUL = ("sending", "unknown")
#: Accepted once, and refused by the message format of today.
_UNREADABLE = "unreadable"
#: A message that could not begin although it is the chat's next: it is looked at again.
_LOOK_AGAIN = 1.0


class SendsMessages(Protocol):
    """The part of the channels' client that is used here (orchestrator/channels.py)."""

    async def send(self, message: OutgoingMessage) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is tried that may yet be sent, and when an account is left alone for a while."""

    attempts: int
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Done:
    """The message needs no more work; `reason` is set when it could not be sent."""

    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The message stays at the head of its chat for `seconds`."""

    seconds: float


class LeaseLost(Exception):
    """Another worker has the chat now: nothing more is done."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try; `head` is the message as it was before. `probing`: its account was not well."""

    lease: Lease
    head: Delivery
    attempts: int
    probing: bool

    @property
    def account(self) -> Account:
        return (self.head.channel, self.head.account)

    @property
    def doubtful(self) -> bool:
        """An earlier try may have reached the vendor, and nobody knows yet."""
        return self.head.state in _DOUBTFUL


class Deliverer:
    """The work on one leased chat of tickets.

    A ticket says that a message may go; what was accepted before it in its chat goes first, whether it has a
    ticket or not. A repeat names the same delivery: the channel knows what it has sent of it, so nothing is
    sent twice.
    """

    def __init__(
        self,
        chats: Chats[Ticket],
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
        self._attempts = patience.attempts
        self._refused_seconds = patience.rules.refused
        self.breakers = Breakers(clock, patience.rules)

    async def work(self, lease: Lease) -> None:
        """Send what the tickets stand for, one after the other; the first that must wait holds the rest."""
        self._metrics.lag.labels("tickets").observe(max(0, self._clock.now_ms() - lease.due_at) / 1000)
        read = self._chats.read(lease, self._clock.now_ms())
        try:
            with in_lane(min((ticket.lane for ticket in read.messages), default=0)):
                await self._serve(lease)
        except LeaseLost:
            log.warning("outbound_lease_lost", chat=lease.member)

    async def _serve(self, lease: Lease) -> None:
        for position, raw in enumerate(lease.items):
            read = self._chats.read(replace(lease, items=(raw,)), self._clock.now_ms())
            later = await self._up_to(lease, read.messages[0]) if read.messages else None
            if later is not None:
                now = self._clock.now_ms()
                await self._chats.retry(lease, now, due_at=now + round(later.seconds * 1000))
                return
            self._metrics.dead_letters.labels("outgoing").inc(len(read.letters))
            keep = position < len(lease.items) - 1
            if not await self._chats.ack(lease, 1, self._clock.now_ms(), keep=keep, letters=read.letters):
                raise LeaseLost

    async def _up_to(self, lease: Lease, ticket: Ticket) -> Later | None:
        """Finish what was accepted before the ticket's message in its chat, then that message."""
        last = None
        while (head := await outbox.head_of_chat(self._pool, ticket.id)) is not None:
            if head.id == last:
                return Later(_LOOK_AGAIN)
            last = head.id
            outcome = await self._deliver(lease, head)
            if isinstance(outcome, Later):
                return outcome
            if head.id == ticket.id:
                break
            if not await self._chats.extend(lease, self._clock.now_ms()):
                raise LeaseLost
        return None

    async def _deliver(self, lease: Lease, head: Delivery) -> Done | Later:
        try:
            message = outbox.message_of(head)
        except Rejected as refusal:
            return await self._unreadable(lease, head, refusal.detail)
        account = (head.channel, head.account)
        probing = not self.breakers.is_closed(account)
        if self._may_wait(head) and (wait := self.breakers.ask(account)) is not None:
            error = wait.error
            await outbox.note_wait(self._pool, head.id, code=error.code, detail=error.detail, now=self._now())
            return Later(wait.seconds)
        begun = await outbound.begin_sending(self._pool, head.id, now=self._now())
        if begun is None:
            self.breakers.told_nothing(account)
            return Done()
        attempt = _Attempt(lease, head, begun.attempts, probing)
        try:
            vendor_ids = await self._channels.send(message)
        except ChannelError as error:
            self._learn(attempt, error)
            return await self._failed(attempt, error)
        self.breakers.answered(account)
        await outbound.mark_sent(self._pool, head.id, vendor_ids, now=self._now())
        self._note(attempt, "sent")
        return Done()

    def _learn(self, attempt: _Attempt, error: ChannelError) -> None:
        """What a failure tells about the account."""
        if error.reaction == "stop_account":
            self.breakers.refused(attempt.account, error)
        elif isinstance(error, _DOWN) or (_is_unknown(error) and not attempt.doubtful):
            self.breakers.failed(attempt.account, error)
        elif isinstance(error, SendInProgress) or _is_unknown(error):
            self.breakers.told_nothing(attempt.account)
        else:
            self.breakers.answered(attempt.account)

    async def _failed(self, attempt: _Attempt, error: ChannelError) -> Done | Later:
        waits = self._waits(attempt, error)
        self._note(attempt, error.code)
        again = waits or (_may_yet_be_told(error) and attempt.attempts < self._attempts)
        paused = isinstance(error, ConversationPaused)
        if not again and not paused:
            await self._bury(attempt, error)
        failure = Failure(error.code, error.detail, counted=not waits, final=not again)
        # A channel refuses in a pause only what certainly has not reached the vendor.
        mark = _mark(unknown=_is_unknown(error) or (attempt.doubtful and not paused), again=again)
        await mark(self._pool, attempt.head.id, failure, now=self._now())
        if not again:
            return Done(error.code, error.detail)
        if error.reaction == "stop_account":
            return Later(self._refused_seconds)
        told = _WAIT_UNTOLD if waits and error.retry_after is None else error.retry_after
        return Later(_delay(attempt.attempts, told))

    def _waits(self, attempt: _Attempt, error: ChannelError) -> bool:
        """Whether the message waits for its account to be well: such a try does not count."""
        if isinstance(error, OutcomeUntraceable):
            return False  # an account that is well could tell no more
        ailing = attempt.probing and not self.breakers.is_closed(attempt.account)
        concerns_account = error.reaction == "stop_account" or ailing or isinstance(error, _WAITING)
        return concerns_account and self._may_wait(attempt.head)

    async def _bury(self, attempt: _Attempt, error: ChannelError) -> None:
        """Keep the message as a dead letter, before it is marked: a crash in between loses none."""
        payload = outbox.message_of(attempt.head).model_dump_json().encode()
        await self._keep(attempt.lease, error.code, error.detail, payload)

    async def _unreadable(self, lease: Lease, head: Delivery, why: str) -> Done:
        """An older version accepted it: it is kept whole, and the chat goes on."""
        await self._keep(lease, _UNREADABLE, why, to_json(outbox.said_by(head)))
        mark = _mark(unknown=head.state in _DOUBTFUL, again=False)
        await mark(self._pool, head.id, Failure(_UNREADABLE, why, final=True), now=self._now())
        log.error("delivery_unreadable", delivery=str(head.id), channel=head.channel, why=why)
        return Done(_UNREADABLE, why)

    async def _keep(self, lease: Lease, reason: str, detail: str, payload: bytes) -> None:
        now = self._clock.now_ms()
        letter = write_letter("outgoing", reason, detail, payload, now)
        if not await self._chats.ack(lease, 0, now, keep=True, letters=[letter]):
            raise LeaseLost
        self._metrics.dead_letters.labels("outgoing").inc()

    def _may_wait(self, head: Delivery) -> bool:
        since = max(filter(None, (head.created_at, head.send_at, head.queued_at if head.bulk_id else None)))
        return self._now() - since < _LONGEST_WAITING

    def _note(self, attempt: _Attempt, outcome: str) -> None:
        head = attempt.head
        self._metrics.sends.labels(head.channel, outcome).inc()
        log.info(
            "delivery",
            outcome=outcome,
            channel=head.channel,
            account=head.account,
            chat=head.external_chat_id,
            delivery=str(head.id),
            attempt=attempt.attempts,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def _is_unknown(error: ChannelError) -> bool:
    """Nobody can tell whether the vendor has it.

    An error without a known code is a fault of a server: nobody can tell what it had done before. The repeat
    carries the same idempotency key, so the channel looks first.
    """
    return isinstance(error, OutcomeUnknown | OutcomeUntraceable) or type(error) is ChannelError


def _may_yet_be_told(error: ChannelError) -> bool:
    """Whether another try can bring more; what cannot be traced must not hold the chat behind it."""
    return error.retryable or (_is_unknown(error) and not isinstance(error, OutcomeUntraceable))


def _mark(*, unknown: bool, again: bool) -> Callable[..., Awaitable[object]]:
    if unknown:
        return outbound.mark_unknown
    return outbound.mark_retry if again else outbound.mark_failed


def _delay(attempts: int, retry_after: float | None) -> float:
    """Seconds before the next attempt: as told, else doubled each time with jitter."""
    if retry_after is not None:
        return min(max(retry_after, 0.1), LONGEST_DELAY)
    return min(LONGEST_DELAY, 2.0 ** (attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter, not a secret
