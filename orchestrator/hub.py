"""What agents can ask of the hub: wait for a turn, answer it, look things up, write to a chat."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

import structlog
from pydantic import Field

from core.auth import current_caller
from core.errors import ChannelError, NotFound, Rejected
from core.operations import Operation, asking
from orchestrator import appeals, turns
from orchestrator.hub_arguments import ReplyArguments, SendArguments, TokenArgument, TurnArgument
from orchestrator.hub_models import AppealDetails, AppealPage, ReplyResult, TurnOffer, TurnState
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import appeal_details, appeal_line, lease_of, offer
from orchestrator.hub_writing import Writing
from orchestrator.reach import NoWay
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.ways import Way

log = structlog.get_logger()

#: How often a waiting agent looks by itself: for leases that ended, and for rings that were not heard.
_SWEEP_SECONDS = 1.0
#: Longest look for a way to a client whose channel has none, before the turn is shown without it.
_WAY_SECONDS = 3.0

AppealArgument = Annotated[str, Field(pattern=r"^\d{1,18}$", description="From a turn or list_appeals")]


class Hub:
    """The operations of the orchestrator, for MCP tools and REST alike."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._writing = Writing(parts)
        self._stopping = False

    def stop(self) -> None:
        """Agents that wait hear within a second that there is nothing: the process ends."""
        self._stopping = True

    def operations(self) -> list[Operation]:
        """All of them, in the order in which an agent meets them."""
        turn, appeal = "/api/turns/{turn_id}", "/api/appeals/{appeal_id}"
        delivery = "/api/deliveries/{delivery_id}"
        reply = asking(ReplyArguments, self._writing.reply)
        send = asking(SendArguments, self._writing.send)
        look_up = self._writing.delivery
        return [
            Operation("wait_for_turn", "Wait for a turn", "POST", "/api/turns/wait", self._wait, "change"),
            Operation("reply", "Reply to a turn", "POST", f"{turn}/reply", reply, "send"),
            Operation("skip_turn", "Leave unanswered", "POST", f"{turn}/skip", self._skip, "change"),
            Operation("extend_turn", "Keep a turn longer", "POST", f"{turn}/extend", self._extend, "change"),
            Operation("release_turn", "Give a turn back", "POST", f"{turn}/release", self._release, "change"),
            Operation("get_appeal", "Get an appeal", "GET", appeal, self._get_appeal, "read"),
            Operation("list_appeals", "List appeals", "GET", "/api/appeals", self._list_appeals, "read"),
            Operation("close_appeal", "Close an appeal", "POST", f"{appeal}/close", self._close, "change"),
            Operation("send_message", "Send a message", "POST", "/api/messages/send", send, "send"),
            Operation("get_delivery", "Look a delivery up", "GET", delivery, look_up, "status"),
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
        way = await self._way(view.turn)
        return offer(view, self._parts.lease_seconds, way)

    async def _way(self, turn: turns.Turn) -> Way | NoWay | None:
        """Where an answer would go when not into the turn's own chat; None: it goes there."""
        if turn.channel in self._parts.channels:
            return None
        try:
            async with asyncio.timeout(_WAY_SECONDS):
                return await self._parts.reach.way(turn.client_id)
        except ChannelError as error:
            return NoWay(f"another way cannot be told now ({error.code})", passing=True)
        except TimeoutError:
            return NoWay("looking for another way takes long", passing=True)

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
        return await self._writing.result(lease, outcome)

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

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._parts.clock.now_ms() / 1000, UTC)


def _stale() -> TurnState:
    return TurnState(status="stale_lease", next_step="The lease had ended. Call wait_for_turn.")


def _caller() -> str:
    caller = current_caller.get()
    return caller.name if caller else "agent"
