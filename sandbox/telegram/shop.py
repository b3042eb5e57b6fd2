"""The bot and everybody around it: people, chats, messages, the business connection. Knows no HTTP."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.timing import Clock, ids_from

DAY = 86_400
HEARD_BEFORE = 10
BUSINESS_HEARD_BEFORE = 500


@dataclass(slots=True)
class Person:
    """A user; the bot is one too."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language: str = ""
    is_bot: bool = False
    deactivated: bool = False

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(slots=True)
class Chat:
    """A private chat has a person, a group a title; a business chat names its connection (contract §4, §9).

    `status` is what the bot is there: member, kicked, left. `heard_at`: when the customer last wrote.
    """

    id: int
    type: str
    person: Person | None = None
    title: str = ""
    connection: str | None = None
    status: str = "member"
    migrated_to: int | None = None
    last_id: int = HEARD_BEFORE
    heard_at: float = 0.0
    action: str = ""
    keyboard: list[list[dict[str, Any]]] = field(default_factory=list)
    messages: list["Message"] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.connection}:{self.id}" if self.connection else str(self.id)

    @property
    def is_group(self) -> bool:
        return self.type != "private"


@dataclass(slots=True)
class Draft:
    """A message before it has an id; `extras` are keys beside the content, `hidden` is never delivered."""

    content: dict[str, Any]
    reply_to: "Message | None" = None
    extras: dict[str, Any] = field(default_factory=dict)
    album: str | None = None
    markup: dict[str, Any] | None = None
    hidden: bool = False


@dataclass(slots=True)
class Message:
    """`id` is unique inside its chat only, `key` everywhere; `via`: customer, api, operator or telegram."""

    id: int
    number: int
    chat: Chat
    author: Person
    date: int
    via: str
    draft: Draft
    edited: int | None = None
    read: bool = False
    reactions: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.chat.key}:{self.id}"

    @property
    def content(self) -> dict[str, Any]:
        return self.draft.content


@dataclass(slots=True)
class Connection:
    """The bot inside the owner's own account (contract §9)."""

    id: str
    owner: Person
    date: int
    is_enabled: bool = True
    rights: dict[str, bool] = field(default_factory=lambda: {"can_reply": True, "can_read_messages": True})


@dataclass(slots=True)
class Press:
    """A button press that waits for its answer."""

    id: str
    at: float
    message: Message
    answer: dict[str, Any] | None = None

    @property
    def note(self) -> str:
        """The words that the answer shows to the presser."""
        return str((self.answer or {}).get("text", ""))


class Shop:
    """All state; `announce(kind, message)` is called for each message the bot may hear of."""

    def __init__(
        self, bot: Person, connection: Connection, now: Clock, announce: Callable[[str, Message], None]
    ) -> None:
        self.bot = bot
        self.connection = connection
        self._now = now
        self._announce = announce
        self.people: dict[str, Person] = {}
        self.chats: dict[str, Chat] = {}
        self.messages: dict[str, Message] = {}
        self.presses: dict[str, Press] = {}
        self._written = 0
        self._before = ids_from(now)

    def now(self) -> float:
        return self._now()

    def person(self, named: str) -> Person:
        """The person of this name or id, made up on first sight with an id that is always the same."""
        if known := self.find_person(named):
            return known
        taken = {p.id for p in self.people.values()} | {self.bot.id, self.connection.owner.id}
        number = int(named) if _is_id(named) else 900_000_000 + _number(named, 90_000_000)
        while number in taken:
            number += 1
        first, _, last = (f"Клиент {named}" if _is_id(named) else named).partition(" ")
        self.people[named] = Person(number, first, last.strip(), f"client_{number}", "ru")
        return self.people[named]

    def find_person(self, named: str) -> Person | None:
        return next((p for name, p in self.people.items() if named in {name, p.name, str(p.id)}), None)

    def name_of(self, person: Person) -> str:
        return next((name for name, known in self.people.items() if known is person), person.name)

    def bot_chat(self, person: Person) -> Chat:
        chat = Chat(person.id, "private", person, last_id=self._before + HEARD_BEFORE)
        return self.chats.setdefault(chat.key, chat)

    def business_chat(self, person: Person) -> Chat:
        last_id = self._before + BUSINESS_HEARD_BEFORE
        chat = Chat(person.id, "private", person, connection=self.connection.id, last_id=last_id)
        return self.chats.setdefault(chat.key, chat)

    def group(self, chat: Chat) -> Chat:
        if chat.key not in self.chats:
            chat.last_id += self._before
            self.chats[chat.key] = chat
        return self.chats[chat.key]

    def chats_of(self, person: Person) -> list[Chat]:
        """Private chats of the person, and groups where the person spoke."""
        return [
            chat
            for chat in self.chats.values()
            if chat.person is person or (chat.is_group and any(m.author is person for m in chat.messages))
        ]

    def message(self, chat: Chat, number: int) -> Message | None:
        return self.messages.get(f"{chat.key}:{number}")

    def post(self, chat: Chat, author: Person, draft: Draft, *, via: str) -> Message:
        """Store a message and announce it."""
        chat.last_id += 1
        self._written += 1
        message = Message(chat.last_id, self._written, chat, author, int(self.now()), via, draft)
        chat.messages.append(message)
        self.messages[message.key] = message
        if via == "customer":
            chat.heard_at = self.now()
        if not draft.hidden:
            self._announce("message", message)
        return message

    def edit(self, message: Message, changes: dict[str, Any], *, announced: bool) -> None:
        message.draft.content = {**message.content, **changes}
        message.edited = int(self.now())
        if announced:
            self._announce("edited_message", message)

    def delete(self, message: Message) -> None:
        """Take the message out of its chat for both sides."""
        self.messages.pop(message.key, None)
        if message in message.chat.messages:
            message.chat.messages.remove(message)

    def read_by_person(self, chat: Chat) -> int:
        fresh = [m for m in chat.messages if m.author is not chat.person and not m.read]
        for message in fresh:
            message.read = True
        return len(fresh)

    def press(self, message: Message) -> Press:
        press = Press(str(4_380_000_000_000_000_000 + secrets.randbelow(10**15)), self.now(), message)
        self.presses[press.id] = press
        return press

    def is_open(self, chat: Chat) -> bool:
        """Whether a business chat was active in the last 24 hours (contract §9)."""
        return chat.heard_at > self.now() - DAY

    def forget(self) -> None:
        """Drop conversations; people keep their ids, the connection is as at the start."""
        for store in (self.chats, self.messages, self.presses):
            store.clear()
        self._before = ids_from(self._now)
        for person in self.people.values():
            person.deactivated = False
        self.connection.is_enabled = True
        self.connection.rights = {"can_reply": True, "can_read_messages": True}


def _is_id(named: str) -> bool:
    return named.isascii() and named.isdigit() and len(named) <= 15 and int(named) > 0


def _number(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % below
