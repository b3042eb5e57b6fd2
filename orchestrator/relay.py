"""The outbox: what a transaction accepted is pushed to `queue:outgoing`, in order, at least once.

A crash between the push and the mark pushes a message again; the delivery's id makes that harmless.
"""

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from core.alarm import Outage
from core.bell import Bell
from core.clock import Clock
from core.messages import OutgoingMessage
from orchestrator.store import outbound
from orchestrator.store.outbound import Delivery
from orchestrator.store.pool import Pool

_AT_ONCE = 200
_SWEEP_SECONDS = 1.0
#: Any number that no other program's advisory lock uses: one relay at a time keeps the order.
_LOCK = 7_311_205_508_781
#: Pushed that long ago, in a chat where nothing has moved since: Redis may have lost it. A message that has
#: only waited for a worker is pushed a second time then, and recognised. Longer than deliver.LONGEST_DELAY.
_STALE = timedelta(minutes=15)


class Relay:
    """Woken by a bell when a reply is committed; looks by itself every second."""

    def __init__(self, pool: Pool, redis: Redis, queue: str, *, bell: Bell, clock: Clock) -> None:
        self._pool = pool
        self._redis = redis
        self._queue = queue
        self._bell = bell
        self._clock = clock
        self._outage = Outage("relay")
        self._ticket = 0

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            self._ticket = self._bell.ticket
            pause_ms = await self._outage.survive(self.push_all)
            if pause_ms:
                await self._bell.wait(self._bell.ticket, pause_ms / 1000)
            else:
                await self._bell.wait(self._ticket, _SWEEP_SECONDS)

    async def push_all(self) -> None:
        """Push everything that waits."""
        await outbound.unqueue_stale(self._pool, before=self._now() - _STALE)
        while await self._push_some() == _AT_ONCE:
            pass

    async def _push_some(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            waiting = await outbound.unqueued(connection, _AT_ONCE)
            if waiting:
                bodies = [_message(delivery).model_dump_json() for delivery in waiting]
                await self._redis.rpush(self._queue, *bodies)
                await outbound.mark_queued(connection, [one.id for one in waiting], now=self._now())
        return len(waiting)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def _message(delivery: Delivery) -> OutgoingMessage:
    return OutgoingMessage.model_validate(
        {
            "id": delivery.id,
            "channel": delivery.channel,
            "account": delivery.account,
            "external_chat_id": delivery.external_chat_id,
            "text": delivery.text,
            "image_url": delivery.image_url or None,
            "file_url": delivery.file_url,
            "file_kind": delivery.file_kind,
            "buttons": delivery.buttons,
            "reply_to": delivery.reply_to,
        }
    )
