"""The bot and everything around it: people, dialogs, groups, messages. Knows no HTTP and no updates."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.timing import Clock

Json = dict[str, Any]
ChatType = Literal["dialog", "chat", "channel"]
BOT_RIGHTS = (
    "read_all_messages",
    "write",
    "edit",
    "delete",
    "pin_message",
    "change_chat_info",
    "add_remove_members",
    "add_admins",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Anybody with a user_id, the bot included."""

    id: int
    first_name: str
    last_name: str = ""
    username: str | None = None
    is_bot: bool = False

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True)
class Body:
    """What a message says; attachments are in the shape in which the bot receives them (contract §3.1)."""

    text: str | None = None
    attachments: tuple[Json, ...] = ()
    markup: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """The message that is answered (`reply`) or passed on (`forward`)."""

    type: Literal["reply", "forward"]
    message: "Message"


@dataclass(slots=True)
class Message:
    """`via`: customer, api or operator. `post_id` is set for comments; `lost` ones the API does not know."""

    mid: str
    seq: int
    chat_id: int
    author: Person | None
    timestamp: int
    body: Body
    via: str
    link: Link | None = None
    post_id: str | None = None
    deleted: bool = False
    lost: bool = False
    read: bool = False
    edited: bool = False


@dataclass(slots=True)
class Member:
    """Somebody in a group or channel; `rights` is None for those who are no admins."""

    person: Person
    joined: int
    rights: tuple[str, ...] | None = None


@dataclass(slots=True)
class Chat:
    """A dialog has a `person`, groups and channels have `members` and a negative id (contract §1)."""

    id: int
    type: ChatType
    title: str
    last_event: int
    person: Person | None = None
    stopped: bool = False
    removed: bool = False
    muted_until: int | None = None
    typing_until: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    pinned: str | None = None
    icon: str | None = None
    description: str | None = None

    def rights(self, user_id: int) -> tuple[str, ...]:
        member = self.members.get(user_id)
        return (member.rights or ()) if member else ()


class Shop:
    """All state of the one bot; times in milliseconds."""

    def __init__(self, bot: Person, now: Clock) -> None:
        self.bot = bot
        self._now = now
        self._last_seq = 0
        self.people: dict[int, Person] = {}
        self.active: dict[int, int] = {}
        self.chats: dict[int, Chat] = {}
        self.messages: dict[str, Message] = {}
        self.comments: dict[str, list[Message]] = {}

    def now(self) -> int:
        return int(self._now() * 1000)

    def person(self, named: str) -> Person:
        """The person of this name or id, made up on first sight with an id that is always the same."""
        if known := self.find_person(named):
            return known
        number = int(named) if _is_id(named) else 50_000_000 + _number(named, 9_000_000)
        while number in self.people or number == self.bot.id:
            number += 1
        first, _, last = named.partition(" ")
        known = Person(number, f"Клиент {named}") if _is_id(named) else Person(number, first, last)
        self.people[number] = known
        return known

    def find_person(self, named: str) -> Person | None:
        return next((p for p in self.people.values() if named in {p.name, str(p.id)}), None)

    def dialog(self, person: Person) -> Chat:
        """The person's dialog with the bot, opened on first use; its id is not the person's (§1)."""
        chat_id = _dialog_id(person.id)
        if chat_id not in self.chats:
            self.chats[chat_id] = Chat(chat_id, "dialog", "", self.now(), person=person)
        return self.chats[chat_id]

    def dialog_with(self, user_id: int) -> Chat | None:
        return self.chats.get(_dialog_id(user_id))

    def open_group(self, kind: ChatType, title: str, owner: Person, rights: tuple[str, ...] | None) -> Chat:
        """A group or channel that the owner has just added the bot to."""
        chat_id = -(70_000_000_000_000 + _number(f"{title}{len(self.chats)}", 900_000_000))
        chat = self.chats[chat_id] = Chat(chat_id, kind, title, self.now())
        chat.members[owner.id] = Member(owner, self.now(), BOT_RIGHTS)
        chat.members[self.bot.id] = Member(self.bot, self.now(), rights)
        return chat

    def chats_of(self, person: Person) -> list[Chat]:
        return [c for c in self.chats.values() if c.person == person or person.id in c.members]

    def post(
        self, chat: Chat, author: Person | None, body: Body, *, via: str, link: Link | None = None
    ) -> Message:
        message = self._made(chat, author, body, via)
        message.link = link
        chat.messages.append(message)
        chat.last_event = message.timestamp
        if author == self.bot:
            chat.typing_until = 0
        return message

    def comment(
        self, post: Message, author: Person, body: Body, *, via: str, link: Link | None = None
    ) -> Message:
        message = self._made(self.chats[post.chat_id], author, body, via)
        message.link, message.post_id = link, post.mid
        self.comments.setdefault(post.mid, []).append(message)
        return message

    def _made(self, chat: Chat, author: Person | None, body: Body, via: str) -> Message:
        """`seq` is the moment in ms and 16 bits more, and grows; the mid is built of chat and seq (§3.1)."""
        moment = self.now()
        self._last_seq = seq = max((moment << 16) + secrets.randbelow(1 << 14), self._last_seq + 1)
        mid = f"mid.{chat.id & (1 << 64) - 1:016x}{seq:016x}"
        message = self.messages[mid] = Message(mid, seq, chat.id, author, moment, body, via)
        if author:
            self.active[author.id] = moment
        return message

    def edit(self, message: Message, body: Body) -> None:
        message.body, message.edited = body, True

    def remove(self, message: Message) -> None:
        """Out of sight for the API; the phone still shows that there was something."""
        message.deleted, message.body, message.link = True, Body(), None

    def standing(self, mid: str) -> Message | None:
        """The message of this id unless it was deleted; the `mid.` may be left out (§3.1)."""
        message = self.messages.get(mid) or self.messages.get(f"mid.{mid}")
        return message if message and not (message.deleted or message.lost) else None

    def shown_in(self, chat: Chat) -> Iterator[Message]:
        return (message for message in chat.messages if not (message.deleted or message.lost))

    def mark_read(self, chat: Chat, *, by_bot: bool) -> int:
        fresh = [m for m in chat.messages if not m.read and (m.author == self.bot) != by_bot]
        for message in fresh:
            message.read = True
        return len(fresh)

    def forget(self) -> None:
        """Drop conversations; people keep their ids."""
        for store in (self.chats, self.messages, self.comments, self.active):
            store.clear()


def _is_id(named: str) -> bool:
    return named.isascii() and named.isdigit() and int(named[:18]) > 0 and len(named) <= 18


def _number(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % below


def _dialog_id(user_id: int) -> int:
    return 90_000_000_000 + _number(f"dialog:{user_id}", 1 << 33)
