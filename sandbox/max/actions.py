"""What a customer does beside writing: start, stop, press, edit, and what happens to groups (contract §7)."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from sandbox.answers import parse, refuse
from sandbox.max.callbacks import Callbacks
from sandbox.max.events import Events
from sandbox.max.letters import Letters, raw
from sandbox.max.presses import Pressing
from sandbox.max.shop import BOT_RIGHTS, Body, Chat, Json, Member, Message, Person, Shop
from sandbox.vendor import Letter

ALIASES = {
    "start": "bot_started",
    "stop": "bot_stopped",
    "edit": "message_edited",
    "delete": "message_removed",
}
MUTED_FOR = 3600 * 1000


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Start(_Content):
    """`payload` is what stood in the link https://max.ru/<bot>?start=<payload>."""

    payload: str | None = None


class Mute(_Content):
    muted_until: int | None = None


class Change(_Content):
    """`attachments` are raw; left out, the message keeps its own."""

    message: str
    text: str | None = None
    attachments: list[Json] | None = None


class Removal(_Content):
    message: str


class Group(_Content):
    """A chat or channel that the customer adds the bot to; no admin where `rights` is null."""

    title: str = "Мастера"
    is_channel: bool = False
    rights: list[str] | None = list(BOT_RIGHTS)


class Company(_Content):
    """Who invited or removed the customer; themselves unless named."""

    by: str | None = None


class Title(_Content):
    title: str = "Новое название"


class Comment(_Content):
    post: str
    text: str = "А сколько стоит?"


class Actions:
    """By control type; each says in which chat it happened and which messages it touched."""

    def __init__(self, shop: Shop, events: Events, letters: Letters, callbacks: Callbacks) -> None:
        self._shop = shop
        self._events = events
        self._letters = letters
        self._pressing = Pressing(shop, events, letters, callbacks)
        self._acts: dict[str, Callable[[Chat, Person, Letter], list[Message]]] = {
            "bot_started": self._start,
            "bot_stopped": self._stop,
            "dialog_removed": self._remove_dialog,
            "dialog_cleared": self._tell_of_dialog("dialog_cleared"),
            "dialog_muted": self._mute,
            "dialog_unmuted": self._unmute,
            "message_callback": self._pressing.press,
            "press": self._pressing.press,
            "message_edited": self._edit,
            "message_removed": self._delete,
            "bot_removed": self._remove_bot,
            "user_added": self._join,
            "user_removed": self._part,
            "chat_title_changed": self._rename,
            "comment": self._comment,
            "update": self._raw,
        }

    @property
    def types(self) -> set[str]:
        return {*self._acts, *ALIASES, "bot_added"}

    def open_group(self, person: Person, letter: Letter) -> Chat:
        """`bot_added`; the chat_id of the answer is where the customer writes from now on."""
        given: Group = parse(Group, letter.content or {})
        rights = None if given.rights is None else tuple(given.rights)
        kind = "channel" if given.is_channel else "chat"
        chat = self._shop.open_group("channel" if kind == "channel" else "chat", given.title, person, rights)
        self._events.about("bot_added", chat, person, is_channel=given.is_channel)
        return chat

    def act(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        kind = ALIASES.get(letter.type or "", letter.type or "")
        if kind != "bot_started" and kind != "update":
            check_started(chat)
        return self._acts[kind](chat, person, letter)

    def _start(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Start = parse(Start, letter.content or {})
        _only_in_dialogs(chat)
        chat.stopped = chat.removed = False
        self._events.about("bot_started", chat, person, payload=given.payload)
        return []

    def _stop(self, chat: Chat, person: Person, _: Letter) -> list[Message]:
        _only_in_dialogs(chat)
        chat.stopped = True
        self._events.about("bot_stopped", chat, person)
        return []

    def _remove_dialog(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        """Comes beside bot_stopped."""
        self._stop(chat, person, letter)
        chat.removed = True
        self._events.about("dialog_removed", chat, person)
        return []

    def _tell_of_dialog(self, kind: str) -> Callable[[Chat, Person, Letter], list[Message]]:
        def tell(chat: Chat, person: Person, _: Letter) -> list[Message]:
            _only_in_dialogs(chat)
            self._events.about(kind, chat, person)
            return []

        return tell

    def _mute(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Mute = parse(Mute, letter.content or {})
        _only_in_dialogs(chat)
        chat.muted_until = given.muted_until or self._shop.now() + MUTED_FOR
        self._events.about("dialog_muted", chat, person, muted_until=chat.muted_until)
        return []

    def _unmute(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        chat.muted_until = None
        return self._tell_of_dialog("dialog_unmuted")(chat, person, letter)

    def _edit(self, _: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Change = parse(Change, letter.content or {})
        message = self.own(person, given.message)
        old = message.body
        attachments = old.attachments if given.attachments is None else tuple(given.attachments)
        self._shop.edit(message, Body(given.text or letter.text or old.text, attachments))
        self._events.edited(message)
        return [message]

    def _delete(self, _: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Removal = parse(Removal, letter.content or {})
        message = self.own(person, given.message)
        self.delete(message, person)
        return [message]

    def delete(self, message: Message, by: Person) -> None:
        self._shop.remove(message)
        self._events.removed(message, by)

    def own(self, person: Person, mid: str) -> Message:
        message = self._shop.messages.get(mid)
        if message is None or message.deleted:
            refuse(404, "there is no such message")
        if message.author != person:
            refuse(409, "a customer can change only messages of their own")
        return message

    def _remove_bot(self, chat: Chat, person: Person, _: Letter) -> list[Message]:
        _only_in_groups(chat)
        chat.members.pop(self._shop.bot.id, None)
        self._events.about("bot_removed", chat, person, is_channel=chat.type == "channel")
        return []

    def _join(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        _only_in_groups(chat)
        chat.members[person.id] = Member(person, self._shop.now())
        who = self._somebody(letter)
        self._events.about("user_added", chat, person, inviter_id=who, is_channel=chat.type == "channel")
        return []

    def _part(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        _only_in_groups(chat)
        chat.members.pop(person.id, None)
        who = self._somebody(letter)
        self._events.about("user_removed", chat, person, admin_id=who, is_channel=chat.type == "channel")
        return []

    def _somebody(self, letter: Letter) -> int | None:
        given: Company = parse(Company, letter.content or {})
        return self._shop.person(given.by).id if given.by else None

    def _rename(self, chat: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Title = parse(Title, letter.content or {})
        _only_in_groups(chat)
        chat.title = given.title
        self._events.about("chat_title_changed", chat, person, title=given.title)
        return []

    def _comment(self, _: Chat, person: Person, letter: Letter) -> list[Message]:
        given: Comment = parse(Comment, letter.content or {})
        post = self._shop.standing(given.post)
        if post is None:
            refuse(404, "post: there is no such message")
        comment = self._shop.comment(post, person, Body(letter.text or given.text), via="customer")
        self._events.created(comment)
        return [comment]

    def _raw(self, chat: Chat, _: Person, letter: Letter) -> list[Message]:
        """Any update at all, unknown types included; a timestamp is added where there is none."""
        self._events.raw(raw(letter.content), chat)
        return []


def check_started(chat: Chat) -> None:
    if chat.stopped:
        refuse(409, "the customer has stopped the bot: let them start it first (type bot_started)")


def _only_in_dialogs(chat: Chat) -> None:
    if not chat.person:
        refuse(409, "this happens in dialogs only")


def _only_in_groups(chat: Chat) -> None:
    if chat.person:
        refuse(409, "this happens in groups and channels only: open one with bot_added and name its chat")
