"""The Graph API's JSON: the fields we read. Unknown fields are ignored; what the contract leaves optional may
be missing, null or of a wrong type without spoiling the rest (vendor contract §5 to §13).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
)

from core.vendor_json import Lenient, Shape, without_nul

#: Seconds of 9999-12-31; later moments are noise.
LAST_SECOND = 253_402_214_400
#: Numbers beyond this are milliseconds (seconds until the year 5138).
_MILLISECONDS_FROM = 100_000_000_000


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    """Meta's own samples pass one object where a list is meant (§5.1)."""
    return [value] if isinstance(value, dict) else value


def _data_of(value: Any) -> Any:
    """`{"data": [...]}`, as the Graph API wraps its lists."""
    return value.get("data") if isinstance(value, dict) else value


def _unwrapped(value: Any) -> Any:
    """`/me` is flat in life and wrapped in `data` in Meta's sample (§9)."""
    inner = value.get("data") if isinstance(value, dict) else None
    if isinstance(inner, list):
        inner = inner[0] if inner else None
    return inner if isinstance(inner, dict) else value


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and not value.isdecimal():
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 20:
        raise ValueError("is no time")
    number = float(value)
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    if not 0 < seconds < LAST_SECOND:
        raise ValueError("is no time")
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(value: Any) -> datetime | None:
    """ISO text, Unix seconds or milliseconds, as number or text (§8, §13.4)."""
    try:
        return _moment(value)
    except (ValueError, OverflowError):
        return None


#: Opaque ids; NUL can be stored nowhere.
TextId = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
MaybeId = Annotated[TextId | None, Lenient]
#: An Instagram-scoped id of a person: digits (§3).
Igsid = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[1-9][0-9]{0,19}$")]
MaybeText = Annotated[Annotated[str, AfterValidator(without_nul)] | None, Lenient]
Flag = Annotated[bool | None, Lenient]
Moment = Annotated[datetime | None, BeforeValidator(moment_or_none)]


class Customer(Shape):
    """Who can be answered."""

    id: Igsid


def _id_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else None


PartyId = Annotated[MaybeId, BeforeValidator(_id_of)]


class Parties(Shape):
    """§13.5: who wrote to whom, and when it happened."""

    sender: PartyId = None
    recipient: PartyId = None
    timestamp: Moment = None


class Payload(Shape):
    url: MaybeText = None
    title: MaybeText = None


class Attachment(Shape):
    """§13.6: `ephemeral` ones have no payload."""

    type: MaybeText = None
    payload: Annotated[Payload | None, Lenient] = None

    @property
    def url(self) -> str | None:
        return (self.payload.url if self.payload else None) or None

    @property
    def title(self) -> str:
        return (self.payload.title if self.payload else None) or ""


#: An attachment that cannot be read still counts as one.
AnyAttachment = Annotated[
    Attachment, BeforeValidator(lambda value: value if isinstance(value, dict | Shape) else {})
]


class Link(Shape):
    """A story, a picture, something shared; the history calls the address `link` as well."""

    id: MaybeId = None
    url: MaybeText = None
    link: MaybeText = None


class ReplyTo(Shape):
    """§13.6: a message, or a story of the business."""

    mid: MaybeId = None
    story: Annotated[Link | None, Lenient] = None


class Thing(Shape):
    """An ad, or a product of the shop."""

    id: MaybeId = None
    ad_title: MaybeText = None


class Referral(Shape):
    """§13.6: the ad, link or product that the customer came by."""

    ref: MaybeText = None
    ad_id: MaybeId = None
    source: MaybeText = None
    ads_context_data: Annotated[Thing | None, Lenient] = None
    product: Annotated[Thing | None, Lenient] = None

    @property
    def about(self) -> str | None:
        """Id of the ad, or of the product."""
        return self.ad_id or (self.product.id if self.product else None)

    @property
    def title(self) -> str | None:
        return self.ads_context_data.ad_title if self.ads_context_data else None


MaybeReferral = Annotated[Referral | None, Lenient]
MaybeAttachments = Annotated[Annotated[list[AnyAttachment], BeforeValidator(_as_list)] | None, Lenient]


class Tap(Shape):
    """§13.6: a postback, or the quick reply inside a message."""

    mid: MaybeId = None
    title: MaybeText = None
    payload: MaybeText = None
    referral: MaybeReferral = None


class Message(Shape):
    """§13.6: `message` of an item; a quick reply's words are its title."""

    mid: TextId
    text: MaybeText = None
    attachments: MaybeAttachments = None
    is_deleted: Flag = None
    is_echo: Flag = None
    is_unsupported: Flag = None
    quick_reply: Annotated[Tap | None, Lenient] = None
    referral: MaybeReferral = None
    reply_to: Annotated[ReplyTo | None, Lenient] = None


class About(Shape):
    """§13.6: what happened to a message; a `read` has a `mid`, not the watermark of Messenger."""

    mid: TextId


class Reaction(About):
    action: MaybeText = None
    reaction: MaybeText = None
    emoji: MaybeText = None


