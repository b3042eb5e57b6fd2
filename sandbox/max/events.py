"""What happens, as updates (contract §7)."""

import secrets

from sandbox.faults import Switchboard
from sandbox.max.faults import MaxFaults
from sandbox.max.shop import Chat, Json, Message, Person, Shop
from sandbox.max.updates import Feed
from sandbox.max.views import message_view, user_view

LOCALE = "ru"


class Events:
    """Builds updates and hands them on; in groups the bot must be an admin who may read everything."""

    def __init__(self, shop: Shop, feed: Feed, switches: Switchboard[MaxFaults]) -> None:
        self._shop = shop
        self._feed = feed
        self._switches = switches

    def created(self, message: Message) -> None:
        """A `lost` one comes without its message, as native voice does (§10, pitfall 1)."""
        chat = self._shop.chats[message.chat_id]
        if not self._visible(chat):
            return
        update = self._update("message_created", chat)
        if not message.lost:
            bodiless = self._switches.now.null_body and message.link and message.link.type == "forward"
            update["message"] = message_view(self._shop, message, bodiless=bool(bodiless))
        self._tell(update, chat, message.mid)

    def edited(self, message: Message) -> None:
        chat = self._shop.chats[message.chat_id]
        if self._visible(chat):
            shown = {**self._update("message_edited"), "message": message_view(self._shop, message)}
            self._tell(shown, chat, message.mid)

    def removed(self, message: Message, by: Person) -> None:
        chat = self._shop.chats[message.chat_id]
        if self._visible(chat):
            ids = {"message_id": message.mid, "chat_id": chat.id, "user_id": by.id}
            self._tell({**self._update("message_removed"), **ids}, chat, message.mid)

    def pressed(self, message: Message, person: Person, payload: str | None) -> str:
        """The callback_id, new for every press; the message is absent when it was deleted."""
        chat, callback_id = self._shop.chats[message.chat_id], f"cbk_{secrets.token_urlsafe(24)}"
        callback: Json = {
            "timestamp": self._shop.now(),
            "callback_id": callback_id,
            "user": user_view(self._shop, person),
        }
        if payload is not None:
            callback["payload"] = payload
        update = {**self._update("message_callback", chat), "callback": callback}
        if not message.deleted:
            update["message"] = self._pressed_view(message)
        self._tell(update, chat, message.mid)
        return callback_id

    def _pressed_view(self, message: Message) -> Json:
        """The message; the quirk of dialogs without a chat_id is a switch (§10, pitfall 2)."""
        shown, quirk = message_view(self._shop, message), self._switches.now.press_without_chat
        if quirk == "zero":
            shown["recipient"]["chat_id"] = 0
        elif quirk == "absent":
            del shown["recipient"]["chat_id"]
        return shown

    def about(self, kind: str, chat: Chat, person: Person, **more: object) -> None:
        """A service event; real ones carry a user_id at the top too."""
        update = {
            **self._update(kind, chat),
            "chat_id": chat.id,
            "user_id": person.id,
            "user": user_view(self._shop, person),
            **{key: value for key, value in more.items() if value is not None},
        }
        self._tell(update, chat)

    def raw(self, update: Json, chat: Chat) -> None:
        """Anything at all, as the bot would get it."""
        self._tell({"timestamp": self._shop.now(), **update}, chat)

    def _update(self, kind: str, chat: Chat | None = None) -> Json:
        shown: Json = {"update_type": kind, "timestamp": self._shop.now()}
        return {**shown, "user_locale": LOCALE} if chat and chat.person else shown

    def _visible(self, chat: Chat) -> bool:
        return chat.person is not None or "read_all_messages" in chat.rights(self._shop.bot.id)

    def _tell(self, update: Json, chat: Chat, message_id: str = "") -> None:
        self._feed.tell(update, lane=str(chat.id), message_id=message_id)
