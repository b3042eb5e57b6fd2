"""Pure: the files of a message, each with a name that stays while its links change."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from core.capabilities import MediaKind
from core.messages import File, Image, Media

L = TypeVar("L", Image, File)


@dataclass(frozen=True, slots=True)
class MessageFile:
    """A file of a message; it has a url, or the vendor's file_id, or both."""

    kind: MediaKind
    url: str = ""
    file_id: str = ""
    name: str = ""

    @property
    def source(self) -> str:
        """Which file it is: the vendor's id where there is one, for its links come and go."""
        return source_of(self.url, self.file_id)


def source_of(url: str | None, file_id: str | None) -> str:
    """64 hexadecimal digits: short enough for an index, whatever a vendor's link looks like."""
    named = f"id {file_id}" if file_id else f"url {url or ''}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()


def files_of(media: Media) -> list[MessageFile]:
    """Every file that can be fetched, each once; the voice note first."""
    voice = MessageFile("voice", media.voice_url or "", media.voice_file_id or "")
    images = [MessageFile("image", one.url or "", one.file_id or "") for one in media.images]
    videos = [MessageFile("video", one.url or "", one.file_id or "", one.name or "") for one in media.videos]
    documents = [
        MessageFile("document", one.url or "", one.file_id or "", one.name or "") for one in media.documents
    ]
    found = [one for one in (voice, *images, *videos, *documents) if one.url or one.file_id]
    return list({one.source: one for one in reversed(found)}.values())[::-1]


def with_links(media: Media, link_of: Callable[[str], str]) -> Media:
    """The same media under other links: `link_of(source)` gives one, or "" to leave what is there."""

    def linked(one: L) -> L:
        link = link_of(source_of(one.url, one.file_id))
        return one.model_copy(update={"url": link}) if link else one

    voice = link_of(source_of(media.voice_url, media.voice_file_id)) if media.has_voice else ""
    links = {
        "voice_url": voice or media.voice_url,
        "images": tuple(map(linked, media.images)),
        "videos": tuple(map(linked, media.videos)),
        "documents": tuple(map(linked, media.documents)),
    }
    return media.model_copy(update=links)
