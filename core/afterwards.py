"""What follows a stored webhook without holding up its 200: list of chats, answered presses, listeners."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, Protocol

import structlog

from core.channel import AnswersPresses, Arrival, Channel
from core.errors import ChannelError
from core.ids import AccountId
from core.inbox import Stored

#: Deliveries that may wait; what comes beyond goes without.
MOST_WAITING = 1_000
#: Longest wait at the end, seconds, for what is left to do.
GOODBYE_SECONDS = 5.0
_NEWS = ("queued", "spooled")


class Remembers(Protocol):
    """Our own list of chats (core/known_chats.py)."""

    async def note(self, account: AccountId, arrivals: Sequence[Arrival]) -> None: ...


class HearsOfChats(Protocol):
    """Who watches chats (core/chat_changes.py); never waits and never fails."""

    def note(self, account: AccountId, arrivals: Sequence[Arrival]) -> None: ...


class _Work(NamedTuple):
    channel: Channel
    arrivals: Sequence[Arrival]


class Afterwards:
    """Does its work one delivery after the other while `run()` is entered; a failure costs that work only."""

    def __init__(
        self,
        known: Remembers | None = None,
        watched: HearsOfChats | None = None,
        *,
        goodbye: float = GOODBYE_SECONDS,
    ) -> None:
        self._known = known
        self._watched = watched
        self._goodbye = goodbye
        self._waiting: asyncio.Queue[_Work] = asyncio.Queue(MOST_WAITING)

    def note(self, channel: Channel, arrivals: Sequence[Arrival], stored: Sequence[Stored]) -> None:
        """Take over what was new in a delivery; never waits."""
        new = [one for one, outcome in zip(arrivals, stored, strict=True) if outcome in _NEWS]
        if self._watched:
            self._watched.note(channel.account, new)
        if not new or not (self._known or _has_presses(channel, new)):
            return
        try:
            self._waiting.put_nowait(_Work(channel, new))
        except asyncio.QueueFull:
            structlog.get_logger().warning("afterwards_full", channel=channel.name, account=channel.account)

    async def idle(self) -> None:
        """Return when nothing waits."""
        await self._waiting.join()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Own the worker; what waits at the end is still done, unless it takes too long."""
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(self._keep_working())
            try:
                yield
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._goodbye):
                        await self.idle()
                worker.cancel()

    async def _keep_working(self) -> None:
        while True:
            work = await self._waiting.get()
            try:
                await self._do(work)
            except Exception:  # noqa: BLE001  # top of the loop: the next delivery must be served
                structlog.get_logger().exception("afterwards_failed", channel=work.channel.name)
            finally:
                self._waiting.task_done()

    async def _do(self, work: _Work) -> None:
        """Note the chats, then answer the presses; none of them waits for another to succeed."""
        channel = work.channel
        if self._known:
            await _tried(channel, self._known.note(channel.account, work.arrivals))
        if isinstance(channel, AnswersPresses):
            for one in filter(_is_press, work.arrivals):
                await _tried(channel, channel.answer_press(one.message))


def _has_presses(channel: Channel, arrivals: Sequence[Arrival]) -> bool:
    """Whether there is something to answer. The channel is looked at last, for that is slow."""
    return any(map(_is_press, arrivals)) and isinstance(channel, AnswersPresses)


def _is_press(arrival: Arrival) -> bool:
    return arrival.message.event == "postback"


async def _tried(channel: Channel, work: Awaitable[None]) -> None:
    try:
        await work
    except ChannelError as error:
        log = structlog.get_logger()
        log.warning("afterwards_not_done", channel=channel.name, account=channel.account, code=error.code)
