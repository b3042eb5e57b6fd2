"""The unified message: what every channel puts on `queue:incoming` and what goes to `queue:outgoing`.

The names of docs/architecture.md are a contract with foreign producers. What was added since is optional,
so a producer that knows only the first fields keeps working. Unknown fields are kept out, never refused.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId, UserId
from core.registry import CHANNEL_NAMES

ACCOUNT_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,31}$"
#: PostgreSQL cannot hold NUL in text; no messenger shows it either.
NUL = "\x00"
#: Levels of a vendor's own body; JSON writers give up at 255.
DEEPEST = 100

FileKind = Literal["voice", "video", "document"]
#: Who speaks for the business; an operator may write while the AI is paused.
Speaker = Literal["agent", "operator"]
MOST_BUTTONS = 13
LONGEST_BUTTON = 40

#: "typing" only moves the deadline of a chat that is gathering (core/lua/collect.lua); it is kept nowhere.
Event = Literal[
    "message",
    "edit",
    "delete",
    "read",
    "delivered",
    "postback",
    "reaction",
    "operator_message",
    "notice",
    "typing",
]


#: An empty word in one of these means that there is none.
_NAMES = frozenset(
    {"account", "event", "reply_to", "id", "idempotency_key", "file_url", "file_kind", "send_at", "sender"}
)


def _says_nothing(key: object, item: object) -> bool:
    return item is None or (item == "" and key in _NAMES)


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_id(value: object) -> object:
    text = _number_as_text(value)
    return _without_nul(text) if isinstance(text, str) else text


def _as_reference(value: object) -> object:
    return _as_id(value) or None


def _without_nul(value: str) -> str:
    return value.replace(NUL, "")


def _known_channel(value: str) -> str:
    if value not in CHANNEL_NAMES:
        raise ValueError(f"unknown channel {value[:40]!r}; known: {', '.join(sorted(CHANNEL_NAMES))}")
    return value


def _label(value: str) -> str:
    label = _without_nul(value).strip()
    if not 1 <= len(label) <= LONGEST_BUTTON:
        raise ValueError(f"a button's label has 1 to {LONGEST_BUTTON} characters, not {len(label)}")
    return label


def _not_too_deep(raw: dict[str, Any]) -> dict[str, Any]:
    """What can be read but not written again could be neither stored nor kept as a dead letter."""
    level: list[Any] = [raw]
    for _ in range(DEEPEST):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return raw
    raise ValueError("nested too deeply")


def _in_utc(value: object) -> object:
    """A timestamp without an offset is UTC by contract; datetime would guess local time."""
    if isinstance(value, str) and value:
        parsed = datetime.fromisoformat(value.strip())
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return value


Text = Annotated[str, AfterValidator(_without_nul)]
#: Ids are opaque text; producers that write numbers mean the same.
IdField = Field(min_length=1, max_length=512)
User = Annotated[UserId, BeforeValidator(_as_id), IdField]
Chat = Annotated[ChatId, BeforeValidator(_as_id), IdField]
Message = Annotated[MessageId, BeforeValidator(_as_id), IdField]
Reference = Annotated[Annotated[MessageId, Field(max_length=512)] | None, BeforeValidator(_as_reference)]
Channel = Annotated[ChannelName, AfterValidator(_known_channel)]
Account = Annotated[AccountId, Field(pattern=ACCOUNT_PATTERN)]
UtcTime = Annotated[AwareDatetime, BeforeValidator(_in_utc)]
Label = Annotated[
    str,
    AfterValidator(_label),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_BUTTON}),  # as the validator
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Image(_Frozen):
    """One picture; `url` may expire, `file_id` is the vendor's own."""

    url: str | None = None
    file_id: str | None = None
    caption: str | None = None


class File(_Frozen):
    """A video, a document or a sticker; `kind` is the vendor's word for it."""

    url: str | None = None
    file_id: str | None = None
    name: str | None = None
    kind: str | None = None


class Location(_Frozen):
    """A place on the map, degrees WGS 84."""

    latitude: float
    longitude: float
    title: str | None = None


class Contact(_Frozen):
    """A shared address-book card."""

    name: str | None = None
    phone: str | None = None


