"""Wappi's JSON: the fields we read. Unknown fields are ignored; what the contract leaves optional may be
missing, null or of a wrong type without spoiling the rest (vendor contract §2 to §4).

A webhook and the history tell the same message under different names (§4.1): `Item` reads both.
"""

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    TypeAdapter,
)

from core.vendor_json import Lenient, Shape, without_nul

#: Seconds of 9999-12-31; later moments are noise.
LAST_SECOND = 253_402_214_400
_PERSON = re.compile(r"([0-9]{5,15})(@c\.us|@s\.whatsapp\.net)?")
_HIDDEN = re.compile(r"[0-9]{5,20}@lid")
_DIRECTION_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
_CARD_NAME = re.compile(r"^FN[^:\n]*:(.+)$", re.MULTILINE)
_CARD_PHONE = re.compile(r"^TEL[^:\n]*:(.+)$", re.MULTILINE)


def address(written: str) -> str:
    """An id as we call it: digits for a person in any of Wappi's forms (§2.1), else as it is."""
    person = _PERSON.fullmatch(written)
    return person[1] if person else written


def is_person(chat: str) -> bool:
    """Whether a chat is with one customer and no group or broadcast."""
    return bool(_PERSON.fullmatch(chat) or _HIDDEN.fullmatch(chat))


def phone_of(chat: str) -> str | None:
    """The customer's phone; a hidden id and a group have none (§5)."""
    person = _PERSON.fullmatch(chat)
    return f"+{person[1]}" if person else None


def without_marks(name: str | None) -> str:
    """A name without the invisible direction marks that stand around bare phones (§3.4)."""
    return _DIRECTION_MARKS.sub("", name or "").strip()


def _one_as_many(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _nothing_as_none_of_them(value: Any) -> Any:
    return [] if value is None else value


def _web_address(value: str | None) -> str | None:
    return value if value and value.startswith(("https://", "http://")) else None


#: Opaque ids; NUL can be stored nowhere.
TextId = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]+$")]
MaybeText = Annotated[Annotated[str, AfterValidator(without_nul)] | None, Lenient]
MaybeFlag = Annotated[bool | None, Lenient]
MaybeLink = Annotated[MaybeText, AfterValidator(_web_address)]
Number = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, Lenient]
Degrees = Annotated[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None, Lenient]


def _texts_only(value: Any) -> Any:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


Texts = Annotated[list[Annotated[str, AfterValidator(without_nul)]], BeforeValidator(_texts_only), Lenient]


def moment(*written: Any) -> datetime | None:
    """The moment that any of these tells: Wappi swaps number and text under two names (§2.2).

    Epoch seconds are trusted first, then RFC 3339 with an offset; None when nobody knows.
    """
    for value in written:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LAST_SECOND:
            return datetime.fromtimestamp(value, UTC)
    readable = (_parsed(value) for value in written if isinstance(value, str))
    return next((time for time in readable if time), None)


