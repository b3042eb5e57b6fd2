"""What people do beside writing: edit, delete, press, react, block, upgrade a group (contract §3, §9).

Each deed is a letter's `type`; `content` says more, and `quote` or `content.message` names the message.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from sandbox.answers import refuse
from sandbox.telegram.letters import Letters
from sandbox.telegram.notices import Notices
from sandbox.telegram.shop import Chat, Draft, Message, Person, Shop
from sandbox.telegram.views import chat_view, message_view
from sandbox.vendor import Letter

Deed: TypeAlias = Callable[[Letter, Chat, Person], list[str]]


class Deeds:
    """`known` maps a type to what it does; a deed returns the control ids of the messages it touched."""

    def __init__(self, shop: Shop, letters: Letters, notices: Notices) -> None:
        self._shop = shop
        self._letters = letters
        self._notices = notices
        self.known: dict[str, Deed] = {
            "edit": self._edit,
            "delete": self._delete,
            "press": self._press,
            "reaction": self._react,
            "block": lambda letter, chat, person: self._turn(chat, person, "kicked"),
            "unblock": lambda letter, chat, person: self._turn(chat, person, "member"),
            "deactivate": self._deactivate,
            "kick_bot": lambda letter, chat, person: self._turn(chat, person, "kicked", group=True),
            "remove_bot": lambda letter, chat, person: self._turn(chat, person, "left", group=True),
            "add_bot": lambda letter, chat, person: self._turn(chat, person, "member", group=True),
            "upgrade_group": self._upgrade,
            "business_connection": self._connect,
            "update": self._raw,
        }

    def delete(self, message: Message) -> None:
        self._shop.delete(message)
        self._notices.deleted(message.chat, [message.id])

    def _edit(self, letter: Letter, chat: Chat, person: Person) -> list[str]:
        """New text or caption, and any other keys; nothing new is what a link preview does."""
        author = self._shop.connection.owner if (letter.content or {}).get("owner") else person
        message = self._target(letter, chat, lambda m: m.author is author)
        changes = {k: v for k, v in (letter.content or {}).items() if k not in {"message", "owner"}}
        if letter.text:
            changes["text" if "text" in message.content else "caption"] = letter.text
        self._shop.edit(message, changes, announced=True)
        return [message.key]

    def _delete(self, letter: Letter, chat: Chat, person: Person) -> list[str]:
        """One message, or `messages` at once; the owner may delete too."""
        named = (letter.content or {}).get("messages")
        if not isinstance(named, list):
            messages = [self._target(letter, chat, lambda m: m.author is person)]
        else:
            messages = [self._known(str(name), chat) for name in named]
        for message in messages:
            self._shop.delete(message)
        self._notices.deleted(chat, [message.id for message in messages])
        return [message.key for message in messages]

    def _press(self, letter: Letter, chat: Chat, person: Person) -> list[str]:
        """By `data` or by the button's text; the newest message that has such a button."""
        content = letter.content or {}
        label, data = letter.text or content.get("text"), content.get("data")
        if label and data is None and (plain := _plain_button(chat, label)):
            return self._press_plain(plain, chat, person)
        message = self._target(letter, chat, lambda m: _button(m, label, data) is not None)
        button = _button(message, label, data)
        if button is None:
            refuse(404, "the message has no such button")
        shown = message_view(self._shop.bot, message)
        if content.get("inaccessible"):
            shown = {"chat": chat_view(chat), "message_id": message.id, "date": 0}
        press = self._shop.press(message)
        self._notices.press(press, person, shown, chat, button["callback_data"])
        return [message.key]

    def _press_plain(self, button: dict[str, Any], chat: Chat, person: Person) -> list[str]:
        """A keyboard's button writes its own text, or shares the contact."""
        draft = Draft({"text": button["text"]})
        if button.get("request_contact"):
            draft = self._letters.own_contact(person)
            draft.reply_to = next((m for m in reversed(chat.messages) if m.via == "api"), None)
        return [self._shop.post(chat, person, draft, via="customer").key]

    def _react(self, letter: Letter, chat: Chat, person: Person) -> list[str]:
        """`emoji`; an empty one takes the reaction back."""
        message = self._target(letter, chat, lambda m: m.author is not person)
        emoji = (letter.content or {}).get("emoji", "👍")
        old = message.reactions.get(person.id, [])
        new = [{"type": "emoji", "emoji": emoji}] if emoji else []
        message.reactions[person.id] = new
        self._notices.reaction(person, message, old, new)
        return [message.key]

    def _turn(self, chat: Chat, person: Person, status: str, *, group: bool = False) -> list[str]:
        if group != chat.is_group or chat.connection:
            refuse(422, f"this is done in {'a group' if group else 'the chat with the bot'}")
        was, chat.status = chat.status, status
        if was != status:
            self._notices.membership(person, chat, was)
        return []

    def _deactivate(self, _: Letter, chat: Chat, person: Person) -> list[str]:
        """The customer's account is gone; nothing is told, sends are refused."""
        person.deactivated = True
        return []

    def _upgrade(self, _: Letter, chat: Chat, person: Person) -> list[str]:
        """The group gets a new id; both chats say so with a service message."""
        if chat.type != "group":
            refuse(422, "only a group can be upgraded")
        number = -1_000_000_000_000 + chat.id
        after = self._shop.group(Chat(number, "supergroup", title=chat.title, last_id=1))
        old = self._shop.post(chat, person, Draft({"migrate_to_chat_id": number}), via="telegram")
        chat.migrated_to = number
        new = self._shop.post(after, person, Draft({"migrate_from_chat_id": chat.id}), via="telegram")
        return [old.key, new.key]

    def _connect(self, letter: Letter, _chat: Chat, _person: Person) -> list[str]:
        """The owner connects, disconnects (`is_enabled`) or changes the `rights`."""
        connection, content = self._shop.connection, letter.content or {}
        connection.is_enabled = bool(content.get("is_enabled", True))
        given = content.get("rights", {"can_reply": True, "can_read_messages": True})
        if not isinstance(given, dict):
            refuse(422, "content.rights must be an object")
        connection.rights = {str(name): bool(value) for name, value in given.items()}
        self._notices.connection()
        return []

    def _raw(self, letter: Letter, chat: Chat, _: Person) -> list[str]:
        """`kind` and `payload` of any update that the sandbox does not make itself."""
        content = letter.content or {}
        kind, payload = content.get("kind"), content.get("payload")
        if not isinstance(kind, str) or not isinstance(payload, dict):
            refuse(422, "content needs kind and payload")
        self._notices.raw(kind, payload, chat.key)
        return []

    def _target(self, letter: Letter, chat: Chat, fits: Callable[[Message], bool]) -> Message:
        """The named message, else the newest that fits."""
        named = letter.quote or (letter.content or {}).get("message")
        if named is not None:
            return self._known(str(named), chat)
        found = next((message for message in reversed(chat.messages) if fits(message)), None)
        if found is None:
            refuse(404, "there is no message for this")
        return found

    def _known(self, named: str, chat: Chat) -> Message:
        message = self._shop.messages.get(named) or self._shop.messages.get(f"{chat.key}:{named}")
        if message is None or message.chat is not chat:
            refuse(404, "there is no such message in this chat")
        return message


def _button(message: Message, label: object, data: object) -> dict[str, Any] | None:
    """The first button with data that fits what is given; any, when nothing is."""
    rows = (message.draft.markup or {}).get("inline_keyboard", [])
    return next(
        (
            button
            for row in rows
            for button in row
            if "callback_data" in button
            and (data is None or button["callback_data"] == data)
            and (data is not None or label is None or button["text"] == label)
        ),
        None,
    )


def _plain_button(chat: Chat, label: object) -> dict[str, Any] | None:
    return next((button for row in chat.keyboard for button in row if button["text"] == label), None)
