"""After a message is there: edit, delete, react, answer a press, mark as read (contract §5, §9)."""

import re
from typing import Any

from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad
from sandbox.telegram.gate import Method
from sandbox.telegram.keyboards import keyboard_of
from sandbox.telegram.outgoing import Outgoing
from sandbox.telegram.shop import Chat, Message, Shop
from sandbox.telegram.views import message_view
from sandbox.telegram.wording import Wording

DELETE_WITHIN = 48 * 3600
MOST_DELETED = 100
LONGEST_ANSWER = 200
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


class Changing:
    def __init__(self, shop: Shop, outgoing: Outgoing, wording: Wording, *, answer_within: float) -> None:
        self._shop = shop
        self._outgoing = outgoing
        self._wording = wording
        self._answer_within = answer_within

    def methods(self) -> dict[str, Method]:
        return {
            "editMessageText": self._edit,
            "deleteMessage": self._delete,
            "deleteBusinessMessages": self._delete_for_owner,
            "setMessageReaction": self._react,
            "answerCallbackQuery": self._answer,
            "readBusinessMessage": self._read,
        }

    async def _edit(self, call: Call) -> Any:
        chat = self._outgoing.chat(call)
        message = self._own(call, chat, "message to edit not found", "message can't be edited")
        if "text" not in message.content:
            bad("there is no text in the message to edit")
        changed, markup = self._wording.text(call), keyboard_of(call, chat).inline
        kept = {key: value for key, value in message.content.items() if key != "entities"}
        if ({**kept, **changed}, markup) == (message.content, message.draft.markup):
            bad(NOT_MODIFIED)
        message.draft.content, message.draft.markup = kept, markup
        self._shop.edit(message, changed, announced=False)
        return message_view(self._shop.bot, message)

    async def _delete(self, call: Call) -> Any:
        """Up to 48 hours (§5, from memory); in groups only the bot's own."""
        chat = self._outgoing.chat(_of_the_bot(call))
        message = self._outgoing.message(call, chat, "message to delete not found")
        foreign = chat.is_group and message.via != "api"
        if foreign or self._shop.now() - message.date > DELETE_WITHIN:
            bad("message can't be deleted")
        self._shop.delete(message)
        return True

    async def _delete_for_owner(self, call: Call) -> Any:
        """Messages of a business chat that the bot sent (aiogram 3.31.0; the contract names only the right).

        Telegram numbers an account's private chats together, the sandbox each apart: the newest is meant.
        """
        connection, named = self._shop.connection, call.structure("message_ids")
        may = connection.is_enabled and connection.rights.get("can_delete_sent_messages")
        if call.text("business_connection_id") != connection.id or not may:
            bad("BUSINESS_CONNECTION_INVALID")
        if not isinstance(named, list) or not 1 <= len(named) <= MOST_DELETED:
            bad("there must be 1 to 100 message identifiers")
        sent = [one for one in self._shop.messages.values() if one.chat.connection and one.via == "api"]
        for number in named:
            found = next((one for one in reversed(sent) if one.id == number), None)
            if found is None or self._shop.now() - found.date > DELETE_WITHIN:
                bad("message can't be deleted")
            self._shop.delete(found)
        return True

    async def _react(self, call: Call) -> Any:
        chat = self._outgoing.chat(_of_the_bot(call))
        message = self._outgoing.message(call, chat, "message to react not found")
        reactions = call.structure("reaction") or []
        if not isinstance(reactions, list) or not all(_is_reaction(reaction) for reaction in reactions):
            bad("REACTION_INVALID")
        message.reactions[self._shop.bot.id] = reactions
        return True

    async def _answer(self, call: Call) -> Any:
        press = self._shop.presses.get(call.text("callback_query_id") or "")
        if press is None or self._shop.now() - press.at > self._answer_within:
            bad(TOO_OLD)
        text = call.text("text") or ""
        if len(text) > LONGEST_ANSWER:
            bad("MESSAGE_TOO_LONG")
        press.answer = {"text": text, "show_alert": call.flag("show_alert")}
        return True

    async def _read(self, call: Call) -> Any:
        """Needs the right, and a chat that was active in the last 24 hours; the codes are §7's."""
        connection = self._shop.connection
        given = call.text("business_connection_id")
        if (
            given != connection.id
            or not connection.is_enabled
            or not connection.rights.get("can_read_messages")
        ):
            bad("BUSINESS_CONNECTION_INVALID")
        chat = self._shop.chats.get(f"{connection.id}:{call.text('chat_id')}")
        if chat is None:
            bad("BUSINESS_PEER_INVALID")
        if not self._shop.is_open(chat):
            bad("BUSINESS_PEER_USAGE_MISSING")
        message = self._outgoing.message(call, chat, "MESSAGE_ID_INVALID")
        for earlier in chat.messages:
            earlier.read = earlier.read or (earlier.via == "customer" and earlier.id <= message.id)
        return True

    def _own(self, call: Call, chat: Chat, missing: str, foreign: str) -> Message:
        message = self._outgoing.message(call, chat, missing)
        if message.via != "api":
            bad(foreign)
        return message


def _of_the_bot(call: Call) -> Call:
    """Without a connection, which this method does not know: the bot's own chat is meant (aiogram 3.31.0)."""
    return Call({key: value for key, value in call.given.items() if key != "business_connection_id"})


def _is_reaction(reaction: object) -> bool:
    """One emoji; which of them Telegram takes, the contract does not list."""
    if not isinstance(reaction, dict) or reaction.get("type") not in {"emoji", "custom_emoji"}:
        return False
    emoji = reaction.get("emoji", reaction.get("custom_emoji_id"))
    return isinstance(emoji, str) and bool(emoji) and not re.search(r"[A-Za-z\s]", emoji)
