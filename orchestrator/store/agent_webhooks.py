"""How the agent's webhook is doing (table `agent_webhooks`), the same for every replica."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.store.pool import Executor
from orchestrator.store.queries import sql


@dataclass(frozen=True, slots=True)
class WebhookState:
    """`disabled_at`: it said that it is gone. The last failure stays until the next one."""

    disabled_at: datetime | None = None
    failed_at: datetime | None = None
    error: str = ""


async def get_webhook(executor: Executor, mark: str) -> WebhookState:
    """The state of the webhook whose address has this mark."""
    row = await executor.fetchrow(sql("get_agent_webhook"), mark)
    return WebhookState(**dict(row)) if row is not None else WebhookState()


async def note_failure(
    executor: Executor, mark: str, error: str, *, now: datetime, gone: bool = False
) -> None:
    """Remember a failure; `gone` disables the webhook."""
    await executor.execute(sql("agent_webhook_failed"), mark, now, error, gone)


async def enable(executor: Executor, mark: str) -> None:
    """Send again."""
    await executor.execute(sql("enable_agent_webhook"), mark)
