"""What a token of one appeal opens at the hub: its turns, its case, its client, its chats and deliveries."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from core.auth import Bounds
from core.fence import Fence, owned
from core.ids import DEFAULT_ACCOUNT
from orchestrator.account_names import AccountNames
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql
from orchestrator.when_away import database_errors

#: Lists among them show the token's own rows only, each where it is made.
OPEN = frozenset(
    {
        "add_note",
        "appeal_journal",
        "cancel_delivery",
        "channel_capabilities",
        "close_appeal",
        "extend_turn",
        "get_appeal",
        "get_client",
        "get_delivery",
        "hand_off",
        "list_appeals",
        "list_deliveries",
        "list_paused",
        "read_conversation",
        "release_turn",
        "reply",
        "send_message",
        "skip_turn",
        "trace_message",
        "update_appeal",
        "wait_for_turn",
    }
)


#: As turns are numbered; what a prompt is asked with has passed no schema yet.
_NUMBER = re.compile(r"[0-9]{1,18}")


class KnowsEnded(Protocol):
    """Tells which tokens ended before their time (core/ended_tokens.py)."""

    async def has(self, bounds: Bounds) -> bool: ...


class HubFence:
    """Looks at the tables as they are now: what is no more the appeal's is no more the token's."""

    def __init__(self, pool: Pool, accounts: AccountNames, ended: KnowsEnded) -> None:
        self._pool = pool
        self._accounts = accounts
        self._ended = ended

    def fence(self) -> Fence:
        """By the names of operations and arguments."""
        owns = {
            "appeal_id": owned(lambda bounds: (bounds.appeal_id,), "appeal_id"),
            "client_id": owned(lambda bounds: (bounds.client_id,), "client_id"),
            "turn_id": self._turn,
            "delivery_id": self._delivery,
            "chat_id": self._chat,
            "message_id": self._chat,  # the message of a chat
            "reply_to": self._message,
        }
        return Fence(OPEN, owns, self.alive)

    async def alive(self, bounds: Bounds) -> bool:
        """While the appeal is of that client, and the client has been nobody else since."""
        if await self._ended.has(bounds):
            return False
        made = datetime.fromtimestamp(bounds.made_ms / 1000, UTC)
        with database_errors():
            alive: bool = await self._pool.fetchval(
                sql("token_is_alive"), int(bounds.appeal_id), int(bounds.client_id), made
            )
        return alive

    async def _turn(self, bounds: Bounds, given: Mapping[str, Any]) -> bool:
        if not _NUMBER.fullmatch(str(given["turn_id"])):
            return False
        with database_errors():
            found = await self._pool.fetchval(sql("appeal_of_turn"), int(given["turn_id"]))
        return str(found) == bounds.appeal_id

    async def _delivery(self, bounds: Bounds, given: Mapping[str, Any]) -> bool:
        try:
            asked = UUID(str(given["delivery_id"]))
        except ValueError:
            return False
        with database_errors():
            row = await self._pool.fetchrow(sql("whose_delivery"), asked)
        if row is None:
            return False
        chat = (row["channel"], row["account"], row["external_chat_id"])
        return str(row["appeal_id"]) == bounds.appeal_id or chat in bounds.chats

    async def _chat(self, bounds: Bounds, given: Mapping[str, Any]) -> bool:
        channel, account = given.get("channel"), given.get("account") or DEFAULT_ACCOUNT
        if not channel or not given.get("chat_id"):
            return False
        return (channel, await self._accounts.account(channel, account), given["chat_id"]) in bounds.chats

    async def _message(self, bounds: Bounds, given: Mapping[str, Any]) -> bool:
        """Some messengers would quote from any chat to which an id leads."""
        chats = zip(*bounds.chats, strict=True)
        try:
            with database_errors(), only_storable():
                found: bool = await self._pool.fetchval(sql("message_of_chats"), given["reply_to"], *chats)
        except Unstorable:
            return False
        return found
