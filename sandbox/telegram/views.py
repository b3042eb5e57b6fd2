"""The state as Telegram's objects (contract §4). Pure."""

import hashlib
from typing import Any

from sandbox.telegram.shop import Chat, Connection, Message, Person


def user_view(person: Person) -> dict[str, Any]:
    shown = {"id": person.id, "is_bot": person.is_bot, "first_name": person.first_name}
    more = {
        "last_name": person.last_name,
        "username": person.username,
        "language_code": person.language,
    }
    return shown | {key: value for key, value in more.items() if value}


def chat_view(chat: Chat) -> dict[str, Any]:
    if chat.person is None:
        return {"id": chat.id, "title": chat.title, "type": chat.type}
    user = user_view(chat.person)
    names: dict[str, Any] = {key: user[key] for key in ("first_name", "last_name", "username") if key in user}
    return {"id": chat.id, **names, "type": chat.type}


def message_view(bot: Person, message: Message, *, nested: bool = False) -> dict[str, Any]:
    """The message; a message that is answered is shown without the one that it answered itself."""
    draft, chat = message.draft, message.chat
    shown: dict[str, Any] = {
        "message_id": message.id,
        "from": user_view(message.author),
        "chat": chat_view(chat),
        "date": message.date,
    }
    if message.edited:
        shown["edit_date"] = message.edited
    if chat.connection:
        shown["business_connection_id"] = chat.connection
        if message.via == "api":
            shown["sender_business_bot"] = user_view(bot)
    shown |= draft.extras
    if draft.reply_to and not nested:
        shown["reply_to_message"] = message_view(bot, draft.reply_to, nested=True)
    if draft.album:
        shown["media_group_id"] = draft.album
    shown |= draft.content
    if draft.markup:
        shown["reply_markup"] = draft.markup
    return shown


def connection_view(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "user": user_view(connection.owner),
        "user_chat_id": connection.owner.id,
        "date": connection.date,
        "is_enabled": connection.is_enabled,
        "can_reply": connection.rights.get("can_reply", False),
        "rights": {name: True for name, given in connection.rights.items() if given},
    }


def membership_view(bot: Person, status: str) -> dict[str, Any]:
    """A ChatMember of the bot."""
    until = {"until_date": 0} if status == "kicked" else {}
    return {"user": user_view(bot), "status": status, **until}


def chat_instance(chat: Chat) -> str:
    number = int.from_bytes(hashlib.sha256(chat.key.encode()).digest()[:7], "big")
    return str(-5_000_000_000_000_000_000 - number)
