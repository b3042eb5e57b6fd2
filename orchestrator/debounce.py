"""A due batch becomes a turn: read, enrich, resolve in one transaction, and only then trim the batch."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import structlog

from core.bell import Bell
from core.chats import Chats, Lease, Windows
from core.clock import Clock
from core.deadletters import DeadLetter, write_letter
from core.messages import IncomingMessage
from core.observability import Metrics
from orchestrator.batching import Batch, ClosedBy, gather
from orchestrator.enrich import Enriches
from orchestrator.resolver import Resolver
from orchestrator.store.errors import Unstorable

log = structlog.get_logger()


class Debouncer:
    """The work on one leased batch. Repeating it is harmless: the database recognises the messages."""

    def __init__(
        self,
        chats: Chats[IncomingMessage],
        *,
        resolver: Resolver,
        enricher: Enriches,
        turns_bell: Bell,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._chats = chats
        self._resolver = resolver
        self._enricher = enricher
        self._bell = turns_bell
        self._clock = clock
        self._metrics = metrics

    async def work(self, lease: Lease) -> None:
        """Resolve every message of the lease and acknowledge them."""
        now = self._clock.now_ms()
        self._metrics.lag.labels("incoming").observe(max(0, now - lease.due_at) / 1000)
        read = self._chats.read(lease, now)
        letters = list(read.letters)
        closed_by = why_closed(lease, self._chats.windows, read.messages)
        for messages in by_chat(read.messages):
            linked, context = await self._enricher.enrich(messages)
            batch = gather(linked, closed_by=closed_by, context=context)
            timed = replace(batch, gathered_at=_moment(lease.opened), due_at=_moment(lease.due_at))
            letters += await self._resolve(timed, linked)
        self._metrics.dead_letters.labels("incoming").inc(len(letters))
        if not await self._chats.ack(lease, len(lease.items), self._clock.now_ms(), letters=letters):
            log.warning("batch_lease_lost", chat=lease.member)

    async def _resolve(self, batch: Batch, messages: Sequence[IncomingMessage]) -> list[DeadLetter]:
        """Store the batch of these messages; letters for those that can never be stored."""
        now = self._clock.now_ms()
        try:
            resolved = await self._resolver.resolve(batch, now=_moment(now))
        except Unstorable as error:
            if len(messages) == 1:
                return [_letter(messages[0], error, now)]
            return await self._resolve_singly(batch, messages)
        log.info(
            "batch_resolved",
            channel=batch.channel,
            account=batch.account,
            chat=batch.external_chat_id,
            messages=[message.external_message_id for message in messages],
            turn=resolved.turn_id,
            appeal=resolved.appeal_id,
        )
        if resolved.turn_id is not None:
            self._metrics.turns.labels("ready").inc()
            await self._bell.ring()
        return []

    async def _resolve_singly(self, batch: Batch, messages: Sequence[IncomingMessage]) -> list[DeadLetter]:
        """One message that can never be stored must not take its neighbours with it."""
        letters: list[DeadLetter] = []
        for message in messages:
            alone = gather([message], closed_by=batch.closed_by, context=batch.context)
            timed = replace(alone, gathered_at=batch.gathered_at, due_at=batch.due_at)
            letters += await self._resolve(timed, [message])
        return letters


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def by_chat(messages: Iterable[IncomingMessage]) -> list[list[IncomingMessage]]:
    """The messages of each chat, in order; a batch key alone must never mix two chats.

    Typing is none of them: a collector of yesterday may have put it there.
    """
    chats: dict[tuple[str, str, str], list[IncomingMessage]] = defaultdict(list)
    for message in messages:
        if message.event != "typing":
            chats[message.channel, message.account, message.external_chat_id].append(message)
    return list(chats.values())


def why_closed(lease: Lease, windows: Windows, messages: Sequence[IncomingMessage]) -> ClosedBy:
    """What ended the gathering of a batch: what closes at once, the count, the longest wait or silence.

    Read from the messages, so that whoever takes over from a worker that died says the same.
    """
    window = windows.of(lease.channel)
    at_once = ((n, windows.closing.why(one.event, one.text)) for n, one in enumerate(messages))
    place, why = next(((n, why) for n, why in at_once if why), (len(lease.items), ""))
    if window.max_count and place >= window.max_count:
        return "count"
    if why:
        return cast("ClosedBy", why)  # the engine's rule is that of orchestrator/timing.py
    longest_came_first = lease.last + window.silence_ms > lease.opened + window.longest_ms
    return "longest" if longest_came_first else "silence"


def _letter(message: IncomingMessage, error: Unstorable, now: int) -> DeadLetter:
    payload = message.model_dump_json().encode()
    return write_letter("incoming", "unstorable", str(error), payload, now)
