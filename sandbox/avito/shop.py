"""The account and everything in it: ads, people, chats, messages. Knows no HTTP and no JSON."""

import base64
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.media import Media
from sandbox.timing import Clock


@dataclass(frozen=True, slots=True)
class Ad:
    """An ad of the shop; `price_string` is what chats show, `price` what the ads section shows."""

    id: int
    title: str
    price_string: str | None
    price: int | None
    url: str
    status: str = "active"
    status_id: int = 10


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is not the shop."""

    id: int
    name: str


@dataclass(slots=True)
class Message:
    """`read_at`: when the side that did not write it read it. `via`: customer, api, operator or avito.

    `number` counts all messages of the account, because `created` has whole seconds only.
    """

    id: str
    number: int
    chat_id: str
    author_id: int
    type: str
    content: dict[str, Any]
    created: int
    via: str
    read_at: int | None = None
    quote: "Message | None" = None


@dataclass(slots=True)
class Chat:
    """`u2i` chats have an ad, `u2u` and `a2u` chats have none."""

    id: str
    type: str
    person: Person
    ad: Ad | None
    created: int
    updated: int
    messages: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recording:
    """A voice note of a chat and the link under which its customer hears it."""

    chat_id: str
    media: Media
    customer_url: str


class Shop:
    """All state of the one account; `announce` is called for every new or deleted message."""

    def __init__(
        self, account: Person, ads: list[Ad], now: Clock, announce: Callable[[Chat, Message], None]
    ) -> None:
        self.account = account
        self.ads = {ad.id: ad for ad in ads}
        self._now = now
        self._announce = announce
        self.people: dict[str, Person] = {}
        self.chats: dict[str, Chat] = {}
        self.messages: dict[str, Message] = {}
        self.recordings: dict[str, Recording] = {}
        self.pictures: dict[str, dict[str, str]] = {}
        self.blocked: set[int] = set()

    def now(self) -> int:
        return int(self._now())

    def person(self, named: str) -> Person:
        """The person of this name or id, made up on first sight with an id that is always the same."""
        for known in self.people.values():
            if named in {known.name, str(known.id)}:
                return known
        taken = {known.id for known in self.people.values()} | {self.account.id}
        number = int(named) if _is_id(named) else 702_000_000 + _number(named, 90_000_000)
        while number in taken:
            number += 1
        self.people[named] = Person(number, f"Покупатель {named}" if _is_id(named) else named)
        return self.people[named]

    def find_person(self, named: str) -> Person | None:
        return next((known for known in self.people.values() if named in {known.name, str(known.id)}), None)

    def chat_about(self, person: Person, ad: Ad | None, kind: str) -> Chat:
        """The person's chat of this kind about this ad; opened on first use under a stable id."""
        chat_id = _chat_id(kind, person.id, ad.id if ad else 0)
        if chat_id not in self.chats:
            self.chats[chat_id] = Chat(chat_id, kind, person, ad, self.now(), self.now())
        return self.chats[chat_id]

    def chats_of(self, person: Person) -> list[Chat]:
        return [chat for chat in self.chats.values() if chat.person.id == person.id]

    def recent_chats(self) -> list[Chat]:
        """Chats with messages, the latest first."""
        spoken = [chat for chat in reversed(self.chats.values()) if chat.messages]
        return sorted(spoken, key=lambda chat: -chat.updated)

    def post(
        self,
        chat: Chat,
        author_id: int,
        kind: str,
        content: dict[str, Any],
        *,
        via: str,
        quote: str | None = None,
    ) -> Message:
        """Store a message and announce it."""
        message = Message(
            id=uuid.uuid4().hex,
            number=len(self.messages),
            chat_id=chat.id,
            author_id=author_id,
            type=kind,
            content=content,
            created=self.now(),
            via=via,
            quote=self.messages.get(quote or ""),
        )
        chat.messages.append(message)
        chat.updated = message.created
        self.messages[message.id] = message
        self._announce(chat, message)
        return message

    def delete(self, message: Message) -> None:
        """Keep the message and its id, empty it, announce it once."""
        if message.type == "deleted":
            return
        message.type, message.content = "deleted", {}
        self._announce(self.chats[message.chat_id], message)

    def read_by_account(self, chat: Chat) -> int:
        return self._read([m for m in chat.messages if m.author_id != self.account.id])

    def read_by_person(self, chat: Chat) -> int:
        return self._read([m for m in chat.messages if m.author_id == self.account.id])

    def _read(self, messages: list[Message]) -> int:
        fresh = [message for message in messages if message.read_at is None]
        for message in fresh:
            message.read_at = self.now()
        return len(fresh)

    def is_unread(self, chat: Chat) -> bool:
        return any(m.read_at is None and m.author_id != self.account.id for m in chat.messages)

    def forget(self) -> None:
        """Drop conversations and blocks; people keep their ids."""
        for store in (self.chats, self.messages, self.recordings, self.pictures, self.blocked):
            store.clear()


def _is_id(named: str) -> bool:
    return named.isascii() and named.isdigit() and int(named[:18]) > 0 and len(named) <= 18


def _number(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % below


def _chat_id(kind: str, person: int, ad: int) -> str:
    """`u2i-` and 22 characters of base64url with a `~`, as real ids have."""
    digest = hashlib.sha256(f"{kind}:{person}:{ad}".encode()).digest()
    letters = base64.urlsafe_b64encode(digest).decode()
    return f"{kind}-{letters[:10]}~{letters[10:21]}"
