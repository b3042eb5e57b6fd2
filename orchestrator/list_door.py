"""The list door: what anyone pushed to `queue:outgoing` is accepted into the outbox, in order per chat.

From there on it goes like everything else: a flood of ten thousand is a table of ten thousand rows, and what
somebody waits for goes first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from core.bell import Bell
from core.chats import Chats, Lease
from core.clock import Clock
from core.deadletters import DeadLetter, write_letter
from core.errors import IdempotencyConflict
from core.messages import OutgoingMessage
from core.observability import Metrics
from orchestrator.account_names import NamesAccounts
from orchestrator.store import outbound, outbox
from orchestrator.store.errors import Erased, Unstorable, only_storable
from orchestrator.store.pool import Pool

log = structlog.get_logger()


class ListDoor:
    """The work on one leased chat of the list; repeating it is harmless, for an id is one message."""

    def __init__(
        self,
        chats: Chats[OutgoingMessage],
        accounts: NamesAccounts,
        *,
        pool: Pool,
        clock: Clock,
        metrics: Metrics,
        bell: Bell,
    ) -> None:
        self._chats = chats
        self._accounts = accounts
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._bell = bell

    async def work(self, lease: Lease) -> None:
        """Accept what can be read; the rest are dead letters with the reason."""
        self._metrics.lag.labels("outgoing").observe(max(0, self._clock.now_ms() - lease.due_at) / 1000)
        read = self._chats.read(lease, self._clock.now_ms())
        letters = list(read.letters)
        for message in read.messages:
            letters += await self._accepted(message)
        self._metrics.dead_letters.labels("outgoing").inc(len(letters))
        if not await self._chats.ack(lease, len(lease.items), self._clock.now_ms(), letters=letters):
            log.warning("list_lease_lost", chat=lease.member)
        await self._bell.ring()

    async def _accepted(self, message: OutgoingMessage) -> Sequence[DeadLetter]:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        named = await self._accounts.named(message)
        try:
            with only_storable():
                known = await outbound.insert_outbound(self._pool, named, origin="list", now=now)
        except Erased:
            return ()
        except IdempotencyConflict as error:
            return [self._letter(message, error.code, error.detail)]
        except Unstorable as error:
            return [self._letter(message, "unstorable", str(error))]
        if not known.created:
            await outbox.reopen(self._pool, message.id, now=now)
        return ()

    def _letter(self, message: OutgoingMessage, reason: str, detail: str) -> DeadLetter:
        payload = message.model_dump_json().encode()
        return write_letter("outgoing", reason, detail, payload, self._clock.now_ms())
