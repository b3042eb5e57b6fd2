"""A migrated database and the moves that the tests of the store make; it holds no test itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from core.messages import IncomingMessage
from orchestrator.batching import Batch, ChatContext, ClosedBy, gather
from orchestrator.store.migrate import bundled, migrate
from orchestrator.store.pool import Pool, new_pool
from orchestrator.store.resolve import ResolvedBatch, resolve_batch
from orchestrator.turns import LeasedTurn, Outcome, Reply, commit_reply, lease_next_turn

T0 = datetime(2027, 1, 15, 8, tzinfo=UTC)
LEASE_SECONDS = 120.0


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def message(
    number: str, text: str = "", *, second: float = 0, chat: str = "chat-1", **more: Any
) -> IncomingMessage:
    """A customer's message (or another `event`), by default of Anna in chat-1 on Avito."""
    return IncomingMessage.model_validate(
        {
            "channel": "avito",
            "external_user_id": "anna",
            "external_chat_id": chat,
            "external_message_id": number,
            "text": text or f"text of {number}",
            "timestamp": at(second),
            **more,
        }
    )


def batch(
    *messages: IncomingMessage, closed_by: ClosedBy = "silence", context: ChatContext | None = None
) -> Batch:
    return gather(messages, closed_by=closed_by, context=context)


class Scene:
    """What happens to the database, by a clock that the test holds."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.now = at(60)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def resolve(self, *messages: IncomingMessage, context: ChatContext | None = None) -> ResolvedBatch:
        return await resolve_batch(self.pool, batch(*messages, context=context), now=self.now)

    async def lease(self, agent: str = "agent-1") -> LeasedTurn | None:
        return await lease_next_turn(self.pool, agent=agent, lease_seconds=LEASE_SECONDS, now=self.now)

    async def leased(self, agent: str = "agent-1") -> LeasedTurn:
        turn = await self.lease(agent)
        assert turn is not None
        return turn

    async def reply(self, turn: LeasedTurn, text: str = "Да", **more: Any) -> Outcome:
        return await commit_reply(self.pool, turn.lease, Reply(text, **more), now=self.now)

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.pool.fetch(query, *values)]

    async def value(self, query: str, *values: Any) -> Any:
        return await self.pool.fetchval(query, *values)

    async def texts_of_turn(self, turn_id: int | None) -> list[str]:
        rows = await self.rows(
            "SELECT message_text FROM messages_history WHERE turn_id = $1 ORDER BY id", turn_id
        )
        return [text for (text,) in rows]

    async def state_of(self, outbound_id: UUID | None) -> Any:
        return await self.value("SELECT state FROM outbound WHERE id = $1", outbound_id)


@asynccontextmanager
async def scene(database_url: str, *, connections: int = 5) -> AsyncIterator[Scene]:
    """A scene on a fresh, migrated database."""
    async with new_pool(database_url, connections=connections) as pool:
        async with pool.acquire() as connection:
            await migrate(connection, bundled(), lambda name: None)
        yield Scene(pool)
