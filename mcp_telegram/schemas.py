"""Telegram's JSON: the fields we read, and our ids made of them. Unknown fields are ignored; what the
contract leaves optional may be missing, null or of a wrong type without spoiling the rest (§2 to §9).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    Field,
    ValidationError,
)

from core.errors import NotFound
from core.ids import ChatId, MessageId
from core.vendor_json import Lenient, Shape

#: Seconds of 9999-12-31; later moments are noise.
LAST_SECOND = 253_402_214_400
_PLACE = re.compile(r"(?:([!-~]{1,400}):)?(-?[1-9][0-9]{0,18})")
_SERIAL = re.compile(r"[0-9]{1,19}")

T = TypeVar("T")


Int64 = Annotated[int, Field(gt=-(2**63), lt=2**63)]
Serial = Annotated[int, Field(ge=0, lt=2**63)]
TextId = Annotated[str, Field(min_length=1, max_length=400)]
#: A business connection's; it becomes a part of chat ids.
ConnectionId = Annotated[str, Field(pattern=r"^[!-~]{1,400}$")]
MaybeText = Annotated[str | None, Lenient]
MaybeFlag = Annotated[bool | None, Lenient]
Seconds = Annotated[Annotated[int, Field(gt=0, lt=LAST_SECOND)] | None, Lenient]
Length = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, Lenient]
Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


class Place(NamedTuple):
    """A chat: of the bot itself, or behind a business connection. Both may have the same number (§4)."""

    chat: int
    connection: str = ""

    @classmethod
    def read(cls, chat_id: str) -> Self:
        """The place that a chat id names. Raises NotFound for an id that cannot be one."""
        match = _PLACE.fullmatch(chat_id)
        if not match:
            raise NotFound("There is no chat with this id.", channel="telegram")
        return cls(int(match[2]), match[1] or "")

    @property
    def chat_id(self) -> ChatId:
        """`<chat>`, or `<connection>:<chat>`."""
        return ChatId(f"{self.connection}:{self.chat}" if self.connection else str(self.chat))

    def message_id(self, number: int | str) -> MessageId:
        """Telegram counts messages per chat; ours are told apart everywhere."""
        return MessageId(f"{self.chat_id}:{number}")

    def number_of(self, message_id: str) -> int:
        """Telegram's number of one of this chat's messages. Raises NotFound for another chat's."""
        chat_id, _, number = message_id.rpartition(":")
        if chat_id != self.chat_id or not _SERIAL.fullmatch(number):
            raise NotFound("There is no message with this id in the chat.", channel="telegram")
        return int(number)


class User(Shape):
    """§4; the first name of a deleted user is empty."""

    id: Int64
    is_bot: MaybeFlag = None
    first_name: MaybeText = None
    last_name: MaybeText = None
    username: MaybeText = None
    language_code: MaybeText = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)


class Chat(User):
    """§4: people have names, groups a title; `bio` and the like are not ours to know."""

    type: MaybeText = None
    title: MaybeText = None

    @property
    def is_private(self) -> bool:
        return self.type == "private"


AnyUser = Annotated[User | None, Lenient]


class Attached(Shape):
    """A file of any kind (§4); `file_id` opens it for this bot only."""

    file_id: Annotated[TextId | None, Lenient] = None
    file_name: MaybeText = None
    duration: Length = None
    emoji: MaybeText = None
    title: MaybeText = None


AnyFile = Annotated[Attached | None, Lenient]


class Contact(Shape):
    phone_number: MaybeText = None
    first_name: MaybeText = None
    last_name: MaybeText = None
    user_id: Annotated[Int64 | None, Lenient] = None

    @property
    def name(self) -> str | None:
        return " ".join(part for part in (self.first_name, self.last_name) if part) or None

    @property
    def e164(self) -> str | None:
        """The number as Telegram writes it, digits with the country's code, with a plus."""
        digits = "".join(re.findall("[0-9]", self.phone_number or ""))
        return f"+{digits}" if 7 <= len(digits) <= 15 else None


class Point(Shape):
    latitude: Degrees
    longitude: Degrees


class Venue(Shape):
    title: MaybeText = None
    address: MaybeText = None

    @property
    def words(self) -> str:
        return ", ".join(part for part in (self.title, self.address) if part)


class Titled(Shape):
    """What is told of content that bots cannot show: a poll's question, a game's title, a dice's value."""

    title: MaybeText = None
    question: MaybeText = None
    emoji: MaybeText = None
    value: Annotated[int | None, Lenient] = None

    @property
    def words(self) -> str:
        thrown = f"{self.emoji} {self.value}" if self.emoji and self.value is not None else ""
        return self.question or self.title or thrown


class Button(Shape):
    text: MaybeText = None
    callback_data: MaybeText = None


class Markup(Shape):
    """The buttons under a message."""

    inline_keyboard: Annotated[list[Any] | None, Lenient] = None

    def buttons(self) -> Iterator[Button]:
        """Those that can be read, row by row."""
        for row in self.inline_keyboard or []:
            for button in row if isinstance(row, list) else []:
                try:
                    yield Button.model_validate(button)
                except ValidationError:
                    continue


