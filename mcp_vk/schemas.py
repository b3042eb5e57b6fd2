"""VK's JSON: the fields we read. Unknown fields are ignored; what the contract leaves optional may be
missing, null or of a wrong type without spoiling the rest (vendor contract §1 to §4).
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from core.jsontext import UnreadableJSON, read_json, without_surrogates
from core.vendor_json import Lenient, Shape, without_nul

#: Seconds of 9999-12-31; later moments are noise.
LAST_SECOND = 253_402_214_400
#: Group chats have numbers above it (§1).
CHATS_FROM = 2_000_000_000

Answer = TypeVar("Answer")


def _or_nothing(value: Any) -> Any:
    return value if isinstance(value, list) else []


def _kept(text: str) -> str:
    return without_surrogates(without_nul(text))


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be 0")
    return value


AList = BeforeValidator(_or_nothing)
Number = Annotated[int, Field(strict=True, gt=-(10**18), lt=10**18)]
#: A user above 0, a community below (§1).
PeerId = Annotated[Number, AfterValidator(_not_zero)]
MaybeInt = Annotated[Number | None, Lenient]
MaybePeer = Annotated[PeerId | None, Lenient]
#: A number within one peer, counted from 1; the ids of the mailbox are 0 in group chats.
Cmid = Annotated[int, Field(strict=True, ge=1, lt=10**18)]
MaybeCmid = Annotated[Cmid | None, Lenient]
Text = Annotated[str, AfterValidator(_kept)]
MaybeText = Annotated[Text | None, Lenient]
Seconds = Annotated[Annotated[int, Field(strict=True, gt=0, lt=LAST_SECOND)] | None, Lenient]
Degrees = Annotated[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None, Lenient]
#: 0 and 1, or false and true.
Flag = Annotated[bool | None, Lenient]


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


class Reply(Shape, Generic[Answer]):
    """§1: every answer that is no error."""

    response: Answer


class Picture(Shape):
    """One size of a photo, a sticker or a preview."""

    url: MaybeText = None
    width: MaybeInt = None
    height: MaybeInt = None

    @property
    def area(self) -> int:
        return (self.width or 0) * (self.height or 0)


Pictures = Annotated[list[Annotated[Picture | None, Lenient]], AList]


class Thing(Shape):
    """What is attached (§4.4), whatever its kind: each kind fills some of these fields."""

    id: MaybeInt = None
    owner_id: MaybeInt = None
    from_id: MaybeInt = None
    access_key: MaybeText = None
    title: MaybeText = None
    text: MaybeText = None
    url: MaybeText = None
    description: MaybeText = None
    question: MaybeText = None
    artist: MaybeText = None
    doc_type: MaybeInt = Field(default=None, alias="type")
    duration: Annotated[float | None, Lenient] = None
    link_ogg: MaybeText = None
    link_mp3: MaybeText = None
    transcript: MaybeText = None
    transcript_state: MaybeText = None
    price: MaybeText = Field(default=None, validation_alias=AliasPath("price", "text"))
    sizes: Pictures = Field(default_factory=list)
    orig_photo: Annotated[Picture | None, Lenient] = None
    images: Pictures = Field(default_factory=list)
    attachments: Annotated[list["MaybeAttachment"], AList] = Field(default_factory=list)

    @property
    def largest(self) -> str | None:
        """Address of the picture with the most pixels: the sizes are not sorted, and new letters appear."""
        known = [one for one in (*self.sizes, *self.images, self.orig_photo) if one and one.url]
        return max(known, key=lambda one: one.area).url if known else None


class Attachment(Shape):
    """§4.4: `{"type": T, T: {...}}`."""

    type: Text
    thing: Thing

    @model_validator(mode="before")
    @classmethod
    def _unfolded(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            return {}
        thing = value.get(value["type"])
        return {"type": value["type"], "thing": thing if isinstance(thing, dict) else {}}

    @property
    def name(self) -> str:
        """`{type}{owner}_{id}`, under which it can be found again; "" for what has no id."""
        if self.thing.id is None or self.thing.owner_id is None:
            return ""
        return f"{self.type}{self.thing.owner_id}_{self.thing.id}"

    @property
    def reference(self) -> str:
        """As `attachment` of a send wants it (§3.1); "" for what cannot be attached again."""
        key = f"_{self.thing.access_key}" if self.thing.access_key else ""
        return f"{self.name}{key}" if self.name else ""

    @property
    def link(self) -> str | None:
        """It opens without our key, for some time."""
        return self.thing.link_ogg or self.thing.link_mp3 or self.thing.largest or self.thing.url or None


MaybeAttachment = Annotated[Attachment | None, Lenient]
Thing.model_rebuild()


class Geo(Shape):
    """§4.4: not an attachment."""

    latitude: Degrees = Field(default=None, validation_alias=AliasPath("coordinates", "latitude"))
    longitude: Degrees = Field(default=None, validation_alias=AliasPath("coordinates", "longitude"))
    title: MaybeText = Field(default=None, validation_alias=AliasPath("place", "title"))


class Action(Shape):
    """A service message of a group chat."""

    type: MaybeText = None
    text: MaybeText = None


class Quoted(Shape):
    """A message within a message: answered or passed on."""

    peer_id: MaybePeer = None
    from_id: MaybePeer = None
    cmid: MaybeCmid = Field(default=None, alias="conversation_message_id")
    text: MaybeText = None
    attachments: Annotated[list[MaybeAttachment], AList] = Field(default_factory=list)
    fwd_messages: Annotated[list[Annotated["Quoted | None", Lenient]], AList] = Field(default_factory=list)
    geo: Annotated[Geo | None, Lenient] = None


class Message(Quoted):
    """§4.3, as in a history too."""

    peer_id: PeerId
    from_id: PeerId
    cmid: Cmid = Field(alias="conversation_message_id")
    id: MaybeInt = None
    date: Seconds = None
    update_time: Seconds = None
    out: Flag = None
    random_id: MaybeInt = None
    admin_author_id: MaybeInt = None
    payload: MaybeText = None
    ref: MaybeText = None
    is_cropped: Flag = None
    action: Annotated[Action | None, Lenient] = None
    reply_message: Annotated[Quoted | None, Lenient] = None
    raw: dict[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _kept_for_study(cls, value: Any) -> Any:
        return {**value, "raw": value} if isinstance(value, dict) else value

    def is_of(self, group_id: int) -> bool:
        """Whether the community wrote it."""
        return bool(self.out) or self.from_id == -group_id


MaybeMessage = Annotated[Message | None, Lenient]


class Callback(Shape):
    """§4.1: the envelope."""

    type: str
    group_id: Number
    secret: Annotated[str, Field(repr=False)] = ""
    event_id: MaybeText = None
    object: Annotated[dict[str, Any] | None, Lenient] = None


def callback_of(body: bytes) -> Callback | None:
    """The delivery in the raw bytes; None when it is none."""
    try:
        return Callback.model_validate(read_json(body))
    except (UnreadableJSON, ValidationError):
        return None


class Gesture(Shape):
    """Who did what to which message: a press, a consent, a reading, a reaction (§4.3).

    `event_id` is that of the press, not of the delivery. Without a `reaction_id` the reaction is taken back.
    """

    user_id: PeerId = Field(validation_alias=AliasChoices("user_id", "from_id", "reacted_id"))
    peer_id: PeerId = Field(validation_alias=AliasChoices("peer_id", "user_id", "from_id"))
    cmid: MaybeCmid = Field(default=None, validation_alias=AliasChoices("conversation_message_id", "cmid"))
    event_id: Annotated[Annotated[Text, Field(max_length=400)] | None, Lenient] = None
    payload: Any = None
    reaction_id: MaybeInt = None


class SentRow(Shape):
    """§3.1, the answer for one of `peer_ids`; a group chat has cmids only."""

    message_id: MaybeInt = None
    cmid: MaybeCmid = Field(default=None, alias="conversation_message_id")


class Conversation(Shape):
    """§3.2"""

    peer_id: PeerId = Field(validation_alias=AliasPath("peer", "id"))
    in_read_cmid: MaybeInt = None
    out_read_cmid: MaybeInt = None
    title: MaybeText = Field(default=None, validation_alias=AliasPath("chat_settings", "title"))


MaybeConversation = Annotated[Conversation | None, Lenient]


class User(Shape):
    """A person of `profiles` or users.get."""

    id: Number
    first_name: MaybeText = None
    last_name: MaybeText = None
    photo_100: MaybeText = None

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.first_name, self.last_name)))


class Group(Shape):
    id: Number
    name: MaybeText = None


class People(Shape):
    """Who is named beside an answer with `extended=1`."""

    profiles: Annotated[list[Annotated[User | None, Lenient]], AList] = Field(default_factory=list)
    groups: Annotated[list[Annotated[Group | None, Lenient]], AList] = Field(default_factory=list)

    @property
    def names(self) -> dict[int, str]:
        """By peer id: communities are negative."""
        persons = {one.id: one.name for one in self.profiles if one}
        return persons | {-abs(one.id): one.name or "" for one in self.groups if one}


class Row(Shape):
    """A conversation in a list, with its last message."""

    conversation: Conversation
    last_message: MaybeMessage = None


class Page(People, Generic[Answer]):
    """A list; a row that cannot be read is None, so that the offsets stay right.

    `conversations` stands beside a history that was asked for with `extended=1`.
    """

    items: list[Annotated[Answer | None, Lenient]]
    conversations: Annotated[list[MaybeConversation], AList] = Field(default_factory=list)


class Permissions(Shape):
    """groups.getTokenPermissions: what the key may do."""

    permissions: list[dict[str, Any]]

    @property
    def names(self) -> set[str]:
        return {str(one.get("name")) for one in self.permissions}


class Allowed(Shape):
    is_allowed: Flag = None


class UploadServer(Shape):
    """§3.4, step 1: the address knows who uploads, so it is kept out of texts."""

    upload_url: str = Field(pattern=r"^https?://[A-Za-z0-9.-]+", repr=False)


class Uploaded(Shape):
    """Step 2, of a photo (`photo` is JSON in a string) or a file; what was refused is "[]" or ""."""

    server: int = 0
    photo: str = ""
    hash: str = ""
    file: str = ""


class Code(Shape):
    code: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")


class ServerId(Shape):
    server_id: int


class Server(Shape):
    """§3.5; `status` is unconfigured, wait, failed or ok."""

    id: int
    url: str = ""
    status: MaybeText = None
    secret_key: Annotated[str | None, Lenient] = Field(default=None, repr=False)


class CallbackSettings(Shape):
    """Which events a server gets; 0 and 1."""

    events: dict[str, Any] = Field(default_factory=dict)


class Refusal(Shape):
    """§1: an error; rows of an answer name its fields differently (§3.1)."""

    code: MaybeInt = Field(default=None, validation_alias=AliasChoices("error_code", "code"))
    words: MaybeText = Field(default=None, validation_alias=AliasChoices("error_msg", "description"))


class FailedRow(Shape):
    error: Annotated[Refusal | None, Lenient] = None


class ErrorAnswer(Shape):
    """Every shape in which VK refuses: the API, a row of its answer, an upload (`error` is a text)."""

    error: Annotated[Refusal | str | None, Lenient] = None
    error_descr: MaybeText = None
    response: Annotated[list[FailedRow] | None, Lenient] = None

    @property
    def refusal(self) -> Refusal | None:
        """None when nothing was refused."""
        if isinstance(self.error, str):
            return Refusal.model_construct(words=", ".join(filter(None, (self.error, self.error_descr))))
        rows = [row.error for row in self.response or [] if row.error]
        return self.error or next(iter(rows), None)
