"""The community and everything in it: people, dialogs, messages, media. Knows no HTTP."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.timing import Clock, ids_from

CHATS_FROM = 2_000_000_000


@dataclass(slots=True)
class User:
    """`allowed`: whether the community may write, by a message of theirs or by message_allow (§7.3)."""

    id: int
    name: str
    allowed: bool = False

    @property
    def screen_name(self) -> str:
        return f"id{self.id}"


@dataclass(slots=True)
class Draft:
    """What a message says; `extras` are further fields of the API's message object."""

    text: str = ""
    attachments: list[dict[str, Any]] = field(default_factory=list)
    reply_to: "Message | None" = None
    forwarded: list["Message"] = field(default_factory=list)
    payload: str | None = None
    keyboard: dict[str, Any] | None = None
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """`via`: customer, api, operator or vk. `hidden_from`: sides that no longer see it."""

    id: int
    cmid: int
    peer_id: int
    from_id: int
    date: int
    via: str
    draft: Draft
    random_id: int = 0
    edited: int | None = None
    hidden_from: set[str] = field(default_factory=set)
    reactions: dict[int, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The stable key (§1): the id is 0 in group chats."""
        return f"{self.peer_id}:{self.cmid}"

    @property
    def out(self) -> bool:
        return self.from_id < 0


@dataclass(slots=True)
class Dialog:
    """One peer. `in_read` and `out_read`: cmids up to which the community and the customer have read.

    `closed`: the reply window is shut until the customer writes (950). `activity`: what the customer
    sees the community do, and until when. `before`: the cmid before the first message.
    """

    peer_id: int
    title: str = ""
    members: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    in_read: int = 0
    out_read: int = 0
    answered: bool = False
    closed: bool = False
    activity: tuple[str, float] = ("", 0.0)
    before: int = 0

    @property
    def is_chat(self) -> bool:
        return self.peer_id > CHATS_FROM

    def at(self, cmid: int) -> Message | None:
        place = cmid - self.before
        return self.messages[place - 1] if 0 < place <= len(self.messages) else None

    def seen_by(self, side: str) -> list[Message]:
        """The messages a side (`community` or `customer`) still has, oldest first."""
        return [message for message in self.messages if side not in message.hidden_from]


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the subscribers: a message, or `details` as they are."""

    type: str
    peer_id: int
    message: Message | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Press:
    """A pressed callback button, waiting for `messages.sendMessageEventAnswer`."""

    user_id: int
    message: Message
    at: float
    answer: Any = None


class Community:
    """All state of the one community; `announce` is called for everything its subscribers may learn."""

    def __init__(self, number: int, name: str, now: Clock, announce: Callable[[Event], None]) -> None:
        self.id = number
        self.name = name
        self.clock = now
        self.announce = announce
        self.users: dict[int, User] = {}
        self.dialogs: dict[int, Dialog] = {}
        self.messages: dict[int, Message] = {}
        self.media: dict[str, dict[str, Any]] = {}
        self.transcripts: dict[int, tuple[float, str]] = {}
        self.presses: dict[str, Press] = {}
        self.sent: dict[str, dict[int, Message]] = {}
        self._media_ids = 456_239_000
        self._before = ids_from(now)

    def now(self) -> int:
        return int(self.clock())

    def user(self, named: str) -> User:
        """The user of this name or id, made up on first sight with an id that is always the same."""
        known = self.find_user(named)
        if known:
            return known
        by_id = _is_id(named) and int(named) < CHATS_FROM
        number = int(named) if by_id else 77_000_000 + _number(named, 90_000_000)
        while number in self.users:
            number += 1
        self.users[number] = User(number, f"Клиент {named}" if by_id else named)
        return self.users[number]

    def find_user(self, named: str) -> User | None:
        return next((u for u in self.users.values() if named in {u.name, str(u.id), u.screen_name}), None)

    def by_domain(self, named: str) -> User | None:
        """By id or short name, the only names the API takes."""
        return next((u for u in self.users.values() if named in {str(u.id), u.screen_name}), None)

    def dialog(self, peer_id: int) -> Dialog:
        if peer_id not in self.dialogs:
            self.dialogs[peer_id] = Dialog(peer_id, before=self._before)
        return self.dialogs[peer_id]

    def recent_dialogs(self) -> list[Dialog]:
        """Those with messages, the latest first."""
        spoken = [dialog for dialog in self.dialogs.values() if dialog.seen_by("community")]
        return sorted(spoken, key=lambda dialog: -dialog.seen_by("community")[-1].id)

    def post(self, dialog: Dialog, from_id: int, draft: Draft, *, via: str, random_id: int = 0) -> Message:
        """Store a message and announce it."""
        message = Message(
            id=51_000 + self._before + len(self.messages) + 1,
            cmid=dialog.before + len(dialog.messages) + 1,
            peer_id=dialog.peer_id,
            from_id=from_id,
            date=self.now(),
            via=via,
            draft=draft,
            random_id=random_id,
        )
        dialog.messages.append(message)
        self.messages[message.id] = message
        dialog.answered = message.out
        if not message.out:
            self._hear(dialog, message)
        self.announce(Event("message_reply" if message.out else "message_new", dialog.peer_id, message))
        return message

    def _hear(self, dialog: Dialog, message: Message) -> None:
        """Whoever writes lets the community answer."""
        dialog.closed = False
        if message.from_id in self.users and not dialog.is_chat:
            self.users[message.from_id].allowed = True

    def edit(self, message: Message, draft: Draft, *, aloud: bool = True) -> None:
        message.draft, message.edited = draft, self.now()
        if aloud:
            self.announce(Event("message_edit", message.peer_id, message))

    def at(self, peer_id: int, cmid: int) -> Message | None:
        dialog = self.dialogs.get(peer_id)
        found = dialog.at(cmid) if dialog else None
        return found if found and "community" not in found.hidden_from else None

    def by_id(self, number: int) -> Message | None:
        """By the mailbox id, which messages of group chats do not have (§1)."""
        message = self.messages.get(number)
        if message is None or message.peer_id > CHATS_FROM or "community" in message.hidden_from:
            return None
        return message

    def by_key(self, key: str) -> Message | None:
        """By `peer:cmid`, or by the mailbox id."""
        peer, _, cmid = key.partition(":")
        if cmid:
            return self.at(int(peer), int(cmid)) if _is_id(peer) and _is_id(cmid) else None
        return self.by_id(int(key)) if _is_id(key) else None

    def keep(self, kind: str, owner: int, fields: dict[str, Any]) -> dict[str, Any]:
        """Give a media object its id and owner, so that it can be attached: `{kind}{owner}_{id}`."""
        self._media_ids += 1
        thing = {"id": self._media_ids, "owner_id": owner, **fields}
        self.media[f"{kind}{owner}_{thing['id']}"] = thing
        return thing

    def forget(self) -> None:
        """Drop conversations; people keep their ids and must write again."""
        stores = (self.dialogs, self.messages, self.media, self.transcripts, self.presses, self.sent)
        for store in stores:
            store.clear()
        self._before = ids_from(self.clock)
        for user in self.users.values():
            user.allowed = False


def new_key() -> str:
    return secrets.token_hex(9)


def _is_id(named: str) -> bool:
    return named.isascii() and named.isdigit() and len(named) <= 18 and int(named) > 0


def _number(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % below
