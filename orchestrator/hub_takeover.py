"""Take-over at the hub: an agent hands a turn off; operators pause conversations and give them back."""

from datetime import timedelta
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, Field

from core.auth import bounds_now, caller_now, demand_operator
from core.errors import StateConflict
from core.operations import Arguments, Operation, asking
from orchestrator.account_names import AccountNames
from orchestrator.clients import chat_key
from orchestrator.hand_off import HandedOff, hand_off
from orchestrator.hub_arguments import (
    AccountArgument,
    ChannelArgument,
    ChatArgument,
    CursorArgument,
    LimitArgument,
    ReasonArgument,
    TokenArgument,
    TurnArgument,
)
from orchestrator.hub_models import ReplyResult
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import iso, lease_of
from orchestrator.hub_writing import Writing
from orchestrator.pauses import Chat, Grounds, Pause, list_pauses
from orchestrator.store.queries import sql
from orchestrator.takeover import give_back, take_over

log = structlog.get_logger()

_LONGEST_MINUTES = 60 * 24 * 365


class Conversation(Arguments):
    """Which conversation."""

    channel: ChannelArgument
    chat_id: ChatArgument
    account: AccountArgument = "default"
    reason: ReasonArgument = ""


class PauseRequest(Conversation):
    """For how long."""

    minutes: Annotated[
        int,
        Field(ge=0, le=_LONGEST_MINUTES, description="0: as after their own message", examples=[60]),
    ] = 0


class PausedConversation(BaseModel):
    """A conversation and whether the AI is silent there."""

    channel: str
    account: str
    chat_id: str
    state: Literal["paused", "active"]
    cause: str = Field(default="", description="hand_off, operator_message, operator_sent or command")
    paused_by: str = ""
    reason_untrusted: str = ""
    since: str = Field(default="", description="ISO 8601, UTC")
    until: str = Field(default="", description="ISO 8601, UTC; empty: until somebody resumes")


class PausedConversations(BaseModel):
    """One page of the conversations that a person has, the latest first."""

    conversations: list[PausedConversation]
    next_cursor: str = Field(default="", description="empty on the last page")


class TakeoverDesk:
    """Who has a conversation: the AI or a person."""

    def __init__(self, parts: HubParts, writing: Writing) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._writing = writing
        self._accounts = AccountNames(parts.manifests, parts.channels)

    def operations(self) -> list[Operation]:
        """One tool for agents; the rest is for operators."""
        talks, off = "/api/conversations", "/api/turns/{turn_id}/hand_off"
        pause, resume = asking(PauseRequest, self._pause), asking(Conversation, self._resume)
        return [
            Operation("hand_off", "Hand a turn off", "POST", off, self._hand_off, "work"),
            Operation("pause", "Pause the AI", "POST", f"{talks}/pause", pause, "work", tool=False),
            Operation("resume", "Give it back", "POST", f"{talks}/resume", resume, "work", tool=False),
            Operation("list_paused", "List paused", "GET", f"{talks}/paused", self._list, "read", tool=False),
        ]

    async def _hand_off(
        self, turn_id: TurnArgument, lease_token: TokenArgument, reason: ReasonArgument
    ) -> ReplyResult:
        """Give a turn to a person, when you cannot or must not answer it; you are silent there then."""
        lease, _ = lease_of(turn_id, lease_token)
        outcome = await hand_off(
            self._pool,
            lease,
            reason=reason,
            by=caller_now().name,
            rules=self._parts.rules,
            now=self._parts.now(),
        )
        log.info("turn_handed_off", turn=turn_id, outcome=type(outcome).__name__)
        if not isinstance(outcome, HandedOff):
            return await self._writing.result(lease, outcome)
        await self._parts.pause_news.tell()
        said = "A person takes over. Do not write there; call wait_for_turn for the next turn."
        return ReplyResult(status="handed_off", next_step=said)

    async def _pause(self, asked: PauseRequest) -> PausedConversation:
        """Take a conversation over: the AI is silent there; a pause in force is never shortened."""
        by, now, rules = demand_operator(), self._parts.now(), self._parts.rules
        length = timedelta(minutes=asked.minutes) if asked.minutes else rules.operator_pause
        grounds = Grounds("command", by, asked.reason, until=now + length)
        chat = await self._chat(asked)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("lock_keys"), [chat_key(*chat)])
            pause = await take_over(connection, chat, grounds, now)
        await self._parts.pause_news.tell()
        log.info("conversation_paused", channel=asked.channel, chat=asked.chat_id, by=by)
        return _shown(pause, "paused")

    async def _resume(self, asked: Conversation) -> PausedConversation:
        """Give a conversation back to the AI; what nobody has answered is offered to agents again."""
        by, now = demand_operator(), self._parts.now()
        chat = await self._chat(asked)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("lock_keys"), [chat_key(*chat)])
            pause = await give_back(connection, chat, by=by, reason=asked.reason, now=now)
        if pause is None:
            raise StateConflict("This conversation is not paused.", channel=asked.channel)
        await self._parts.pause_news.tell()
        await self._parts.turns_bell.ring()
        log.info("conversation_resumed", channel=asked.channel, chat=asked.chat_id, by=by)
        return _shown(pause, "active")

    async def _chat(self, asked: Conversation) -> Chat:
        """The conversation under its account's own name, by which its turns and messages go."""
        account = await self._accounts.account(asked.channel, asked.account)
        return (asked.channel, account, asked.chat_id)

    async def _list(self, limit: LimitArgument = 20, cursor: CursorArgument = "") -> PausedConversations:
        """List the conversations that a person has, the latest first."""
        chats = bounds.chats if (bounds := bounds_now()) else None
        now = self._parts.now()
        pauses, more = await list_pauses(self._pool, now, limit=limit, cursor=cursor, chats=chats)
        shown = [_shown(pause, "paused") for pause in pauses]
        return PausedConversations(conversations=shown, next_cursor=more)


def _shown(pause: Pause, state: Literal["paused", "active"]) -> PausedConversation:
    return PausedConversation(
        channel=pause.channel,
        account=pause.account,
        chat_id=pause.external_chat_id,
        state=state,
        cause=pause.cause,
        paused_by=pause.paused_by,
        reason_untrusted=pause.reason,
        since=iso(pause.started_at),
        until=iso(pause.until) if pause.until else "",
    )
