"""One WhatsApp number with its chats and messages. Knows no HTTP and no JSON."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sandbox.media import Media
from sandbox.timing import Clock

Via: TypeAlias = Literal["customer", "api", "operator"]
DEFAULT_TYPES = ("authorization_status", "incoming_message", "delivery_status")
TYPING_SHOWS = 20.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with WhatsApp, known by the phone."""

    phone: str
    name: str

    @property
    def address(self) -> str:
        return f"{self.phone}@c.us"

    @property
    def nameless(self) -> bool:
        return self.name == f"+{self.phone}"

    @property
    def lid(self) -> str:
        """The hidden id; it tells nothing about the phone."""
        return f"{99 * 10**13 + stable_number(self.phone, 10**13)}@lid"


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says; `extra` holds the webhook's further keys, which override the others.

    `body` is None for the types that have none; `about` is the message that this one quotes (`reply`),
    reacts to, votes in or edits.
    """

    type: str
    body: str | None = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    media: Media | None = None
    about: str = ""
    reply: bool = False
    edit: bool = False

    def key(self, name: str) -> Any:
        return self.extra.get(name) or ""

    @property
    def words(self) -> str:
        """The user's words: text, or the caption under media."""
        return str(self.key("caption")) if self.media else self.body or ""


@dataclass(slots=True)
class Chat:
    """A conversation with a person, or a group (`person` is None)."""

    id: str
    person: Person | None
    title: str
    messages: list["Message"] = field(default_factory=list)
    archived: bool = False
    deleted: bool = False
    typing_until: float = 0


@dataclass(slots=True)
class Message:
    """`read` is the account's reading of an incoming message, `status` the delivery of an own one.

    `reaches`: whether the recipient ever gets it. `link` and `link_expires`: the signed link to the media.
    """

    id: str
    number: int
    chat: Chat
    author: str
    via: Via
    content: Content
    created: int
    task_id: str = ""
    bot_id: str = ""
    status: str = ""
    read: bool = False
    deleted: bool = False
    reaches: bool = True
    link: str = ""
    link_expires: int = 0

    @property
    def own(self) -> bool:
        return self.via != "customer"


@dataclass(slots=True)
class Profile:
    """All state of one number: session, webhook, chats."""

    id: str
    name: str
    phone: str
    now: Clock
    paid_until: float
    authorized: bool = True
    app_status: str = "open"
    authorized_at: float | None = None
    logouted_at: float | None = None
    last_activity: float | None = None
    message_count: int = 0
    code_asked_at: float | None = None
    webhook_url: str = ""
    auth: str = ""
    types: list[str] = field(default_factory=lambda: list(DEFAULT_TYPES))
    chats: dict[str, Chat] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.phone}@c.us"

    @property
    def paid(self) -> bool:
        return self.now() < self.paid_until

    @property
    def live(self) -> bool:
        """Connected to WhatsApp: otherwise nothing is sent and nothing comes."""
        return self.paid and self.authorized and self.app_status == "open"

    def chat(self, chat_id: str, person: Person | None, title: str) -> Chat:
        """The chat of this id, opened on first use."""
        return self.chats.setdefault(chat_id, Chat(chat_id, person, title))

    def add(self, chat: Chat, content: Content, *, author: str, via: Via) -> Message:
        message = Message(
            _new_id(author, via), self.message_count, chat, author, via, content, int(self.now())
        )
        chat.messages.append(message)
        self.messages[message.id] = message
        self.message_count += 1
        self.last_activity = self.now()
        return message

    def recent_chats(self) -> list[Chat]:
        """Chats with messages, the latest first."""
        spoken = [chat for chat in self.chats.values() if chat.messages]
        return sorted(spoken, key=lambda chat: -chat.messages[-1].number)

    def unread(self, chat: Chat) -> list[Message]:
        return [message for message in chat.messages if not message.own and not message.read]

    def forget(self) -> None:
        """Drop the conversations; the session and the webhook stay."""
        self.chats.clear()
        self.messages.clear()
        self.message_count = 0


def stable_number(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % below


def _new_id(author: str, via: Via) -> str:
    """In the forms that are seen (contract §2.1): by API, from an iPhone, from an Android phone."""
    if via == "api":
        return f"3EB0{secrets.token_hex(9).upper()}"
    iphone = via == "operator" or int(author[-1]) % 2 == 0
    return f"3A{secrets.token_hex(9).upper()}" if iphone else f"AC{secrets.token_hex(15).upper()}"
