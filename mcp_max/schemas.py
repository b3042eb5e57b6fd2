"""MAX's JSON: the fields we read. Unknown fields are ignored; what the contract leaves optional may be
missing, null or of a wrong type without spoiling the rest (vendor contract §3 to §7).
"""

import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from core.ids import UserId
from core.vendor_json import Lenient, Shape, without_nul

#: Milliseconds of 9999-12-31; later moments are noise.
LAST_MS = 253_402_214_400_000
#: The user_id that stands for nobody.
NOBODY = 0
EPOCH = datetime.fromtimestamp(0, UTC)
#: Both are how vCards write a line break: the second one was escaped once too often on its way.
_LINE_BREAK = re.compile(r"\r\n|\n|\\r\\n|\\n")
_PHONE = re.compile(r"\+?[1-9][0-9]{7,14}", re.ASCII)
_MP4 = re.compile(r"mp4_([0-9]{1,5})")


#: Signed; true, "5" and 5.0 are no ids.
Int64 = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
MaybeInt = Annotated[Int64 | None, Lenient]
MaybeFlag = Annotated[bool | None, Field(strict=True), Lenient]
#: Opaque ids of messages and presses; NUL can be stored nowhere.
TextId = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
MaybeId = Annotated[TextId | None, Lenient]
MaybeText = Annotated[Annotated[str, AfterValidator(without_nul)] | None, Lenient]
#: §1: all times are in milliseconds.
Millis = Annotated[Annotated[int, Field(strict=True, gt=0, lt=LAST_MS)] | None, Lenient]
Seconds = Annotated[Annotated[float, Field(ge=0, lt=1e9, allow_inf_nan=False)] | None, Lenient]
Degrees = Annotated[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None, Lenient]


def moment(milliseconds: int) -> datetime:
    """Unix milliseconds as a time in UTC, exactly."""
    return EPOCH + timedelta(milliseconds=milliseconds)


class User(Shape):
    """§3.1; `name` is deprecated but still sent, `last_name` may be ""."""

    user_id: Int64
    first_name: MaybeText = None
    last_name: MaybeText = None
    name: MaybeText = None
    username: MaybeText = None
    is_bot: MaybeFlag = None

    @property
    def full_name(self) -> str | None:
        """First and last name; None when there is neither."""
        parts = " ".join(part.strip() for part in (self.first_name, self.last_name) if part)
        return parts.strip() or (self.name or "").strip() or None


MaybeUser = Annotated[User | None, Lenient]


class Recipient(Shape):
    """§3.1: in a dialog `user_id` is who gets the message; `post_id` marks a comment."""

    chat_id: MaybeInt = None
    chat_type: MaybeText = None
    user_id: MaybeInt = None
    post_id: Any = None

    @property
    def is_public(self) -> bool:
        """A channel's post, or a comment below one: an answer would be a post."""
        return self.chat_type == "channel" or self.post_id is not None


class Payload(Shape):
    """What an attachment carries, of every type at once (§3.1)."""

    url: MaybeText = None
    token: MaybeText = None
    code: MaybeText = None
    vcf_info: MaybeText = None
    hash: MaybeText = None
    max_info: MaybeUser = None
    buttons: Any = None

    @property
    def card(self) -> dict[str, str]:
        """The vCard's first value of each name; parameters such as TEL;TYPE=cell are dropped."""
        found: dict[str, str] = {}
        for line in _LINE_BREAK.split(self.vcf_info or ""):
            name, colon, value = line.partition(":")
            if colon and value.strip():
                found.setdefault(name.partition(";")[0].strip().upper(), value.strip())
        return found

    @property
    def phone(self) -> str | None:
        """The vCard's number, E.164 where it can be: MAX leaves the plus out."""
        written = re.sub(r"[\s().-]", "", self.card.get("TEL", "").removeprefix("tel:"))
        if not _PHONE.fullmatch(written):
            return None
        if len(written) == 11 and written.startswith("8"):
            written = f"7{written[1:]}"
        return f"+{written.removeprefix('+')}"

    def is_signed_with(self, token: str) -> bool:
        """Whether `hash` is the HMAC-SHA256 of the vCard under the bot's token.

        The contract names the field; how it is made was found in programs of others (README).
        """
        card = (self.vcf_info or "").replace(r"\r\n", "\r\n").encode("utf-8", "surrogatepass")
        proof = hmac.new(token.encode(), card, "sha256").hexdigest()
        return hmac.compare_digest(proof.encode(), (self.hash or "").lower().encode("utf-8", "surrogatepass"))

    @property
    def labels(self) -> Iterator[tuple[str, str]]:
        """(payload, words) of every button that has both."""
        for row in self.buttons if isinstance(self.buttons, list) else ():
            for button in row if isinstance(row, list) else ():
                known = button if isinstance(button, dict) else {}
                payload, text = known.get("payload"), known.get("text")
                if isinstance(payload, str) and isinstance(text, str):
                    yield payload, without_nul(text)


