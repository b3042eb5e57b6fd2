"""Whether a customer has written first in a chat, as a channel alone can know: who answers needs no yes.

What webhooks brought is remembered where the vendor lists no chats (core/known_chats.py). Else the vendor's
history is asked, one page: a call more for a guarded caller who writes unasked, and no list of ours that
would have to be kept and erased. What nobody can tell counts as "has not written".
"""

from collections.abc import Mapping
from typing import Any, Protocol

from core.accounts import Accounts
from core.channel import ChatInfo, KeepsHistory
from core.errors import ChannelError, NotFound, StorageDown
from core.ids import AccountId, ChatId

_PAGE = 100


class RemembersWriters(Protocol):
    """The part of the remembered chats that is used here."""

    async def get_chat(self, account: AccountId, chat_id: ChatId) -> ChatInfo: ...


class WroteFirst:
    """For operations with a chat and an account."""

    def __init__(self, accounts: Accounts, remembered: RemembersWriters | None) -> None:
        self._accounts = accounts
        self._remembered = remembered

    async def __call__(self, given: Mapping[str, Any]) -> bool:
        """Raises NotFound for an account that there is not, StorageDown."""
        account, chat_id = self._accounts.name(given["account"]), ChatId(given["chat_id"])
        if self._remembered is not None:
            try:
                if (await self._remembered.get_chat(account, chat_id)).client_user_id:
                    return True
            except NotFound:
                pass
        return await self._shown(account, chat_id)

    async def _shown(self, account: AccountId, chat_id: ChatId) -> bool:
        channel = self._accounts.one(account).channel
        if not isinstance(channel, KeepsHistory):
            return False
        try:
            page = await channel.list_messages(chat_id, _PAGE, "")
        except StorageDown:
            raise
        except ChannelError:
            return False
        return any(message.direction == "in" for message in page.messages)
