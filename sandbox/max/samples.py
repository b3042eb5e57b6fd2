"""Attachments a customer may send, made up where nothing is given (contract §3.1)."""

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sandbox.answers import parse, refuse
from sandbox.max.attachments import vcard
from sandbox.max.files import Files
from sandbox.max.shop import Json, Person, Shop
from sandbox.max.views import user_view, without_nulls
from sandbox.media import Media, image_type, made_up_picture, made_up_voice

PAPER = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
PAPER += b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
PAPER += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GivenFile(_Content):
    """Own bytes; without them a sample. `transcription` is for recordings."""

    base64: str = ""
    type: str = ""
    name: str = ""
    transcription: str | None = None


class Album(_Content):
    count: int = Field(default=3, ge=2, le=12)


class Sticker(_Content):
    code: str = "c0ffee"


class Card(_Content):
    """The writer's own card unless another is given."""

    name: str = ""
    phone: str = ""


class Place(_Content):
    latitude: float = 55.779_54
    longitude: float = 37.590_21


class Page(_Content):
    url: str | None = "https://example.test/repair"
    token: str | None = None
    title: str | None = "Ремонт телефонов"
    description: str | None = "Цены и сроки"
    image_url: str | None = None


class Samples:
    """By control type; a video is the sample recording in its MP4 container.

    `key` signs people's own cards: the contract has the field only, programs of others check it so (§3.1).
    """

    def __init__(self, shop: Shop, files: Files, key: str) -> None:
        self._shop = shop
        self._key = key.encode()
        self._files = files
        self._makers: dict[str, Callable[[Person, Json], list[Json]]] = {
            "image": lambda _, given: [self._file("image", given)],
            "album": self._album,
            "video": lambda _, given: [self._file("video", given)],
            "audio": lambda _, given: [self._file("audio", given)],
            "file": lambda _, given: [self._file("file", given)],
            "sticker": lambda _, given: [self._files.sticker(parse(Sticker, given).code)],
            "contact": self._contact,
            "location": lambda _, given: [{"type": "location", **parse(Place, given).model_dump()}],
            "share": _share,
            "attachment": lambda _, given: [given or {"type": "data", "data": "unknown to everybody"}],
        }

    @property
    def types(self) -> set[str]:
        return set(self._makers)

    def make(self, kind: str, person: Person, given: Json) -> list[Json]:
        return self._makers[kind](person, given)

    def shown(self, kind: str, media: Media, name: str, transcription: str | None = None) -> Json:
        attachment = self._files.attachment(self._files.keep(kind, media, name))
        return {**attachment, **without_nulls({"transcription": transcription})}

    def _file(self, kind: str, content: Json) -> Json:
        given: GivenFile = parse(GivenFile, content)
        media, name = _sample(kind)
        if given.base64:
            media = Media(_decoded(given.base64), given.type or media.type)
        if kind == "image" and image_type(media.content) is None:
            refuse(422, "content.base64: not a JPEG, PNG, GIF, BMP or HEIC picture")
        return self.shown(kind, media, given.name or name, given.transcription)

    def _album(self, _: Person, content: Json) -> list[Json]:
        album: Album = parse(Album, content)
        pictures = [made_up_picture(320 + 40 * number, 240) for number in range(album.count)]
        return [self.shown("image", media, f"photo{n}.png") for n, media in enumerate(pictures, start=1)]

    def _contact(self, person: Person, content: Json) -> list[Json]:
        """Somebody else's card has no `max_info`."""
        card: Card = parse(Card, content)
        own = not card.name and not card.phone
        phone = card.phone or f"79{person.id % 10**9:09d}"
        written = vcard(card.name or person.name, phone)
        payload: dict[str, Any] = {
            "vcf_info": written,
            "max_info": user_view(self._shop, person) if own else None,
            "hash": hmac.new(self._key, written.encode(), "sha256").hexdigest() if own else None,
        }
        return [{"type": "contact", "payload": without_nulls(payload)}]


def _share(_: Person, content: Json) -> list[Json]:
    """May have both url and token (§10, pitfall 8)."""
    page: Page = parse(Page, content)
    beside = page.model_dump(include={"title", "description", "image_url"}, exclude_none=True)
    return [
        {"type": "share", "payload": page.model_dump(include={"url", "token"}, exclude_none=True), **beside}
    ]


def _sample(kind: str) -> tuple[Media, str]:
    if kind == "image":
        return made_up_picture(), "photo.png"
    if kind == "file":
        return Media(PAPER, "application/pdf"), "Акт приёмки.pdf"
    voice = made_up_voice()
    return (Media(voice.content, "video/mp4"), "video.mp4") if kind == "video" else (voice, "voice.mp4")


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        refuse(422, "content.base64: not base64")
