"""What a simulated vendor is: its own API, and the verbs the control API has for all of them."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.types import ASGIApp

from sandbox.answers import refuse
from sandbox.courier import Courier, Policy
from sandbox.media import Media, MediaShelf, image_type, made_up_picture, made_up_voice
from sandbox.timing import Timing


class Attached(BaseModel):
    """A file of the customer's own; `type` may be left out for pictures."""

    model_config = ConfigDict(extra="forbid")
    base64: str = Field(min_length=1)
    type: str = ""


class Letter(BaseModel):
    """What a customer writes: text, picture, voice, or any type the vendor knows (`type` and `content`).

    `chat` names a chat that exists; `ad` and `chat_type` say which one to open otherwise;
    `quote` is the id of the message that is answered.
    """

    model_config = ConfigDict(extra="forbid")
    text: str | None = None
    image: bool | Attached | None = None
    voice: bool | Attached | None = None
    type: str | None = None
    content: dict[str, Any] | None = None
    chat: str | None = None
    ad: int | None = None
    chat_type: Literal["u2i", "u2u", "a2u"] | None = None
    quote: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Letter":
        if not (self.text or self.image or self.voice or self.type):
            raise ValueError("give text, image, voice or type")
        if self.content is not None and not self.type:
            raise ValueError("content needs its type")
        return self


@dataclass(frozen=True, slots=True)
class Bench:
    """What every simulated vendor works with."""

    timing: Timing
    http: httpx.AsyncClient
    policy: Policy
    shelf: MediaShelf


class Vendor(Protocol):
    """A vendor under the prefix `/{name}`; a customer is named by any name or id."""

    name: str
    title: str
    courier: Courier

    def api(self) -> ASGIApp:
        """The vendor's own API, to be mounted at the prefix."""

    def topics(self) -> list[dict[str, Any]]:
        """What customers may write about: `[{id, title, note}]`; empty where there is no such thing."""

    def customers(self) -> list[dict[str, Any]]:
        """`[{customer, id, blocked, chats: [{id, type, title, note}]}]`; a chat may say that the shop is
        `typing`, and which `keyboard` (rows of `button`s) is shown in place of the phone's own.
        """

    def meet(self, customer: str) -> dict[str, Any]:
        """`{customer, id}` of the customer, made up on first sight."""

    def write(self, customer: str, letter: Letter) -> dict[str, Any]:
        """`{customer_id, chat_id, message_ids}`."""

    def seen_by(self, customer: str, chat: str | None) -> list[dict[str, Any]]:
        """What the customer sees, oldest first. Where the vendor has them: `edited`, `marks` (emoji of those
        who reacted), `buttons` (rows of `button`s), `notes` (pop-ups that answered presses).
        """

    def read(self, customer: str, chat: str | None) -> int:
        """The customer reads; how many messages were new."""

    def operator_writes(self, chat: str, text: str) -> dict[str, Any]:
        """The shop's human writes in the vendor's app: `{chat_id, message_ids}`."""

    def delete(self, message_id: str) -> None:
        """The customer deletes a message of their own."""

    def faults(self) -> dict[str, Any]:
        """The switches as they stand."""

    def set_faults(self, given: dict[str, Any]) -> None:
        """Change some switches."""

    def reset_faults(self) -> None:
        """Behave again."""

    def reset(self, *, everything: bool) -> None:
        """Forget conversations and faults; with `everything` also tokens and subscriptions."""


def button(text: str, *, press: dict[str, Any] | None = None, url: str | None = None) -> dict[str, Any]:
    """As the phone shows it: `press` is the letter that presses it, `url` what it opens; without both it
    does nothing in the sandbox.
    """
    return {"text": text, "press": press, "url": url}


def picture_of(given: bool | Attached) -> Media:
    """The made-up picture for `true`, else the given bytes when they are a picture."""
    if isinstance(given, bool):
        return made_up_picture()
    content = _decoded(given, "image")
    kind = image_type(content)
    if kind is None:
        refuse(422, "image.base64: not a JPEG, PNG, GIF, BMP or HEIC picture")
    return Media(content, kind)


def voice_of(given: bool | Attached) -> Media:
    """The recorded sample for `true`, else the given bytes under the given audio type."""
    if isinstance(given, bool):
        return made_up_voice()
    kind = given.type.split(";")[0].strip().lower() or "audio/mp4"
    if not kind.startswith("audio/"):
        refuse(422, "voice.type: must be an audio type such as audio/mp4")
    return Media(_decoded(given, "voice"), kind)


def _decoded(given: Attached, name: str) -> bytes:
    try:
        return base64.b64decode(given.base64, validate=True)
    except (binascii.Error, ValueError):
        refuse(422, f"{name}.base64: not base64")
