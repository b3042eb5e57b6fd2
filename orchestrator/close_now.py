"""Before an agent's reply goes out: what the customer wrote meanwhile is resolved at once, silence or not."""

import asyncio
from typing import Protocol

from core.bell import Bell
from core.chats import Chats, member_name
from core.clock import Clock
from core.messages import IncomingMessage
from core.unbroken import Unbroken
from orchestrator.debounce import Debouncer

#: A worker that has the chat needs seconds at most: facts from the vendor and one transaction.
PATIENCE_SECONDS = 5.0
#: Not every batch rings: one without a question makes no turn.
_LOOK_SECONDS = 0.1


class ClosesNow(Protocol):
    """Makes a chat's gathered messages part of the history now."""

    async def close_now(self, channel: str, account: str, chat_id: str) -> None: ...


class Gathering:
    """The batches that are still being gathered. Await `close()` at the end."""

    def __init__(
        self,
        chats: Chats[IncomingMessage],
        debouncer: Debouncer,
        clock: Clock,
        turns_bell: Bell,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._chats = chats
        self._debouncer = debouncer
        self._clock = clock
        self._bell = turns_bell
        self._patience = patience
        self._unbroken = Unbroken()

    async def close_now(self, channel: str, account: str, chat_id: str) -> None:
        """Resolve the chat's batch if there is one; a worker that has it is waited for, for a few seconds."""
        member = member_name(channel, account, chat_id)
        await self._unbroken.run(self._close(member))
        await self._until_free(member)

    async def close(self) -> None:
        """Wait for the batches in work: an agent that went away does not cut them off."""
        await self._unbroken.close()

    async def _until_free(self, member: str) -> None:
        ends = asyncio.get_running_loop().time() + self._patience
        ticket = self._bell.ticket
        while await self._chats.in_work(member) and asyncio.get_running_loop().time() < ends:
            await self._bell.wait(ticket, _LOOK_SECONDS)
            ticket = self._bell.ticket

    async def _close(self, member: str) -> None:
        await self._chats.collect(self._clock.now_ms())
        lease = await self._chats.close_member(self._clock.now_ms(), member)
        if lease is None:
            return
        try:
            await self._debouncer.work(lease)
        except BaseException:
            now = self._clock.now_ms()
            await self._chats.retry(lease, now, due_at=now)
            raise
