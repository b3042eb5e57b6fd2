"""Who the bot is, whom it knows, and its files (contract §2.6, §4, §6, §9)."""

from typing import Any

from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad
from sandbox.telegram.files import Files
from sandbox.telegram.gate import Method
from sandbox.telegram.outgoing import Outgoing
from sandbox.telegram.shop import Shop
from sandbox.telegram.views import chat_view, connection_view, user_view

ABILITIES = {
    "can_join_groups": True,
    "can_read_all_group_messages": True,
    "supports_inline_queries": False,
    "can_connect_to_business": True,
    "has_main_web_app": False,
}
"""As §2.6 shows, but the bot reads all of a group: the contract tells no rules of privacy mode."""

FULL_CHAT = {
    "accent_color_id": 0,
    "max_reaction_count": 11,
    "accepted_gift_types": {
        "unlimited_gifts": True,
        "limited_gifts": True,
        "unique_gifts": True,
        "premium_subscription": True,
        "gifts_from_channels": True,
    },
}
"""Fields that libraries require of a full chat, from memory."""


class Account:
    def __init__(self, shop: Shop, files: Files, outgoing: Outgoing) -> None:
        self._shop = shop
        self._files = files
        self._outgoing = outgoing

    def methods(self) -> dict[str, Method]:
        return {
            "getMe": self._me,
            "getChat": self._chat,
            "getFile": self._file,
            "getBusinessConnection": self._connection,
        }

    async def _me(self, _: Call) -> Any:
        return {**user_view(self._shop.bot), **ABILITIES}

    async def _chat(self, call: Call) -> Any:
        named = call.text("chat_id")
        if named is None:
            bad("chat_id is empty")
        return {**chat_view(self._outgoing.known_chat(named)), **FULL_CHAT}

    async def _file(self, call: Call) -> Any:
        file_id = call.text("file_id")
        if file_id is None:
            bad("file_id not specified")
        return self._files.locate(file_id)

    async def _connection(self, call: Call) -> Any:
        if call.text("business_connection_id") != self._shop.connection.id:
            bad("BUSINESS_CONNECTION_INVALID")
        return connection_view(self._shop.connection)