class Media(_Frozen):
    """Everything in a message that is not its text."""

    has_voice: bool = False
    voice_url: str | None = None
    voice_transcribed_text: str | None = None
    voice_file_id: str | None = None
    voice_seconds: float | None = None
    has_images: bool = False
    images: tuple[Image, ...] = ()
    has_video: bool = False
    videos: tuple[File, ...] = ()
    has_document: bool = False
    documents: tuple[File, ...] = ()
    locations: tuple[Location, ...] = ()
    contacts: tuple[Contact, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when the message carries words only."""
        listed = self.images or self.videos or self.documents or self.locations or self.contacts
        return not (self.has_voice or self.has_images or self.has_video or self.has_document or listed)


class Meta(_Frozen):
    """Where the message came from: the ad it is about, and the vendor's own body for later study."""

    ad_channel: str = ""
    ad_id: Annotated[Text | None, BeforeValidator(_number_as_text)] = None
    ad_title: Text | None = None
    ad_price: Text | None = None
    ad_url: Text | None = None
    raw: Annotated[dict[str, Any], AfterValidator(_not_too_deep)] = Field(default_factory=dict)


class IncomingMessage(_Frozen):
    """One event from a customer (or from an operator, seen in the vendor's app)."""

    channel: Channel
    account: Account = DEFAULT_ACCOUNT
    event: Event = "message"
    external_user_id: User
    external_chat_id: Chat
    external_message_id: Message
    text: Text = ""
    timestamp: UtcTime
    client_name: Text | None = None
    client_phone: Text | None = None
    client_email: Text | None = None
    client_username: Text | None = Field(default=None, description="their public name at the messenger")
    media: Media = Media()
    meta: Meta = Meta()
    reply_to: Reference = None
    own: bool = Field(default=False, description="an edit, deletion or reaction by the business itself")
    received_at: UtcTime | None = Field(default=None, description="when our webhook had it")
    spooled: bool = Field(default=False, description="it waited on the webhook's disk: Redis was away")
    event_key: Text = Field(default="", description="the vendor's event, as repeats are recognised by it")

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absences(cls, value: object) -> object:
        """Producers in other languages write null where they mean nothing; both are the default."""
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if not _says_nothing(key, item)}
        return value


class OutgoingMessage(_Frozen):
    """One message to send; `{channel, external_chat_id, text}` is enough, the rest has defaults.

    `id` names the delivery. A producer that repeats an `idempotency_key` names the same delivery again. A
    text may have buttons and may quote (`reply_to`, where the messenger can); a picture or a file goes with
    the text as its words. `send_at` puts it off until then; a time that is past means now. `sender`
    "operator": a person's words, sent also while the AI is paused.
    """

    id: UUID = Field(default_factory=uuid4)
    channel: Channel
    account: Account = DEFAULT_ACCOUNT
    external_chat_id: Chat
    text: Annotated[Text, Field(max_length=20_000)] = ""
    image_url: str | None = None
    file_url: Annotated[str | None, Field(max_length=2000)] = None
    file_kind: FileKind | None = None
    buttons: Annotated[tuple[Label, ...], Field(max_length=MOST_BUTTONS)] = ()
    reply_to: Reference = None
    idempotency_key: Annotated[str | None, Field(max_length=200)] = None
    send_at: UtcTime | None = None
    sender: Speaker = "agent"

    @model_validator(mode="before")
    @classmethod
    def _one_key_is_one_delivery(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = {key: item for key, item in value.items() if not _says_nothing(key, item)}
        if given.get("idempotency_key") and not given.get("id"):
            given["id"] = delivery_id(given)
        return given

    @model_validator(mode="after")
    def _says_something(self) -> "OutgoingMessage":
        worded = bool(self.text.strip())
        if not worded and not self.image_url and not self.file_url:
            raise ValueError("a message needs a text or an image_url or a file_url")
        if self.image_url and self.file_url:
            raise ValueError("a message has an image_url or a file_url, not both")
        if bool(self.file_url) != bool(self.file_kind):
            raise ValueError("file_url and file_kind (voice, video or document) go together")
        if self.buttons and (not worded or self.image_url or self.file_url):
            raise ValueError("buttons stand under a text alone")
        return self


def delivery_id(given: dict[str, Any]) -> UUID:
    """The delivery that an idempotency key names, within its channel and account."""
    account = given.get("account") or DEFAULT_ACCOUNT
    return uuid5(NAMESPACE_URL, f"{given.get('channel')}|{account}|{given['idempotency_key']}")
