"""The manifest of a channel: what its vendor offers, as data.

The splitting of texts, the checks before a send, `/info`, the docs table and the watchdog read it. Whether a
channel can do a thing at all is told by the parts of core/channel.py that it has; the manifest gives numbers.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Unit = Literal["characters", "utf16", "bytes"]
MediaKind = Literal["image", "voice", "video", "document"]


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)


class MediaLimit(_Manifest):
    """What may be sent of one kind of media."""

    types: tuple[str, ...] = Field(default=(), description="media types; empty: any")
    max_bytes: int = Field(description="largest file")
    caption_limit: int = Field(
        default=0, description="longest words that travel with it, in text_unit; 0: words are a message apart"
    )


class Rate(_Manifest):
    """So many calls in so many seconds; a class of calls that the vendor counts together."""

    applies_to: str = Field(description="what is counted, such as: every call, sends of one chat")
    calls: int
    seconds: float


class Capabilities(_Manifest):
    """What the vendor offers."""

    text_limit: int = Field(description="longest text of one message, in text_unit")
    text_unit: Unit = "characters"
    media: dict[MediaKind, MediaLimit] = Field(default_factory=dict, description="kinds that can be sent")
    media_by_url: bool = Field(default=False, description="the vendor fetches media from a public address")
    most_buttons: int = Field(default=0, description="under one text; more, or none: numbered text instead")
    button_limit: int = Field(default=0, description="longest label, in characters")
    edit_window_seconds: int | None = Field(default=None, description="None: no limit is known")
    delete_window_seconds: int | None = Field(default=None, description="None: no limit is known")
    reply_window_seconds: int | None = Field(
        default=None, description="after the customer's last message; None: no limit"
    )
    starts_chats: bool = Field(default=False, description="may the business write first")
    rates: tuple[Rate, ...] = ()
    webhook_authenticity: Literal["path_secret", "secret_header", "secret_in_body", "hmac"] = "path_secret"
    webhook_slots: Literal["one", "many"] = Field(
        default="many", description="one: a new subscription takes the place of the old"
    )
    webhook_answer: Literal["json", "ok"] = Field(
        default="json", description='ok: the vendor wants the two letters "ok"'
    )
    shared_webhook: bool = Field(
        default=False, description="one address serves all accounts: the body says whose an event is"
    )
    webhook_max_bytes: int = Field(default=1_048_576, description="largest delivery that is read")
    ordered: bool = Field(default=False, description="the vendor delivers a chat's events in order")
    repeat_window_seconds: int = Field(
        default=0, description="so long the vendor recognises a repeated send by its key; 0: never"
    )

    def caption_limit(self, kind: MediaKind) -> int:
        """Longest words that travel with media of that kind; 0 when they go apart."""
        limit = self.media.get(kind)
        return limit.caption_limit if limit else 0
