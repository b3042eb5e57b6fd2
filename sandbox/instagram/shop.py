"""Accounts and everything in them: people, chats, messages, comments. Knows no HTTP."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from sandbox.timing import Clock

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Account:
    """A professional account: `user_id` is what webhooks carry, `scoped_id` what `/me` calls `id` (§3)."""

    user_id: str
    scoped_id: str
    page_id: str
    username: str
    name: str
    subscribed: tuple[str, ...] = ()
    permissions: set[str] = field(default_factory=lambda: {"basic", "messages"})

    def is_called(self, node: str, flavour: str) -> bool:
        """Whether the path means this account: the Page in flavour B, either Instagram id in A (§1)."""
        own = {self.page_id} if flavour == "facebook" else {self.user_id, self.scoped_id}
        return node == "me" or node in own


@dataclass(slots=True)
class Person:
    """A customer as one account sees them; `named` is the name in the control API."""

    id: str
    named: str
    username: str
    name: str | None
    follower_count: int = 231
    follows_business: bool = True
    followed_by_business: bool = False
    verified: bool = False
    blocked: bool = False


@dataclass(slots=True)
class Message:
    """`content` is the webhook's `message` without its mid; `extras` is what only the phone shows."""

    id: str
    number: int
    chat_id: str
    own: bool
    type: str
    content: Json
    created: float
    via: str
    read_at: float | None = None
    edits: int = 0
    deleted: bool = False
    extras: Json = field(default_factory=dict)
    reactions: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return str(self.content.get("text", ""))


@dataclass(slots=True)
class Chat:
    """One conversation per customer and account; `opened` is when the window last opened (§6)."""

    account: Account
    person: Person
    conversation_id: str
    messages: list[Message] = field(default_factory=list)
    opened: float | None = None
    consent: bool = False
    typing: bool = False
    last_change: float = 0

    @property
    def id(self) -> str:
        return self.person.id

    @property
    def answered(self) -> bool:
        """Unanswered conversations lie in the Requests folder (§8; the contract does not tell the rule)."""
        return any(message.own for message in self.messages)

    def alive(self) -> list[Message]:
        return [message for message in self.messages if not message.deleted]


@dataclass(slots=True)
class Comment:
    """A comment under a post, to which one private reply is allowed (§6)."""

    id: str
    chat: Chat
    text: str
    live: bool
    created: float
    replied: bool = False


class NewMessage(Protocol):
    def __call__(self, chat: Chat, message: Message) -> None: ...


class Shop:
    """All state; `announce` is called for every new message."""

    def __init__(self, main: Account, now: Clock, announce: Callable[[Chat, Message], None]) -> None:
        self.main = main
        self.now = now
        self._announce = announce
        self.accounts: dict[str, Account] = {main.user_id: main}
        self.chats: dict[str, Chat] = {}
        self.messages: dict[str, Message] = {}
        self.comments: dict[str, Comment] = {}
        self.uploads: dict[tuple[str, str], Json] = {}

    def chat(self, account: Account, named: str) -> Chat:
        """The chat with the person of this name or id, made up on first sight under stable ids."""
        if found := self.find(account, named):
            return found
        number = named if _is_igsid(named) else str(_number(f"{account.user_id}:{named}"))
        while number in self.chats or any(number in {a.user_id, a.page_id} for a in self.accounts.values()):
            number = str(int(number) + 1)
        known = named != number
        person = Person(
            id=number,
            named=named if known else f"Гость {named}",
            username=f"user_{number[-8:]}",
            name=named if known else None,
        )
        self.chats[number] = Chat(account, person, _conversation_id(account.user_id, number))
        return self.chats[number]

    def find(self, account: Account, named: str) -> Chat | None:
        own = (chat for chat in self.chats.values() if chat.account is account)
        return next((c for c in own if named in {c.person.named, c.id, c.person.username}), None)

    def post(self, chat: Chat, kind: str, content: Json, *, via: str, extras: Json | None = None) -> Message:
        """Store a message and announce it; the customer's opens the window and gives the consent (§6, §9)."""
        message = Message(
            id=new_mid(),
            number=len(self.messages),
            chat_id=chat.id,
            own=via != "customer",
            type=kind,
            content=content,
            created=self.now(),
            via=via,
            extras=extras or {},
        )
        self.keep(chat, message)
        self._announce(chat, message)
        return message

    def keep(self, chat: Chat, message: Message) -> None:
        chat.messages.append(message)
        chat.last_change = message.created
        self.messages[message.id] = message
        if message.own:
            chat.typing = False
        else:
            chat.opened, chat.consent = message.created, True

    def read_by(self, chat: Chat, *, business: bool) -> list[Message]:
        """What was unread on that side, now read."""
        fresh = [m for m in chat.alive() if m.own is not business and m.read_at is None]
        for message in fresh:
            message.read_at = self.now()
        return fresh

    def forget(self) -> None:
        """Drop conversations; people keep their ids."""
        for chat in self.chats.values():
            chat.messages.clear()
            chat.opened, chat.consent, chat.typing, chat.person.blocked = None, False, False, False
        for store in (self.messages, self.comments, self.uploads):
            store.clear()

    def forget_everybody(self) -> None:
        self.chats.clear()
        self.accounts = {self.main.user_id: self.main}
        self.main.subscribed = ()
        self.main.permissions = {"basic", "messages"}


def new_mid() -> str:
    """About 180 letters of base64 with the look of a real one (§3)."""
    inner = b"ig_message_item_1:IGMessageID:" + base64.b64encode(secrets.token_bytes(66))
    return f"aWdfZAG1faXRlbTox{base64.urlsafe_b64encode(inner).decode().rstrip('=')}ZDZD"


def _conversation_id(account: str, person: str) -> str:
    digest = hashlib.sha256(f"{account}:{person}".encode()).digest()
    return f"aWdfZAG06MTpJR01lc3NhZ2VUaHJlYWQ6{base64.urlsafe_b64encode(digest).decode().rstrip('=')}ZD"


def _is_igsid(named: str) -> bool:
    return named.isascii() and named.isdigit() and 10 <= len(named) <= 17 and named[0] != "0"


def _number(text: str) -> int:
    return 990_000_000_000_000 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10**13