def _parsed(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _found(pattern: re.Pattern[str], card: str | None) -> str | None:
    found = pattern.search(card or "")
    return found[1].strip() or None if found else None


def _called(*names: str) -> Any:
    return Field(default=None, validation_alias=AliasChoices(*names))


class Timed(Shape):
    """`time` and `timestamp`, whichever is the number."""

    time: Any = None
    timestamp: Any = None

    @property
    def at(self) -> datetime | None:
        """When it happened."""
        return moment(self.time, self.timestamp)


class Delivery(Shape):
    """§4: `messages` is an array, or a single object."""

    messages: Annotated[list[Any], BeforeValidator(_one_as_many)]


class Event(Shape):
    """What every event has."""

    wh_type: TextId
    profile_id: TextId


class Place(Shape):
    latitude: Degrees = None
    longitude: Degrees = None
    description: MaybeText = None


class Card(Shape):
    """A shared contact (`display_name`, `phone`), or an entry of the phone book (§3.4, §4.6)."""

    display_name: MaybeText = None
    phone: MaybeText = None
    full_name: MaybeText = _called("FullName")
    push_name: MaybeText = _called("PushName")


class StoredFile(Shape):
    """`s3Info`: a signed link, `{}` without one."""

    url: MaybeLink = None
    expire: Number = None


class Quoted(Shape):
    """`reply_message`; its body may repeat the reply's own text (§4.3), so only the id is believed."""

    id: MaybeText = None


class Item(Timed):
    """§4.1, §4.2 and the row of §3.5: one message, edit, deletion, reaction or vote.

    Only `id`, `type` and `chat` are in every sample. `sender` is the participant in a group.
    """

    id: TextId
    type: TextId
    chat: TextId = Field(validation_alias=AliasChoices("chatId", "chat_id"))
    wh_type: MaybeText = None
    sender: MaybeText = _called("from")
    own: MaybeFlag = _called("is_me", "fromMe")
    from_where: MaybeText = None
    chat_type: MaybeText = None
    sender_name: MaybeText = _called("senderName")
    contact_name: MaybeText = None
    contact_username: MaybeText = None
    body: MaybeText = None
    caption: MaybeText = None
    is_reply: MaybeFlag = _called("isReply", "is_reply")
    stanza: MaybeText = _called("stanza_id", "stanzaId")
    reply_message: Annotated[Quoted | None, Lenient] = None
    edited: MaybeFlag = _called("is_edited", "isEdited")
    deleted: MaybeFlag = _called("is_deleted", "isDeleted")
    is_gif: MaybeFlag = _called("isGif")
    mimetype: MaybeText = None
    file_name: MaybeText = None
    file_link: MaybeLink = None
    stored: Annotated[StoredFile | None, Lenient] = _called("s3Info")
    length_seconds: Annotated[Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, Lenient] = None
    location: Annotated[Place | None, Lenient] = None
    contact: Annotated[Card | None, Lenient] = None
    poll_options: Texts | None = None
    chosen: Texts | None = _called("selected_poll_variant")
    read: MaybeFlag = _called("isRead")
    status: MaybeText = _called("delivery_status")

    @property
    def link(self) -> str | None:
        """A link that opens the file without our token, for about 48 hours."""
        return self.file_link or (self.stored.url if self.stored else None)

    @property
    def key(self) -> str:
        """Not only the id: a deletion, an edit and a second edit may have the id of the message (§11.7)."""
        if self.deleted:
            return f"{self.id}:delete"
        if self.edited:
            words = hashlib.sha256((self.body or self.caption or "").encode()).hexdigest()[:12]
            return f"{self.id}:edit:{self.at.timestamp() if self.at else 0:.0f}:{words}"
        return f"{self.id}:{'reaction' if self.type == 'reaction' else 'message'}"

    def client_name(self, *, own: bool) -> str | None:
        """The phone book's name, which in a group is the group's; then the customer's own."""
        theirs = "" if own or not self.in_private else without_marks(self.sender_name)
        return without_marks(self.contact_name) or theirs or None

    def client_username(self, *, own: bool) -> str | None:
        """§4.1 shows it empty: taken for the customer's public name, where the contact is the customer."""
        theirs = "" if own or not self.in_private else without_marks(self.contact_username)
        return theirs or None

    @property
    def target(self) -> str:
        """What an edit or a deletion is about; in a reply `stanza` is the quoted one instead."""
        return self.stanza if self.stanza and not self.is_reply else self.id

    @property
    def card(self) -> tuple[str | None, str | None]:
        """Name and phone of a shared contact: from `contact`, else from the vCard itself."""
        known = self.contact or Card()
        return (
            known.display_name or _found(_CARD_NAME, self.body),
            known.phone or _found(_CARD_PHONE, self.body),
        )

    @property
    def in_private(self) -> bool:
        """With one customer (§4.1: `chat_type` is missing in old samples)."""
        return self.chat_type != "group" and is_person(self.chat)

    @property
    def quoted(self) -> str | None:
        """The message that this one quotes."""
        if not self.is_reply:
            return None
        return self.stanza or (self.reply_message.id if self.reply_message else None)

    @property
    def typed_by_hand(self) -> bool:
        """On the phone or in WhatsApp Web (§4.4): certainly no echo of an API call."""
        return self.wh_type == "outgoing_message_phone" or self.from_where == "phone"


ROW: TypeAdapter[Item | None] = TypeAdapter(Annotated[Item | None, Lenient])


class Receipt(Timed):
    """§4.5: `chat_id` here, not `chatId`."""

    id: TextId
    chat: TextId = Field(validation_alias=AliasChoices("chat_id", "chatId", "to"))
    status: TextId


class Call(Timed):
    """§4.6: it has no id."""

    type: TextId
    number: TextId
    contact: Annotated[Card | None, Lenient] = None


class Done(Shape):
    """§2.2: HTTP 200 is a success only with this; one method says `success`."""

    status: Literal["done", "success"]


class Sent(Done):
    """§3.2"""

    message_id: TextId


class ProfileStatus(Shape):
    """§3.1 `get/status`, the one answer without a `status`: `authorized` is the sign of health."""

    authorized: bool
    app_status: MaybeText = None
    phone: MaybeText = None
    logouted_at: MaybeText = None
    payment_expired_at: MaybeText = None
    webhook_url: MaybeText = None
    webhook_types: Texts | None = None


class WebhookUrl(Done):
    """§3.7 `url/get`"""

    url: MaybeText = None
    installed: MaybeFlag = None


class Dialog(Shape):
    """§3.4; every field but the id is optional."""

    id: TextId
    name: MaybeText = None
    contact: Annotated[Card | None, Lenient] = None
    last_time: Any = None
    last_timestamp: Any = None
    last_words: MaybeText = _called("last_message_data")


class Dialogs(Done):
    """§3.4; a chat that cannot be read is None, so that the offsets stay right."""

    dialogs: Annotated[list[Annotated[Dialog | None, Lenient]], BeforeValidator(_nothing_as_none_of_them)] = (
        Field(default_factory=list)
    )
    total_count: Number = None


class Messages(Done):
    """§3.5; rows as they came. An empty chat has a `detail` in place of the list (§7)."""

    messages: Annotated[list[Any], BeforeValidator(_nothing_as_none_of_them)] = Field(default_factory=list)
    total_count: Number = None


class OneMessage(Done):
    message: Item


class Downloaded(Done):
    """§3.5: the file in base64, or a link to it."""

    file_b64: MaybeText = Field(default=None, repr=False)
    mime_type: MaybeText = None
    file_link: MaybeLink = Field(default=None, repr=False)
    file_link_expire: Number = None

    @property
    def content(self) -> bytes:
        """The file, b"" when it is not there or cannot be read."""
        try:
            return base64.b64decode(self.file_b64 or "", validate=True)
        except ValueError:
            return b""


class Person(Shape):
    number: MaybeText = None
    name: MaybeText = None
    pushname: MaybeText = None
    short_name: MaybeText = None
    business_name: MaybeText = None


class ContactAnswer(Done):
    """§3.6 `contact/get`"""

    contact: Person


class ContactCheck(Done):
    """§3.6 `contact/check`"""

    on_whatsapp: bool


class ErrorAnswer(Shape):
    """§7: an explanation of a failure, or a bare `{"status": "error"}`."""

    status: MaybeText = None
    detail: MaybeText = None
