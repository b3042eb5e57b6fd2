"""What agents can ask of the hub: wait for a turn, answer it, look things up, write to a chat."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import structlog
from pydantic import Field, ValidationError

from core.auth import current_caller
from core.bell import Bell
from core.clock import Clock
from core.echoes import storage_errors
from core.errors import NotFound, Rejected
from core.messages import OutgoingMessage
from core.operations import Operation
from orchestrator import appeals, turns
from orchestrator.close_now import ClosesNow
from orchestrator.hub_models import (
    AppealDetails,
    AppealPage,
    Delivery,
    Queued,
    ReplyResult,
    TurnOffer,
    TurnState,
)
from orchestrator.hub_views import (
    appeal_details,
    appeal_line,
    delivery_view,
    lease_of,
    message_view,
    offer,
    token_of,
)
from orchestrator.store import outbound
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.store.pool import Pool

log = structlog.get_logger()

#: How often a waiting agent looks by itself: for leases that ended, and for rings that were not heard.
_SWEEP_SECONDS = 1.0
REPLY_MAX = 20_000

TurnArgument = Annotated[str, Field(pattern=r"^\d{1,18}$", description="From wait_for_turn")]
TokenArgument = Annotated[str, Field(min_length=1, max_length=60, description="From wait_for_turn")]
AppealArgument = Annotated[str, Field(pattern=r"^\d{1,18}$", description="From a turn or list_appeals")]


@dataclass(frozen=True, slots=True)
class HubParts:
    """What the hub is made of. `channels` are those that can be written to."""

    pool: Pool
    clock: Clock
    turns_bell: Bell
    outbox_bell: Bell
    channels: Collection[str]
    lease_seconds: float
    gathering: ClosesNow


class Hub:
    """The operations of the orchestrator, for MCP tools and REST alike."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._stopping = False

    def stop(self) -> None:
        """Agents that wait hear within a second that there is nothing: the process ends."""
        self._stopping = True

    def operations(self) -> list[Operation]:
        """All of them, in the order in which an agent meets them."""
        turn, appeal = "/api/turns/{turn_id}", "/api/appeals/{appeal_id}"
        delivery = "/api/deliveries/{delivery_id}"
        return [
            Operation("wait_for_turn", "Wait for a turn", "POST", "/api/turns/wait", self._wait, "change"),
            Operation("reply", "Reply to a turn", "POST", f"{turn}/reply", self._reply, "send"),
            Operation("skip_turn", "Leave unanswered", "POST", f"{turn}/skip", self._skip, "change"),
            Operation("extend_turn", "Keep a turn longer", "POST", f"{turn}/extend", self._extend, "change"),
            Operation("release_turn", "Give a turn back", "POST", f"{turn}/release", self._release, "change"),
            Operation("get_appeal", "Get an appeal", "GET", appeal, self._get_appeal, "read"),
            Operation("list_appeals", "List appeals", "GET", "/api/appeals", self._list_appeals, "read"),
            Operation("close_appeal", "Close an appeal", "POST", f"{appeal}/close", self._close, "change"),
            Operation("send_message", "Send a message", "POST", "/api/messages/send", self._send, "send"),
            Operation("get_delivery", "Look a delivery up", "GET", delivery, self._get_delivery, "status"),
        ]

    async def _wait(
        self,
        wait_seconds: Annotated[int, Field(ge=0, le=50, description="How long to wait at most")] = 25,
        agent: Annotated[str, Field(max_length=80, description="Your name, for the logs")] = "",
    ) -> TurnOffer:
        """Wait until a customer has finished writing and take that turn; it is yours until its lease ends.
        Answer with reply, or with skip_turn when nothing needs saying, then wait again."""
        ends = asyncio.get_running_loop().time() + wait_seconds
        while True:
            ticket = self._parts.turns_bell.ticket
            leased = await turns.lease_next_turn(
                self._pool, agent=agent or _caller(), lease_seconds=self._parts.lease_seconds, now=self._now()
            )
            if leased is not None:
                return await self._offer(leased.turn.id)
            left = ends - asyncio.get_running_loop().time()
            if left <= 0 or self._stopping:
                return TurnOffer(status="none", next_step="Nobody wrote. Call wait_for_turn again.")
            await self._parts.turns_bell.wait(ticket, min(left, _SWEEP_SECONDS))

    async def _offer(self, turn_id: int) -> TurnOffer:
        view = await turns.turn_view(self._pool, turn_id)
        if view is None:
            raise NotFound(f"The turn {turn_id} is gone.")
        return offer(view, self._parts.lease_seconds, self._parts.channels)

    async def _reply(
        self,
        turn_id: TurnArgument,
        lease_token: TokenArgument,
        text: Annotated[str, Field(max_length=REPLY_MAX, description="Plain text; long ones are split")] = "",
        image_url: Annotated[str, Field(max_length=2000, description="Public address of a picture")] = "",
        force: Annotated[bool, Field(description="Send although the customer wrote on meanwhile")] = False,
    ) -> ReplyResult:
        """Answer a turn, once. If the customer wrote on meanwhile nothing is sent: the answer has the new
        messages, and you reply again to all of them with the lease_token that comes with them."""
        lease, seen = lease_of(turn_id, lease_token)
        turn = await turns.get_turn(self._pool, lease.turn_id)
        if turn is None:
            raise NotFound(f"There is no turn {turn_id}.")
        if turn.channel not in self._parts.channels:
            raise Rejected(f"The channel {turn.channel!r} has no way back to the customer. Use skip_turn.")
        if not force and _holds(lease, turn):
            with storage_errors():
                await self._parts.gathering.close_now(*turn.chat)
        try:
            answer = turns.Reply(text, image_url, seen=turns.Seen(seen, force))
            with only_storable():
                outcome = await turns.commit_reply(self._pool, lease, answer, now=self._now())
        except Unstorable as error:
            raise Rejected("A reply needs a text or an image_url, of readable characters.") from error
        return await self._reply_result(lease, outcome)

    async def _reply_result(self, lease: turns.Lease, outcome: turns.Outcome) -> ReplyResult:
        match outcome:
            case turns.Committed(outbound_id):
                await self._parts.outbox_bell.ring()
                return ReplyResult(
                    status="queued" if outbound_id else "closed",
                    delivery_id=str(outbound_id or ""),
                    next_step="The turn is done. Call wait_for_turn for the next one.",
                )
            case turns.Superseded(new_messages):
                turn = await turns.get_turn(self._pool, lease.turn_id)
                return ReplyResult(
                    status="superseded",
                    lease_token=token_of(turn) if turn else "",
                    new_messages=[message_view(message) for message in new_messages],
                    next_step="Nothing was sent. Reply to all messages, with the lease_token given here.",
                )
            case turns.AlreadyAnswered(outbound_id, _):
                return ReplyResult(
                    status="already_answered",
                    delivery_id=str(outbound_id or ""),
                    next_step="This turn was answered before; nothing more was sent.",
                )
            case turns.StaleLease():
                return ReplyResult(
                    status="stale_lease",
                    next_step="The lease had ended and nothing was sent. Call wait_for_turn.",
                )

    async def _skip(
        self,
        turn_id: TurnArgument,
        lease_token: TokenArgument,
        reason: Annotated[str, Field(max_length=500, description="Why nothing needs saying")] = "",
    ) -> ReplyResult:
        """Finish a turn without an answer, when nothing needs saying or the channel has no way back."""
        lease, seen = lease_of(turn_id, lease_token)
        outcome = await turns.commit_silence(self._pool, lease, seen=turns.Seen(seen), now=self._now())
        log.info("turn_skipped", turn=turn_id, reason=reason, outcome=type(outcome).__name__)
        return await self._reply_result(lease, outcome)

    async def _extend(self, turn_id: TurnArgument, lease_token: TokenArgument) -> TurnState:
        """Keep a turn for another lease while you still work on it."""
        lease, _ = lease_of(turn_id, lease_token)
        until = await turns.extend(
            self._pool, lease, lease_seconds=self._parts.lease_seconds, now=self._now()
        )
        return TurnState(status="extended") if until else _stale()

    async def _release(self, turn_id: TurnArgument, lease_token: TokenArgument) -> TurnState:
        """Give a turn back unanswered; it is offered to the next agent at once."""
        lease, _ = lease_of(turn_id, lease_token)
        released = await turns.release(self._pool, lease, now=self._now())
        if not released:
            return _stale()
        await self._parts.turns_bell.ring()
        return TurnState(status="released")

    async def _get_appeal(self, appeal_id: AppealArgument) -> AppealDetails:
        """Get a support case: who the client is, what it is about, and its last messages."""
        view = await appeals.get_appeal(self._pool, int(appeal_id))
        if view is None:
            raise NotFound(f"There is no appeal {appeal_id}.")
        return appeal_details(view)

    async def _list_appeals(
        self,
        status: Annotated[Literal["open", "resolved", "all"], Field(description="Which ones")] = "open",
        channel: Annotated[str, Field(max_length=32, description="Only of this channel; empty: all")] = "",
        limit: Annotated[int, Field(ge=1, le=100, description="Rows per page")] = 20,
        cursor: Annotated[str, Field(max_length=200, description="next_cursor of the page before")] = "",
    ) -> AppealPage:
        """List support cases, latest change first."""
        try:
            with only_storable():
                page = await appeals.list_appeals(
                    self._pool,
                    status=None if status == "all" else status,
                    channel=channel or None,
                    limit=limit,
                    cursor=cursor,
                )
        except Unstorable as error:
            raise Rejected("The cursor or the channel is none of this list. Call without it.") from error
        lines = [appeal_line(appeal) for appeal in page.appeals]
        return AppealPage(appeals=lines, next_cursor=page.next_cursor)

    async def _close(
        self,
        appeal_id: AppealArgument,
        reason: Annotated[str, Field(max_length=500, description="Why it is done")] = "",
    ) -> AppealDetails:
        """Close a support case as resolved; the client's next message opens a new one."""
        if await appeals.close_appeal(self._pool, int(appeal_id), reason=reason, now=self._now()) is None:
            raise NotFound(f"There is no appeal {appeal_id}.")
        return await self._get_appeal(appeal_id)

    async def _send(
        self,
        channel: Annotated[str, Field(max_length=32, description="Such as avito")],
        chat_id: Annotated[str, Field(min_length=1, max_length=512, description="From a turn or an appeal")],
        text: Annotated[str, Field(min_length=1, max_length=REPLY_MAX, description="Plain text")],
        account: Annotated[str, Field(max_length=32, description="Which account of the channel")] = "default",
        idempotency_key: Annotated[
            str, Field(max_length=200, description="Repeat it on a retry and it is sent once")
        ] = "",
    ) -> Queued:
        """Write to a chat outside a turn. To answer a turn use reply instead."""
        if channel not in self._parts.channels:
            raise Rejected(
                f"Cannot write on {channel[:40]!r}; known: {', '.join(sorted(self._parts.channels))}."
            )
        given = {"channel": channel, "external_chat_id": chat_id, "text": text, "account": account}
        try:
            message = OutgoingMessage.model_validate(given | {"idempotency_key": idempotency_key or None})
        except ValidationError as error:
            raise Rejected("The message needs a text and a valid account.") from error
        accepted = await outbound.insert_outbound(self._pool, message, origin="tool", now=self._now())
        await self._parts.outbox_bell.ring()
        return Queued(status="queued" if accepted.created else "duplicate", delivery_id=str(message.id))

    async def _get_delivery(
        self, delivery_id: Annotated[str, Field(max_length=60, description="From reply or send_message")]
    ) -> Delivery:
        """Look up what became of a message that was sent or queued."""
        try:
            found = await outbound.get_delivery(self._pool, UUID(delivery_id))
        except ValueError as error:
            raise NotFound("There is no such delivery.") from error
        if found is None:
            raise NotFound("There is no such delivery.")
        return delivery_view(found)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._parts.clock.now_ms() / 1000, UTC)


def _holds(lease: turns.Lease, turn: turns.Turn) -> bool:
    """Whether this agent works on the turn; nobody else may end what the customer is still writing."""
    return turn.status == "leased" and turn.lease_token == lease.token


def _stale() -> TurnState:
    return TurnState(status="stale_lease", next_step="The lease had ended. Call wait_for_turn.")


def _caller() -> str:
    caller = current_caller.get()
    return caller.name if caller else "agent"
