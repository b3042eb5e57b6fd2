"""Ids of chats to complete, at a channel: those of the latest chats that it lists."""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from core.channel import ChatPage
from core.clock import Clock, SystemClock
from core.completion import MOST_VALUES, Found

#: Whoever types an id asks at every letter; the messenger is asked once.
_REMEMBER_MS = 10_000


class ListsLatest(Protocol):
    """The operation list_chats."""

    def __call__(self, limit: int, cursor: str, account: str) -> Awaitable[ChatPage]: ...


class ChatIds:
    """A Completer."""

    def __init__(self, latest: ListsLatest, clock: Clock | None = None) -> None:
        self._latest = latest
        self._clock = clock or SystemClock()
        self._pages: dict[str, tuple[int, ChatPage]] = {}

    async def __call__(self, begins: str, given: Mapping[str, str]) -> Found:
        """The newest first, of the account that is given; more: older ones are not looked at."""
        page = await self._page(given.get("account", ""))
        ids = [chat.chat_id for chat in page.chats if chat.chat_id.startswith(begins)]
        return Found(ids, more=bool(page.next_cursor))

    async def _page(self, account: str) -> ChatPage:
        until, page = self._pages.get(account, (0, None))
        if page is None or self._clock.now_ms() >= until:
            page = await self._latest(MOST_VALUES, "", account)
            self._pages[account] = (self._clock.now_ms() + _REMEMBER_MS, page)
        return page
