"""What all sends share: the chat and its refusals, the reply, the buttons, the limits (contract §5, §7)."""

from typing import Any

from sandbox.faults import Switchboard
from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad, fail, forbid
from sandbox.telegram.faults import TelegramFaults
from sandbox.telegram.keyboards import keyboard_of
from sandbox.telegram.limits import Limits
from sandbox.telegram.shop import Chat, Draft, Message, Person, Shop
from sandbox.telegram.views import message_view


class Outgoing:
    def __init__(
        self, shop: Shop, limits: Limits, switches: Switchboard[TelegramFaults], *, never_started: int
    ) -> None:
        self._shop = shop
        self._limits = limits
        self._switches = switches
        self._never_started = never_started

    def chat(self, call: Call) -> Chat:
        """The chat of a call that writes, or the reason why the bot may not write there."""
        named = call.text("chat_id")
        if named is None:
            bad("chat_id is empty")
        connection = call.text("business_connection_id")
        chat = self._business(connection, named) if connection else self.known_chat(named)
        if not connection:
            self._check_reach(chat)
        return chat

    def known_chat(self, named: str) -> Chat:
        """The bot's own chat of this id: private, group, or the chat a group became."""
        chat = None if ":" in named else self._shop.chats.get(named)
        if chat is None:
            stranger = self._shop.find_person(named) if named.isdigit() else None
            if stranger and self._never_started == 403:
                forbid("bot can't initiate conversation with a user")
            bad("chat not found")
        return chat

    def message(self, call: Call, chat: Chat, missing: str) -> Message:
        found = self._shop.message(chat, call.integer("message_id"))
        if found is None:
            bad(missing)
        return found

    def draft(self, call: Call, chat: Chat, content: dict[str, Any]) -> Draft:
        reply, extras = self._reply(call, chat)
        if call.flag("protect_content"):
            extras = {**extras, "has_protected_content": True}
        return Draft(content, reply, extras)

    def post(self, call: Call, chat: Chat, drafts: list[Draft]) -> list[dict[str, Any]]:
        """Store the messages, if limits and faults let them pass, and show them."""
        forbidden = self._switches.now.forbidden
        if forbidden and forbidden.spend("/send"):
            forbid(forbidden.description)
        keyboard = keyboard_of(call, chat)
        self._limits.spend(chat.key, len(drafts), group=chat.is_group, paid=call.flag("allow_paid_broadcast"))
        if keyboard.shown is not None:
            chat.keyboard = keyboard.shown
        drafts[0].markup = keyboard.inline
        chat.action = ""
        sent = [self._shop.post(chat, self._author(chat), draft, via="api") for draft in drafts]
        return [message_view(self._shop.bot, message) for message in sent]

    def _author(self, chat: Chat) -> Person:
        return self._shop.connection.owner if chat.connection else self._shop.bot

    def _business(self, connection_id: str, named: str) -> Chat:
        """§7: the connection is gone, the chat is not covered, or it was silent for 24 hours.

        For a connection without `can_reply` the contract names no code: the first of the three.
        """
        connection = self._shop.connection
        gone = connection_id != connection.id or not connection.is_enabled
        if gone or not connection.rights.get("can_reply"):
            bad("BUSINESS_CONNECTION_INVALID")
        chat = self._shop.chats.get(f"{connection_id}:{named}")
        if chat is None:
            bad("BUSINESS_PEER_INVALID")
        if self._switches.now.closed_window or not self._shop.is_open(chat):
            bad("BUSINESS_PEER_USAGE_MISSING")
        return chat

    def _check_reach(self, chat: Chat) -> None:
        if chat.migrated_to is not None:
            fail(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                parameters={"migrate_to_chat_id": chat.migrated_to},
            )
        if chat.person and chat.person.deactivated:
            forbid("user is deactivated")
        if chat.person and chat.status == "kicked":
            forbid("bot was blocked by the user")
        if chat.status == "kicked":
            forbid("bot was kicked from the group chat")
        if chat.status == "left":
            forbid(f"bot is not a member of the {chat.type} chat")

    def _reply(self, call: Call, chat: Chat) -> tuple[Message | None, dict[str, Any]]:
        wanted = call.structure("reply_parameters") or {}
        if not isinstance(wanted, dict):
            bad("can't parse reply parameters JSON object")
        wanted = wanted or {
            "message_id": call.integer("reply_to_message_id"),
            "allow_sending_without_reply": call.flag("allow_sending_without_reply"),
        }
        if not wanted.get("message_id"):
            return None, {}
        found = self._shop.messages.get(f"{chat.key}:{wanted['message_id']}")
        if found is None and wanted.get("allow_sending_without_reply") not in (True, "true", "True"):
            bad("message to be replied not found")
        quote = wanted.get("quote")
        if not (found and quote):
            return found, {}
        said = found.content.get("text") or found.content.get("caption") or ""
        if not isinstance(quote, str) or quote not in said:
            bad("QUOTE_TEXT_INVALID")
        return found, {"quote": {"text": quote, "position": said.index(quote), "is_manual": True}}
