"""The route that the hub calls."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.agent.hub import HubRefused, Turn
from examples.webhook_receiver.signature import verified

LONGEST_BODY = 64 * 1024
_READY = "turn.ready"

log = logging.getLogger(__name__)


class TakesTurns(Protocol):
    """What the receiver asks of the hub (examples/agent/hub.py)."""

    async def take_turn(self, agent: str, turn_id: str) -> Turn | None: ...


class Receiver:
    """Takes the turns that it is told of and hands them to `serve`, in the background."""

    def __init__(
        self,
        secret: str,
        hub: TakesTurns,
        serve: Callable[[Turn], Awaitable[None]],
        *,
        name: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._hub = hub
        self._serve = serve
        self._name = name
        self._clock = clock
        self._at_work: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        """POST /wake."""
        return Starlette(routes=[Route("/wake", self._wake, methods=["POST"])])

    async def finish(self) -> None:
        """Wait for the turns in hand."""
        await asyncio.gather(*self._at_work, return_exceptions=True)

    async def _wake(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > LONGEST_BODY:
            return Response(status_code=413)
        if not verified(self._secret, request.headers, body, now=self._clock()):
            return Response(status_code=401)
        event: dict[str, Any] = json.loads(body)
        if event.get("type") != _READY:
            return Response(status_code=204)  # news of a kind that we do not know yet
        try:
            turn = await self._hub.take_turn(self._name, event["data"]["turn_id"])
        except HubRefused as refused:
            log.warning("hub refused · %s", refused)
            return Response(status_code=503)
        if turn is not None:  # else somebody has it: all is well
            self._begin(turn)
        return Response(status_code=204)

    def _begin(self, turn: Turn) -> None:
        """Only now is it ours: should we die, its lease ends and we are called again."""
        task = asyncio.get_running_loop().create_task(self._work(turn))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _work(self, turn: Turn) -> None:
        try:
            await self._serve(turn)
        except Exception:  # one turn must not stop the others; its lease ends and it is offered again
            log.exception("turn %s failed", turn.turn_id)
