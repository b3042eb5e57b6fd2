"""Agents that wait for a turn, in the order in which they came.

One look at the database serves them all: a bell costs one query per process, however many agents wait in it,
and while nobody rings nobody holds a connection. Whoever has waited longest gets the turn.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import structlog

from core.bell import Bell
from core.unbroken import Unbroken
from orchestrator.turns import LeasedTurn

log = structlog.get_logger()

#: How often a look is taken by itself: for leases that ended, and for rings that were not heard.
SWEEP_SECONDS = 1.0

#: Turns for these agents, in their order; fewer when fewer wait.
Leases = Callable[[Sequence[str]], Awaitable[list[LeasedTurn]]]
PutsBack = Callable[[LeasedTurn], Awaitable[None]]


@dataclass(eq=False, slots=True)
class _Seat:
    """One agent that waits until `ends`, in the loop's time."""

    agent: str
    ends: float
    turn: "asyncio.Future[LeasedTurn | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class WaitingRoom:
    """Hands turns to agents: `leases` takes them, `puts_back` undoes that. Await `close` at the end."""

    def __init__(self, leases: Leases, puts_back: PutsBack, bell: Bell) -> None:
        self._leases = leases
        self._puts_back = puts_back
        self._bell = bell
        self._seats: list[_Seat] = []
        self._changed = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._stopped = False
        self._unbroken = Unbroken()

    async def wait(self, agent: str, seconds: float) -> LeasedTurn | None:
        """The next turn, now this agent's; None when none came in time.

        An agent that goes away while it waits takes none with it.
        """
        if self._stopped:
            return None
        seat = _Seat(agent, asyncio.get_running_loop().time() + seconds)
        self._seats.append(seat)
        self._serve_soon()
        try:
            return await seat.turn
        except asyncio.CancelledError:
            if turn := _handed(seat):
                await self.put_back(turn)
            raise
        finally:
            self._leave(seat)

    async def heard(self, leasing: Coroutine[Any, Any, list[LeasedTurn]]) -> list[LeasedTurn]:
        """What is leased outside the room; it is put back when the caller goes away meanwhile."""
        task = asyncio.get_running_loop().create_task(leasing)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await self._unbroken.run(self._undo(task))
            raise

    async def put_back(self, turn: LeasedTurn) -> None:
        """Undo a lease whose agent went away; it is done also when this call is cancelled."""
        await self._unbroken.run(self._return(turn))

    def stop(self) -> None:
        """Everybody who waits hears now that there is nothing."""
        self._stopped = True
        self._dismiss(self._seats)
        self._changed.set()

    async def close(self) -> None:
        """Stop, and wait for the look that is under way."""
        self.stop()
        if self._serving is not None:
            await self._serving
        await self._unbroken.close()

    @property
    def stopped(self) -> bool:
        """Whether nobody is kept waiting any more."""
        return self._stopped

    def _serve_soon(self) -> None:
        self._changed.set()
        if self._serving is None or self._serving.done():
            loop = asyncio.get_running_loop()
            self._serving = loop.create_task(self._serve(), context=Context())  # of no caller in particular

    async def _serve(self) -> None:
        """Look whenever the bell rings or somebody comes, as long as anybody waits."""
        while self._seats:
            ticket = self._bell.ticket
            self._changed.clear()
            await self._look(list(self._seats))
            if self._seats:
                await self._rest(ticket)

    async def _look(self, seats: Sequence[_Seat]) -> None:
        try:
            turns = await self._leases([seat.agent for seat in seats])
        except Exception as error:  # noqa: BLE001  # everybody who waited for this look is told
            failure = error
            self._answer(seats, lambda seat: seat.turn.set_exception(failure))
            return
        given = list(zip(seats, turns, strict=False))
        unheard = [turn for seat, turn in given if seat.turn.done()]
        turn_of = dict(given)
        self._answer(list(turn_of), lambda seat: seat.turn.set_result(turn_of[seat]))
        now = asyncio.get_running_loop().time()
        self._dismiss([seat for seat in seats if seat.ends <= now])
        for turn in unheard:
            await self.put_back(turn)

    def _dismiss(self, seats: Sequence[_Seat]) -> None:
        self._answer(seats, lambda seat: seat.turn.set_result(None))

    def _answer(self, seats: Sequence[_Seat], answer: Callable[[_Seat], None]) -> None:
        for seat in seats:
            if not seat.turn.done():
                answer(seat)
        self._seats = [seat for seat in self._seats if not seat.turn.done()]

    async def _rest(self, ticket: int) -> None:
        until = min(seat.ends for seat in self._seats) - asyncio.get_running_loop().time()
        rung = asyncio.ensure_future(self._bell.wait(ticket, max(0.0, min(until, SWEEP_SECONDS))))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((rung, changed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (rung, changed):
                one.cancel()
                with suppress(asyncio.CancelledError):
                    await one

    async def _undo(self, leasing: "asyncio.Task[list[LeasedTurn]]") -> None:
        for turn in await leasing:
            await self._return(turn)

    async def _return(self, turn: LeasedTurn) -> None:
        try:
            await self._puts_back(turn)
        except Exception:
            log.exception("turn_not_put_back", turn=turn.turn.id)  # its lease ends by itself
        else:
            await self._bell.ring()

    def _leave(self, seat: _Seat) -> None:
        """Nobody waits on this seat any more; a room that is empty rests no longer."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._changed.set()


def _handed(seat: _Seat) -> LeasedTurn | None:
    """The turn that was given to somebody who had just gone."""
    answered = seat.turn.done() and not seat.turn.cancelled() and seat.turn.exception() is None
    return seat.turn.result() if answered else None