class Attachment(Shape):
    """§3.1: places, names, sizes and transcriptions stand beside the payload."""

    type: str = Field(max_length=64)
    payload: Annotated[Payload | None, Lenient] = None
    filename: MaybeText = None
    transcription: MaybeText = None
    duration: Seconds = None
    title: MaybeText = None
    description: MaybeText = None
    latitude: Degrees = None
    longitude: Degrees = None

    @property
    def content(self) -> Payload:
        """The payload; an empty one where there is none."""
        return self.payload or Payload()


def _attachment(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return Attachment(type="unknown")


AnyAttachment = Annotated[Attachment, WrapValidator(_attachment)]


class Body(Shape):
    """§3.1. `seq` grows within a chat."""

    mid: MaybeId = None
    seq: MaybeInt = None
    text: MaybeText = None
    attachments: Annotated[list[AnyAttachment] | None, Lenient] = None


MaybeBody = Annotated[Body | None, Lenient]


class Link(Shape):
    """The message that is answered or passed on."""

    type: MaybeText = None
    sender: MaybeUser = None
    message: MaybeBody = None


class Message(Shape):
    """§3.1. No sender: a channel's post. No body: a bare forward."""

    sender: MaybeUser = None
    recipient: Annotated[Recipient | None, Lenient] = None
    timestamp: Millis = None
    body: MaybeBody = None
    link: Annotated[Link | None, Lenient] = None

    @property
    def place(self) -> Recipient:
        """Where it was written; unknown when MAX does not say."""
        return self.recipient or Recipient()

    @property
    def attachments(self) -> list[Attachment]:
        """Of the message itself, not of one passed on with it."""
        return (self.body.attachments if self.body else None) or []

    @property
    def author(self) -> UserId:
        """Who wrote it; nobody's number where MAX names nobody."""
        return UserId(str(self.sender.user_id if self.sender else NOBODY))

    @property
    def customer(self) -> int:
        """The side of a dialog that is not the bot (§3.1)."""
        if self.sender and not self.sender.is_bot:
            return self.sender.user_id
        return self.place.user_id or NOBODY

    @property
    def bot(self) -> int | None:
        """The side of a dialog that is the bot; None in groups and where MAX does not say."""
        if self.place.chat_type != "dialog":
            return None
        return self.sender.user_id if self.sender and self.sender.is_bot else self.place.user_id

    @property
    def quoted(self) -> str | None:
        """The id of the message that this one answers."""
        answers = self.link and self.link.type == "reply"
        return self.link.message.mid if answers and self.link and self.link.message else None

    def is_elsewhere(self, chat_id: str) -> bool:
        """Whether MAX shows it in another chat than that of our id, a number or `user:` and a number."""
        place = self.place
        if chat_id.startswith("user:"):
            in_group = place.chat_type in {"chat", "channel"}
            return in_group or self.customer not in (NOBODY, int(chat_id.removeprefix("user:")))
        return bool(place.chat_id) and chat_id != str(place.chat_id)

    def is_by(self, bot_id: int | None) -> bool:
        """While our bot's id is unknown any bot may be ours: better unanswered than answered by itself."""
        if self.sender is None:
            return False
        return self.sender.user_id == bot_id if bot_id is not None else bool(self.sender.is_bot)


class Callback(Shape):
    """A press of a button (§7)."""

    callback_id: TextId
    user: User
    timestamp: Millis = None
    payload: MaybeText = None


class Update(Shape):
    """§7: every type at once. Real service events carry a `user_id` beside the `user`."""

    update_type: str
    timestamp: Millis = None
    message: Annotated[Message | None, Lenient] = None
    callback: Annotated[Callback | None, Lenient] = None
    message_id: MaybeId = None
    chat_id: MaybeInt = None
    user: MaybeUser = None
    user_id: MaybeInt = None
    payload: MaybeText = None
    title: MaybeText = None

    @property
    def person(self) -> int:
        """Whom a service event is about."""
        return self.user.user_id if self.user else self.user_id or NOBODY


class Chat(Shape):
    """§3.1; `dialog_with_user` and no title in dialogs."""

    chat_id: Int64
    title: MaybeText = None
    last_event_time: Millis = None
    dialog_with_user: MaybeUser = None


class SentBody(Shape):
    mid: TextId


class SentMessage(Shape):
    body: SentBody


class Sent(Shape):
    """§3.2: the answer to a send."""

    message: SentMessage


class Messages(Shape):
    """§3.3: rows as they came; each is read on its own."""

    messages: list[Any]


class Row(NamedTuple):
    """A message of the history: as it came, and read."""

    raw: dict[str, Any]
    message: Message

    @property
    def place(self) -> tuple[int, int]:
        """Grows with every message of a chat."""
        body = self.message.body
        return self.message.timestamp or 0, (body.seq if body else 0) or 0

    def as_update(self) -> dict[str, Any]:
        """As a webhook would have told it."""
        return {
            "update_type": "message_created",
            "timestamp": self.message.timestamp,
            "message": self.raw,
        }


def read_rows(rows: list[Any]) -> list[Row]:
    """Those that can be read, in their order."""
    return [Row(row, Message.model_validate(row)) for row in rows if isinstance(row, dict)]


class Done(Shape):
    """`{"success": true}`; a false one never comes this far (client.describe)."""

    success: bool = True


class UploadAddress(Shape):
    """§4, step 1; the token comes here for video and audio only."""

    url: str = Field(pattern=r"^https?://[A-Za-z0-9]", repr=False)
    token: MaybeText = Field(default=None, repr=False)


class Uploaded(Shape):
    """§4, step 2: pictures come as a map, files with a token, video and audio as XML."""

    photos: Annotated[dict[str, Any] | None, Lenient] = Field(default=None, repr=False)
    token: MaybeText = Field(default=None, repr=False)


class Video(Shape):
    """§2: links to a video by size; none while it is processed."""

    urls: Annotated[dict[str, Any] | None, Lenient] = None

    @property
    def best(self) -> str:
        """The largest MP4, else the stream; "" when there is none."""
        known = {name: url for name, url in (self.urls or {}).items() if isinstance(url, str) and url}
        sizes = {int(match[1]): url for name, url in known.items() if (match := _MP4.fullmatch(name))}
        return sizes[max(sizes)] if sizes else known.get("hls", "")


class Subscription(Shape):
    url: str


class Subscriptions(Shape):
    """§5.1"""

    subscriptions: Annotated[list[Subscription], BeforeValidator(lambda value: value or [])] = Field(
        default_factory=list
    )


class ErrorAnswer(Shape):
    """§1: `{code, message, error?}`, or a 200 with `success: false`."""

    code: MaybeText = None
    message: MaybeText = None
    error: MaybeText = None
    success: MaybeFlag = None

    @property
    def words(self) -> str:
        """What the failure is called, "" when the body says nothing."""
        return ", ".join(text for text in (self.code, self.message, self.error) if text)
