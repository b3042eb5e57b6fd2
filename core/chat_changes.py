"""Who listens to a chat at a channel server hears that something came or was sent: soon, once for many.

A notice is a hint (docs/resources.md): nothing is stored for it, and nothing waits for it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from core.channel import Arrival
from core.ids import AccountId
from core.operations import SPEAKING, Operation, Risk
from core.resource_names import chat_name

#: Seconds between two tellings: whatever happens in a chat meanwhile is one notice.
PAUSE_SECONDS = 0.25
_CHANGING: frozenset[Risk] = SPEAKING | {"change", "delete"}


class TellsChanges(Protocol):
    """Reaches the listeners (core/resource_bus.py); never fails."""

    async def changed(self, *uris: str) -> None: ...


class ChatChanges:
    """Of one channel. `names` gives an account's own name for the one that a caller wrote."""

    def __init__(
        self,
        bus: TellsChanges,
        channel: str,
        names: Callable[[str], AccountId],
        *,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._bus = bus
        self._channel = channel
        self._names = names
        self._pause = pause
        self._untold: dict[tuple[AccountId, str], None] = {}
        self._some = asyncio.Event()

    def note(self, account: AccountId, arrivals: Sequence[Arrival]) -> None:
        """These are stored; never waits."""
        self._note(account, (one.message.external_chat_id for one in arrivals))

    def following(self, operation: Operation) -> Operation:
        """The same operation, after which the chats that it names are told of."""
        named = {"chat_id", "chat_ids"} & operation.signature.parameters.keys()
        if operation.risk not in _CHANGING or not named:
            return operation

        async def run(**given: Any) -> BaseModel:
            try:
                return await operation.run(**given)
            finally:  # after a failure too: nobody knows how much of it was done
                chats = [given["chat_id"]] if "chat_id" in given else given["chat_ids"]
                self._note(self._names(given["account"]), chats)

        return operation.carried_out_by(run)

    def _note(self, account: AccountId, chats: Iterable[str]) -> None:
        self._untold |= dict.fromkeys((account, chat) for chat in chats)
        self._some.set()

    async def run(self) -> None:
        """Tell until cancelled; first the pause, in which our own list of chats hears of it too."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._pause)
            self._some.clear()
            untold, self._untold = self._untold, {}
            await self._bus.changed(*(chat_name(self._channel, *place) for place in untold))
