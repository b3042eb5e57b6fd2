"""What becomes an update, and for how long it is worth delivering (contract §2.2, §3, §9)."""

from typing import Any

from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.shop import Chat, Connection, Message, Person, Press
from sandbox.telegram.updates import Updates
from sandbox.telegram.views import (
    chat_instance,
    chat_view,
    connection_view,
    membership_view,
    message_view,
    user_view,
)
from sandbox.timing import Clock


class Notices:
    """Turns what happened into updates of the one bot."""

    def __init__(
        self,
        settings: TelegramSandboxSettings,
        updates: Updates,
        now: Clock,
        *,
        bot: Person,
        connection: Connection,
    ) -> None:
        self._settings = settings
        self._updates = updates
        self._now = now
        self._bot = bot
        self._connection = connection

    def message(self, kind: str, message: Message) -> None:
        """`message` and `edited_message`, with their business twins; own messages are not told."""
        chat = message.chat
        if not self._hears(chat) or (message.via == "api" and not self._echoes(chat)):
            return
        twin = {"message": "business_message", "edited_message": "edited_business_message"}
        self._add(
            twin[kind] if chat.connection else kind,
            message_view(self._bot, message),
            lane=chat.key,
            message_id=message.key,
            until=(message.edited or message.date) + self._settings.update_life,
        )

    def deleted(self, chat: Chat, numbers: list[int]) -> None:
        """Only business chats tell of deletions."""
        if chat.connection and self._hears(chat):
            payload = {
                "business_connection_id": chat.connection,
                "chat": chat_view(chat),
                "message_ids": numbers,
            }
            self._tell("deleted_business_messages", payload, chat.key)

    def press(self, press: Press, person: Person, message: dict[str, Any], chat: Chat, data: str) -> None:
        if not self._hears(chat):
            return
        payload = {
            "id": press.id,
            "from": user_view(person),
            "message": message,
            "chat_instance": chat_instance(chat),
            "data": data,
        }
        self._add(
            "callback_query",
            payload,
            lane=chat.key,
            message_id=f"{chat.key}:{message['message_id']}",
            until=self._now() + self._settings.callback_life,
        )

    def reaction(
        self, person: Person, message: Message, old: list[dict[str, Any]], new: list[dict[str, Any]]
    ) -> None:
        if message.chat.connection or not self._hears(message.chat):
            return
        payload = {
            "chat": chat_view(message.chat),
            "message_id": message.id,
            "user": user_view(person),
            "date": int(self._now()),
            "old_reaction": old,
            "new_reaction": new,
        }
        self._tell("message_reaction", payload, message.chat.key)

    def membership(self, person: Person, chat: Chat, was: str) -> None:
        """`my_chat_member`: the bot was blocked, unblocked, added or thrown out."""
        payload = {
            "chat": chat_view(chat),
            "from": user_view(person),
            "date": int(self._now()),
            "old_chat_member": membership_view(self._bot, was),
            "new_chat_member": membership_view(self._bot, chat.status),
        }
        self._tell("my_chat_member", payload, chat.key)

    def connection(self) -> None:
        self._tell("business_connection", connection_view(self._connection), self._connection.id)

    def raw(self, kind: str, payload: dict[str, Any], lane: str) -> None:
        """An update of any kind, those that nobody knows yet included."""
        self._tell(kind, payload, lane)

    def _hears(self, chat: Chat) -> bool:
        if chat.connection:
            return self._connection.is_enabled
        return chat.status == "member" and not (chat.person and chat.person.deactivated)

    def _echoes(self, chat: Chat) -> bool:
        return bool(chat.connection) and self._settings.business_echo

    def _tell(self, kind: str, payload: dict[str, Any], lane: str) -> None:
        until = self._now() + self._settings.update_life
        self._add(kind, payload, lane=lane, message_id="", until=until)

    def _add(self, kind: str, payload: dict[str, Any], *, lane: str, message_id: str, until: float) -> None:
        self._updates.add(kind, payload, lane=lane, message_id=message_id, until=until)
