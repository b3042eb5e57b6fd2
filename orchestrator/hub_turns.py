"""The turns at the hub: wait for one, keep it, give it back, finish it in silence."""

import asyncio
import math
from collections.abc import Sequence
from typing import Annotated

import structlog
from pydantic import Field

from core.auth import bounds_now, caller_now
from core.errors import ChannelError, NotFound
from core.fence import beyond
from core.operations import Operation, asking
from orchestrator import turns
from orchestrator.hub_arguments import ReasonArgument, ReplyArguments, TokenArgument, TurnArgument
from orchestrator.hub_models import ReplyResult, TurnOffer, TurnState
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import lease_of, offer
from orchestrator.hub_writing import Writing
from orchestrator.reach import NoWay
from orchestrator.store.queries import sql
from orchestrator.waiting import SWEEP_SECONDS, WaitingRoom
from orchestrator.ways import Way

log = structlog.get_logger()

#: Longest look for a way to a client whose channel has none, before the turn is shown without it.
_WAY_SECONDS = 3.0


class TurnDesk:
    """Offers turns to agents; `writing` words what became of one."""

    def __init__(self, parts: HubParts, writing: Writing) -> None:
        self._parts = parts
        self._pool = parts.pool
        self._writing = writing
        self._room = WaitingRoom(self._lease, self._put_back, parts.turns_bell)

    def stop(self) -> None:
        """Agents that wait hear that there is nothing: the process ends."""
        self._room.stop()

    async def close(self) -> None:
        """Wait for what is under way for agents that wait, or went away."""
        await self._room.close()

    def operations(self) -> list[Operation]:
        """In the order in which an agent meets them."""
        turn, reply = "/api/turns/{turn_id}", asking(ReplyArguments, self._writing.reply)
        extend, back = f"{turn}/extend", f"{turn}/release"
        return [
            Operation(
                "wait_for_turn",
                "Wait for a turn",
                "POST",
                "/api/turns/wait",
                self._wait,
                "work",
                repeatable=False,  # the next call takes the next turn
            ),
            Operation(
                "reply",
                "Reply to a turn",
                "POST",
                f"{turn}/reply",
                reply,
                "answer",
                repeatable=True,  # a turn is answered once
                rehearse=self._writing.rehearse_reply,
            ),
            Operation("skip_turn", "Leave unanswered", "POST", f"{turn}/skip", self._skip, "work"),
            Operation(
                "extend_turn", "Keep a turn longer", "POST", extend, self._extend, "work", outside=False
            ),
            Operation("release_turn", "Give a turn back", "POST", back, self._release, "work", outside=False),
        ]

    async def _wait(
        self,
        wait_seconds: Annotated[int, Field(ge=0, le=50, description="At most", examples=[50])] = 25,
        agent: Annotated[
            str, Field(max_length=80, description="Your name, for the logs", examples=["night-shift"])
        ] = "",
        turn_id: Annotated[
            str,
            Field(pattern=r"^\d{0,18}$", description="Only this turn, when told of it", examples=["4211"]),
        ] = "",
    ) -> TurnOffer:
        """Wait until a customer has finished writing and take that turn, to begin and after each turn you
        end; it is yours for lease_seconds."""
        name = agent or _caller()
        if turn_id:
            leased = await self._this_turn(int(turn_id), name, min(wait_seconds, self._seconds_of_token()))
            said = f"The turn {turn_id} is not free: taken, answered or gone. Call wait_for_turn without it."
        elif bounds := bounds_now():
            seconds = min(wait_seconds, self._seconds_of_token())
            leased = await self._of_appeal(int(bounds.appeal_id), name, seconds)
            said = "Nobody wrote in this appeal. Call wait_for_turn again."
        else:
            leased = await self._room.wait(name, wait_seconds)
            said = "Nobody wrote. Call wait_for_turn again."
        if leased is None:
            return TurnOffer(status="none", next_step=said)
        try:
            await self._check_token()
            return await self._offer(leased.turn.id)
        except BaseException:
            await self._room.put_back(leased)  # nobody hears of it: the agent went away, or we failed
            raise

    async def _this_turn(self, turn_id: int, agent: str, seconds: float) -> turns.LeasedTurn | None:
        """This turn, now the agent's; while it waits behind another one of its chat, for so long at most."""
        ends = asyncio.get_running_loop().time() + seconds
        while True:
            ticket = self._parts.turns_bell.ticket
            leased = await self._room.heard(self._lease([agent], turn_id))
            if leased:
                return leased[0]
            turn = await turns.get_turn(self._pool, turn_id)
            left = ends - asyncio.get_running_loop().time()
            if turn is None or turn.status != "ready" or left <= 0 or self._room.stopped:
                return None
            await self._parts.turns_bell.wait(ticket, min(left, SWEEP_SECONDS))

    async def _of_appeal(self, appeal_id: int, agent: str, seconds: float) -> turns.LeasedTurn | None:
        """The next turn of this appeal, for whose token it is."""
        ends = asyncio.get_running_loop().time() + seconds
        while True:
            ticket = self._parts.turns_bell.ticket
            query = sql("offered_turn_of_appeal"), appeal_id, self._parts.now()
            if (turn_id := await self._pool.fetchval(*query)) is not None:
                leased = await self._room.heard(self._lease([agent], turn_id))
                if leased:
                    return leased[0]
            left = ends - asyncio.get_running_loop().time()
            if left <= 0 or self._room.stopped:
                return None
            await self._parts.turns_bell.wait(ticket, min(left, SWEEP_SECONDS))

    def _seconds_of_token(self) -> float:
        """What a token of one appeal has left; without one there is no end."""
        return caller_now().seconds_left(self._parts.clock.now_ms()) if bounds_now() else math.inf

    async def _check_token(self) -> None:
        """NotPermitted when the token ended while its agent waited: no answer would be taken from it."""
        bounds = bounds_now()
        if bounds and (self._seconds_of_token() <= 0 or not await self._parts.alive(bounds)):
            raise beyond(bounds)

    @property
    def _lease_seconds(self) -> float:
        """A lease ends with the token by which it was taken: nobody could answer after that."""
        return min(self._parts.lease_seconds, self._seconds_of_token())

    async def _lease(self, agents: Sequence[str], turn_id: int | None = None) -> list[turns.LeasedTurn]:
        seconds = self._lease_seconds
        return await turns.lease_next_turns(
            self._pool, agents, lease_seconds=seconds, now=self._parts.now(), turn_id=turn_id
        )

    async def _put_back(self, turn: turns.LeasedTurn) -> None:
        await turns.put_back(self._pool, turn, now=self._parts.now())

    async def _offer(self, turn_id: int) -> TurnOffer:
        view = await turns.turn_view(self._pool, turn_id)
        if view is None:
            raise NotFound(f"The turn {turn_id} is gone.")
        way = await self._way(view.turn)
        return offer(view, self._lease_seconds, way, self._parts.files)

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
        reason: ReasonArgument = "",
    ) -> ReplyResult:
        """Finish a turn without an answer, when nothing needs saying or the channel has no way back."""
        lease, message_id = lease_of(turn_id, lease_token)
        if turn := await turns.get_turn(self._pool, lease.turn_id):
            await self._writing.catch_up(lease, turn)
        seen = self._writing.seen(message_id)
        outcome = await turns.commit_silence(self._pool, lease, seen=seen, now=self._parts.now())
        log.info("turn_skipped", turn=turn_id, explained=bool(reason), outcome=type(outcome).__name__)
        return await self._writing.result(lease, outcome)

    async def _extend(self, turn_id: TurnArgument, lease_token: TokenArgument) -> TurnState:
        """Keep a turn for another lease while you still work on it."""
        lease, _ = lease_of(turn_id, lease_token)
        until = await turns.extend(
            self._pool, lease, lease_seconds=self._lease_seconds, now=self._parts.now()
        )
        return TurnState(status="extended") if until else _stale()

    async def _release(self, turn_id: TurnArgument, lease_token: TokenArgument) -> TurnState:
        """Give a turn back unanswered when you cannot go on; the next agent gets it at once."""
        lease, _ = lease_of(turn_id, lease_token)
        released = await turns.release(self._pool, lease, now=self._parts.now())
        if not released:
            return _stale()
        await self._parts.turns_bell.ring()
        return TurnState(status="released")


def _stale() -> TurnState:
    return TurnState(status="stale_lease", next_step="The lease had ended. Call wait_for_turn.")


def _caller() -> str:
    return caller_now().name
