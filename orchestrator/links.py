"""Pure: which files of a message have no link yet, and the message with the links that were found."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from core.messages import File, Image, IncomingMessage

L = TypeVar("L", Image, File)


def unlinked(message: IncomingMessage) -> list[str]:
    """The vendor's ids of the files that nobody can open yet, each once."""
    media = message.media
    listed: Sequence[Image | File] = (*media.images, *media.videos, *media.documents)
    ids = [one.file_id for one in listed if one.file_id and not one.url]
    voice = [media.voice_file_id] if media.voice_file_id and not media.voice_url else []
    return list(dict.fromkeys([*voice, *ids]))


def with_links(message: IncomingMessage, links: Mapping[str, str]) -> IncomingMessage:
    """The same message, in which the files of {id: link} can be opened."""
    if not any(file_id in links for file_id in unlinked(message)):
        return message
    media = message.media
    linked = {
        "voice_url": media.voice_url or links.get(media.voice_file_id or ""),
        "images": tuple(_linked(one, links) for one in media.images),
        "videos": tuple(_linked(one, links) for one in media.videos),
        "documents": tuple(_linked(one, links) for one in media.documents),
    }
    return message.model_copy(update={"media": media.model_copy(update=linked)})


def _linked(one: L, links: Mapping[str, str]) -> L:
    link = links.get(one.file_id or "")
    return one.model_copy(update={"url": link}) if link and not one.url else one