class MessageEdit(About):
    """`num_edit` is text in Meta's sample and a number in life."""

    text: MaybeText = None
    num_edit: MaybeId = None


class Sent(Shape):
    """§5.3"""

    message_id: TextId


class Done(Shape):
    """§13.1"""

    success: Literal[True] = True


class TokenAnswer(Shape):
    """§10; `expires_in` in seconds."""

    access_token: str = Field(min_length=1, repr=False)
    expires_in: int = Field(default=60 * 86_400, gt=0, lt=2**31)


class Me(Shape):
    """§9: `user_id` is what webhooks carry; `id` is another one."""

    user_id: TextId


OwnAccount = Annotated[Me, BeforeValidator(_unwrapped)]


class Person(Shape):
    """§9; everything may be missing."""

    name: MaybeText = None
    username: MaybeText = None
    profile_pic: MaybeText = None


class Apps(Shape):
    """A row for each app that is told of the account; their shape is from memory (§13.1)."""

    data: Annotated[list[Any] | None, Lenient] = None


class File(Shape):
    """An attachment in the history; keys beside `image_data` are not confirmed (§8)."""

    image_data: Annotated[Link | None, Lenient] = None
    video_data: Annotated[Link | None, Lenient] = None
    file_url: MaybeText = None
    mime_type: MaybeText = None

    @property
    def as_pushed(self) -> Attachment:
        """The same attachment as a webhook has it."""
        for kind, media in (("image", self.image_data), ("video", self.video_data)):
            if media:
                return Attachment(type=kind, payload=Payload(url=media.url))
        kind = "audio" if (self.mime_type or "").startswith("audio/") else "file"
        return Attachment(type=kind, payload=Payload(url=self.file_url))


class Party(Shape):
    """§8: a person or the business."""

    id: MaybeId = None
    username: MaybeText = None


class Stories(Shape):
    mention: Annotated[Link | None, Lenient] = None
    reply_to: Annotated[Link | None, Lenient] = None


Files = Annotated[Annotated[list[File], BeforeValidator(_data_of)] | None, Lenient]
Links = Annotated[Annotated[list[Link], BeforeValidator(_data_of)] | None, Lenient]
People = Annotated[Annotated[list[Party], BeforeValidator(_data_of)] | None, Lenient]


class Row(Shape):
    """§8: a message of the history. Beyond the newest 20 there are id and time only."""

    id: TextId
    created_time: Moment = None
    author: PartyId = Field(default=None, alias="from")
    message: MaybeText = None
    attachments: Files = None
    shares: Links = None
    story: Annotated[Stories | None, Lenient] = None
    reply_to: Annotated[ReplyTo | None, Lenient] = None
    is_unsupported: Flag = None

    @property
    def quoted(self) -> str | None:
        """The message that it replies to."""
        return self.reply_to.mid if self.reply_to else None

    @property
    def as_pushed(self) -> Message:
        """The same message as a webhook has it."""
        files = [file.as_pushed for file in self.attachments or []]
        files += [Attachment(type="share", payload=Payload(url=one.link)) for one in self.shares or []]
        mention, replied = (self.story.mention, self.story.reply_to) if self.story else (None, None)
        if mention:
            files.append(Attachment(type="story_mention", payload=Payload(url=mention.link)))
        story = Link(id=replied.id, url=replied.link) if replied else None
        return Message(
            mid=self.id,
            text=self.message,
            attachments=files,
            is_unsupported=self.is_unsupported,
            reply_to=ReplyTo(mid=self.quoted, story=story),
        )


class Page(Shape):
    """§8: `paging.next` exists while there is more; it is never followed, for it may carry a token."""

    paging: Annotated[dict[str, Any] | None, Lenient] = Field(default=None, repr=False)

    @property
    def after(self) -> str:
        """The cursor of the next page; "" on the last one."""
        cursors = (self.paging or {}).get("cursors") if (self.paging or {}).get("next") else None
        after = cursors.get("after") if isinstance(cursors, dict) else None
        return after if isinstance(after, str) else ""


class Messages(Page):
    """Newest first; a row that cannot be read is None."""

    data: Annotated[list[Annotated[Row | None, Lenient]] | None, Lenient] = None

    @property
    def rows(self) -> Sequence[Row]:
        return [row for row in self.data or [] if row]


class Conversation(Shape):
    id: TextId
    updated_time: Moment = None
    participants: People = None
    messages: Annotated[Messages | None, Lenient] = None

    def customer(self, user_id: str) -> Party | None:
        """Whoever is not the account: there are no groups (§1)."""
        return next((one for one in self.participants or [] if one.id not in (None, user_id)), None)


class Conversations(Page):
    data: list[Annotated[Conversation | None, Lenient]]

    @property
    def rows(self) -> Sequence[Conversation]:
        return [row for row in self.data if row]


class Refusal(Shape):
    """§12; anything but message, type, code and trace may be missing."""

    message: MaybeText = None
    code: Annotated[int | None, Lenient] = None
    error_subcode: Annotated[int | None, Lenient] = None
    is_transient: Flag = None


class ErrorAnswer(Shape):
    error: Refusal
