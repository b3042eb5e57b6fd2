"""What a token of one appeal opens at a channel: the chats that stand in it.

A channel has no database: the token says which chats, and Redis whether it ended. Operations that name a
message stay closed, because some messengers take its id whatever chat it is of.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from core.auth import Bounds
from core.fence import Fence
from core.ids import AccountId, ChatId

#: list_chats among them shows the token's own only.
OPEN = frozenset(
    {
        "ask_for_phone",
        "channel_capabilities",
        "get_chat",
        "list_chats",
        "list_messages",
        "mark_read",
        "read_conversation",
        "send_file",
        "send_image",
        "send_message",
        "show_typing",
    }
)


class KnowsEnded(Protocol):
    """Tells which tokens ended before their time (core/ended_tokens.py)."""

    async def has(self, bounds: Bounds) -> bool: ...


class ChannelFence:
    """`account_of` and `name_of` give the own names of an account and of a chat for what callers write."""

    def __init__(
        self,
        channel: str,
        ended: KnowsEnded,
        *,
        account_of: Callable[[str], AccountId],
        name_of: Callable[[ChatId], ChatId] | None = None,
    ) -> None:
        self._channel = channel
        self._ended = ended
        self._account_of = account_of
        self._name_of = name_of

    def fence(self) -> Fence:
        """By the names of operations and arguments."""
        return Fence(OPEN, {"chat_id": self._chat}, self._alive)

    async def _alive(self, bounds: Bounds) -> bool:
        return not await self._ended.has(bounds)

    async def _chat(self, bounds: Bounds, given: Mapping[str, Any]) -> bool:
        if given.get("channel", self._channel) != self._channel:
            return False
        chat = ChatId(given["chat_id"])
        name = self._name_of(chat) if self._name_of else chat
        return (self._channel, self._account_of(given.get("account") or ""), name) in bounds.chats
