"""The inbox at the hub: how many turns wait, to be read and watched, and how the agent's webhook is doing."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from core.auth import demand_operator
from core.errors import NotFound
from core.operations import Operation
from core.resources import ResourceOf
from orchestrator.agent_webhook import Target
from orchestrator.announcer import INBOX
from orchestrator.hub_parts import HubParts
from orchestrator.store import agent_webhooks, notices
from orchestrator.store.notices import Backlog

_WEBHOOK = "/api/agent-webhook"


class WaitingOf(BaseModel):
    """The turns of one account of a channel that wait."""

    channel: str
    account: str
    waiting: int
    since: str = Field(description="when the oldest began to wait; ISO 8601, UTC")


class Inbox(BaseModel):
    """The turns that any agent may take now; no words of customers."""

    waiting: int
    since: str = Field(default="", description="when the oldest began to wait; empty when none waits")
    channels: list[WaitingOf]
    next_step: str = ""


class AgentWebhookState(BaseModel):
    """How the agent's webhook is doing."""

    host: str
    enabled: bool = Field(description="false: it answered 410 Gone")
    disabled_at: str = ""
    waiting: int = Field(description="turns it is not told of yet")
    failing: int = Field(description="of these, how many calls failed before")
    failed_at: str = Field(default="", description="the last failure")
    error: str = ""


class InboxDesk:
    """`target` None: no webhook is set."""

    def __init__(self, parts: HubParts, target: Target | None) -> None:
        self._parts = parts
        self._target = target
        path, run = "/api/turns/waiting", self._waiting
        self._inbox = Operation("waiting_turns", "Turns that wait", "GET", path, run, "status", tool=False)

    def operations(self) -> list[Operation]:
        """For programs and operators; agents are woken, or wait."""
        state, enable, again = self.state, self._enable, f"{_WEBHOOK}/enable"
        return [
            self._inbox,
            Operation("agent_webhook", "Agent's webhook", "GET", _WEBHOOK, state, "status", tool=False),
            Operation("enable_agent_webhook", "Enable it", "POST", again, enable, "change", tool=False),
        ]

    def resources(self) -> list[ResourceOf]:
        """What may be watched: told when a turn begins to wait, not when one is taken."""
        return [ResourceOf(INBOX, self._inbox)]

    async def _waiting(self) -> Inbox:
        """How many turns wait for an agent and since when, per channel. wait_for_turn takes one."""
        found = await notices.waiting(self._parts.pool, now=self._parts.now())
        channels = [
            WaitingOf(
                channel=one.channel, account=one.account, waiting=one.waiting, since=one.since.isoformat()
            )
            for one in found
        ]
        return Inbox(
            waiting=sum(one.waiting for one in found),
            since=channels[0].since if channels else "",
            channels=channels,
            next_step="Call wait_for_turn." if channels else "",
        )

    async def state(self) -> AgentWebhookState:
        """Whether the agent's webhook is called, and what became of the last calls."""
        target = self._known_target()
        state = await agent_webhooks.get_webhook(self._parts.pool, target.mark)
        waiting = (await self.backlog()).get("webhook", Backlog())
        return AgentWebhookState(
            host=target.host,
            enabled=state.disabled_at is None,
            disabled_at=_written(state.disabled_at),
            waiting=waiting.waiting,
            failing=waiting.failing,
            failed_at=_written(state.failed_at),
            error=state.error,
        )

    async def backlog(self) -> Mapping[str, Backlog]:
        """What is still to be told, by way."""
        return await notices.backlog(self._parts.pool)

    async def _enable(self) -> AgentWebhookState:
        """Call the agent's webhook again after it answered 410 Gone; turns that wait are told at once."""
        demand_operator()
        await agent_webhooks.enable(self._parts.pool, self._known_target().mark)
        await self._parts.turns_bell.ring()
        return await self.state()

    def _known_target(self) -> Target:
        if self._target is None:
            raise NotFound("No webhook is set: AGENT_WEBHOOK_URL is empty.")
        return self._target


def _written(at: datetime | None) -> str:
    return at.isoformat() if at else ""
