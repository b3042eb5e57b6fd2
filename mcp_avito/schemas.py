"""Avito's JSON: the fields we read. Unknown fields are ignored; what the contract leaves optional may be
missing, null or of a wrong type without spoiling the rest (vendor contract §3 to §7).
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
)

from core.messages import NUL
from core.vendor_json import Lenient, Shape, without_nul

#: Seconds of 9999-12-31; later moments are noise.
LAST_SECOND = 253_402_214_400
_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


Int64 = Annotated[int, Field(ge=0, lt=2**63)]
#: Opaque ids of chats and messages; NUL can be stored nowhere.
TextId = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
MaybeId = Annotated[Int64 | None, Lenient]
MaybeText = Annotated[Annotated[str, AfterValidator(without_nul)] | None, Lenient]
Seconds = Annotated[Annotated[int, Field(gt=0, lt=LAST_SECOND)] | None, Lenient]
Degrees = Annotated[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None, Lenient]


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


class Sizes(Shape):
    """`{"sizes": {"1280x960": url, "32x32": url}}`; which sizes come is open."""

    sizes: Annotated[dict[str, Any] | None, Lenient] = None

    @property
    def largest(self) -> str | None:
        """Address of the picture with the most pixels."""
        pixels = {
            int(match[1]) * int(match[2]): url
            for size, url in (self.sizes or {}).items()
            if (match := _SIZE.fullmatch(size)) and isinstance(url, str) and NUL not in url
        }
        return pixels[max(pixels)] if pixels else None


class Voice(Shape):
    voice_id: MaybeText = None


class Link(Shape):
    """The user's words are in `text`."""

    text: MaybeText = None
    url: MaybeText = None


class Item(Shape):
    """A shared ad; the price is text with its currency."""

    title: MaybeText = None
    item_url: MaybeText = None
    price_string: MaybeText = None


class Place(Shape):
    lat: Degrees = None
    lon: Degrees = None
    title: MaybeText = None
    text: MaybeText = None


class Call(Shape):
    status: MaybeText = None


class Content(Shape):
    """§5: one key is populated, by the message's type."""

    text: MaybeText = None
    image: Annotated[Sizes | None, Lenient] = None
    voice: Annotated[Voice | None, Lenient] = None
    link: Annotated[Link | None, Lenient] = None
    item: Annotated[Item | None, Lenient] = None
    location: Annotated[Place | None, Lenient] = None
    call: Annotated[Call | None, Lenient] = None


AnyContent = Annotated[Content, BeforeValidator(_nothing_is_empty)]


class Value(Shape):
    """§4: one message of a push. `user_id` is our account, `author_id` who wrote it."""

    id: TextId
    chat_id: TextId
    type: str
    user_id: Int64
    author_id: Int64 | None = None
    chat_type: MaybeText = None
    item_id: MaybeId = None
    content: AnyContent = Content()
    created: Seconds = None
    published_at: Annotated[AwareDatetime | None, Lenient] = None


class Payload(Shape):
    type: str
    value: dict[str, Any]


class Push(Shape):
    """§4: the envelope; `timestamp` is when the push was sent."""

    payload: Payload
    timestamp: Seconds = None


class TokenAnswer(Shape):
    """§2.1; `expires_in` in seconds."""

    access_token: str = Field(min_length=1, repr=False)
    expires_in: Int64 = 86_400


class Account(Shape):
    """§3.1"""

    id: Int64
    name: MaybeText = None


class User(Shape):
    """§3.3; the client is the user who is not the account."""

    id: MaybeId = None
    name: MaybeText = None


class Ad(Shape):
    id: MaybeId = None
    title: MaybeText = None
    price_string: MaybeText = None
    url: MaybeText = None


class Context(Shape):
    """What a chat is about; `value` is an ad only when `type` is "item"."""

    type: MaybeText = None
    value: Annotated[Ad | None, Lenient] = None


class Message(Shape):
    """§3.4. `is_read`: by the asking account; `read`: when the other side read it, seconds."""

    id: str
    author_id: MaybeId = None
    direction: MaybeText = None
    type: str = ""
    content: AnyContent = Content()
    created: Seconds = None
    is_read: Annotated[bool | None, Lenient] = None
    read: Seconds = None


class Chat(Shape):
    """§3.3; every field but the id may be missing."""

    id: str
    users: Annotated[list[User] | None, Lenient] = None
    context: Annotated[Context | None, Lenient] = None
    last_message: Annotated[Message | None, Lenient] = None
    updated: Seconds = None


class PageMeta(Shape):
    has_more: Annotated[bool | None, Lenient] = None


class Chats(Shape):
    """§3.2; a chat that cannot be read is None, so that the offsets stay right."""

    chats: list[Annotated[Chat | None, Lenient]]
    meta: Annotated[PageMeta | None, Lenient] = None


def _array_as_object(value: Any) -> Any:
    return {"messages": value} if isinstance(value, list) else value


class Messages(Shape):
    """§3.4: `{"messages": [...]}` as seen live, or the bare array of the specification."""

    messages: list[Annotated[Message | None, Lenient]]
    meta: Annotated[PageMeta | None, Lenient] = None


AnyMessages = Annotated[Messages, BeforeValidator(_array_as_object)]


class Sent(Shape):
    """§3.5, §3.6: the answer to a send."""

    id: TextId


class Done(Shape):
    """`{"ok": true}`, or an empty object."""

    ok: bool = True


class VoiceLinks(Shape):
    """§3.7: links by voice id; an unknown id is absent."""

    voices_urls: Annotated[dict[str, Any] | None, Lenient] = None


class Subscription(Shape):
    url: str


class Subscriptions(Shape):
    """§3.8"""

    subscriptions: Annotated[list[Subscription], BeforeValidator(lambda value: value or [])] = Field(
        default_factory=list
    )


class AdStatus(Shape):
    """§3.9: one ad, without title and price."""

    status: MaybeText = None
    url: MaybeText = None


class OwnAd(Shape):
    id: MaybeId = None
    title: MaybeText = None
    price: Annotated[int | None, Lenient] = None
    status: MaybeText = None
    url: MaybeText = None


class OwnAds(Shape):
    """§3.9"""

    resources: list[OwnAd] = Field(default_factory=list)


class Explanation(Shape):
    code: Annotated[int | None, Lenient] = None
    message: MaybeText = None


class ErrorAnswer(Shape):
    """§7: every shape in which Avito explains a failure."""

    error: Annotated[Explanation | str | None, Lenient] = None
    error_description: MaybeText = None
    message: MaybeText = None
    result: Annotated[Explanation | None, Lenient] = None

    @property
    def words(self) -> str:
        """What the failure is called, "" when the body says nothing."""
        said = [self.error] if isinstance(self.error, str) else [getattr(self.error, "message", None)]
        said += [self.error_description, getattr(self.result, "message", None), self.message]
        return ", ".join(text for text in said if text)