class Answered(Shape):
    """The message that another one answers."""

    message_id: Serial


class Message(Shape):
    """§4. `sender_business_bot`: a bot wrote it in the owner's name; `is_from_offline`: Telegram did (§9)."""

    message_id: Serial
    chat: Chat
    sender: AnyUser = Field(default=None, alias="from")
    sender_chat: AnyUser = None
    sender_business_bot: AnyUser = None
    business_connection_id: Annotated[ConnectionId | None, Lenient] = None
    is_from_offline: MaybeFlag = None
    date: Seconds = None
    edit_date: Seconds = None
    reply_to_message: Annotated[Answered | None, Lenient] = None
    text: MaybeText = None
    caption: MaybeText = None
    photo: Annotated[list[AnyFile] | None, Lenient] = None
    voice: AnyFile = None
    audio: AnyFile = None
    video: AnyFile = None
    video_note: AnyFile = None
    animation: AnyFile = None
    document: AnyFile = None
    sticker: AnyFile = None
    contact: Annotated[Contact | None, Lenient] = None
    location: Annotated[Point | None, Lenient] = None
    venue: Annotated[Venue | None, Lenient] = None
    reply_markup: Annotated[Markup | None, Lenient] = None

    @property
    def place(self) -> Place:
        return Place(self.chat.id, self.business_connection_id or "")

    @property
    def author_id(self) -> int:
        """A user, or the chat on whose behalf it was written; a person's own chat has their number (§4)."""
        return (self.sender_chat or self.sender or self.chat).id

    @property
    def own_phone(self) -> str | None:
        """Only a contact that bears the sender's own id is the sender's number (§4)."""
        same = self.contact and self.sender and self.contact.user_id == self.sender.id
        return self.contact.e164 if self.contact and same else None


class BusinessMessage(Message):
    """Without its connection it would be answered in the bot's own chat with the same person."""

    business_connection_id: ConnectionId


class Update(Shape):
    """§3: one payload key beside the id."""

    update_id: Serial


class Press(Shape):
    """A CallbackQuery (§4); an inaccessible message has chat and id only. We write none that has no chat."""

    id: TextId
    sender: User = Field(alias="from")
    message: Message
    data: MaybeText = None
    game_short_name: MaybeText = None

    @property
    def label(self) -> str:
        """The words on the button; its data where the message does not show it any more."""
        buttons = self.message.reply_markup.buttons() if self.message.reply_markup else ()
        pressed = (button.text for button in buttons if button.text and button.callback_data == self.data)
        return next(pressed, None) or self.data or self.game_short_name or ""


class ReactionType(Shape):
    """An emoji; custom and paid ones have none."""

    type: MaybeText = None
    emoji: MaybeText = None


class Reaction(Shape):
    """MessageReactionUpdated: who reacts is a user, or a chat on whose behalf it was done."""

    chat: Chat
    message_id: Serial
    user: AnyUser = None
    actor_chat: AnyUser = None
    date: Seconds = None
    new_reaction: Annotated[list[Annotated[ReactionType | None, Lenient]] | None, Lenient] = None


class Member(Shape):
    status: str


class Membership(Shape):
    """`my_chat_member` (§3): the bot was blocked, unblocked, added or removed."""

    chat: Chat
    sender: User = Field(alias="from")
    date: Seconds = None
    new_chat_member: Member


class Rights(Shape):
    can_reply: MaybeFlag = None


class Connection(Shape):
    """BusinessConnection (§4)."""

    id: ConnectionId
    user: User
    user_chat_id: Int64
    date: Seconds = None
    is_enabled: bool
    can_reply: MaybeFlag = None
    rights: Annotated[Rights | None, Lenient] = None

    @property
    def state(self) -> str:
        if not self.is_enabled:
            return "отключено"
        may_reply = self.rights.can_reply if self.rights else self.can_reply
        return "включено, бот может отвечать" if may_reply else "включено без права отвечать"


class Deleted(Shape):
    """BusinessMessagesDeleted (§4); it tells no time."""

    business_connection_id: ConnectionId
    chat: Chat
    message_ids: Annotated[list[Serial], Field(min_length=1)]


class Answer(Shape, Generic[T]):
    """The envelope of every result (§1)."""

    ok: Literal[True]
    result: T


class Sent(Shape):
    """The message that a send made (§5)."""

    message_id: Serial
    chat: Chat


class StoredFile(Shape):
    """§6; the path holds for an hour."""

    file_path: str = Field(min_length=1)
    file_size: Annotated[int | None, Lenient] = None


class WebhookInfo(Shape):
    """§2.4; `allowed_updates` is there only when it is not the usual set."""

    url: str = ""
    pending_update_count: int = 0
    last_error_date: Seconds = None
    last_error_message: MaybeText = None
    allowed_updates: list[str] | None = None


class Parameters(Shape):
    retry_after: Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, Lenient] = None
    migrate_to_chat_id: Annotated[Int64 | None, Lenient] = None


class Refusal(Shape):
    """The error envelope (§1)."""

    description: MaybeText = None
    parameters: Annotated[Parameters | None, Lenient] = None
