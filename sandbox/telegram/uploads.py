"""The file of a call: multipart, `attach://`, a file_id, or an address to fetch (contract §5)."""

import asyncio
import mimetypes
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from sandbox.faults import Switchboard
from sandbox.media import Media, image_size, image_type
from sandbox.telegram.attachments import Attachments
from sandbox.telegram.calls import Call, Upload
from sandbox.telegram.errors import bad
from sandbox.telegram.faults import TelegramFaults

MEGABYTE = 1024 * 1024
LARGEST_PHOTO = 10 * MEGABYTE
LARGEST_PHOTO_BY_URL = 5 * MEGABYTE
LARGEST_BY_URL = 20 * MEGABYTE
LARGEST_VOICE = MEGABYTE
LONGEST_SIDES = 10_000
LARGEST_RATIO = 20
FETCH_TIMEOUT = 10.0
VOICES = {"audio/ogg", "audio/opus", "audio/mpeg", "audio/mp3", "audio/mp4", "audio/m4a", "audio/x-m4a"}
OFFICIAL_DOCUMENTS = {"application/pdf", "application/zip", "image/gif"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes with their name, wherever they came from."""

    media: Media
    name: str


class Uploads:
    """`content` is the message content that a file parameter becomes."""

    def __init__(
        self,
        attachments: Attachments,
        http: httpx.AsyncClient,
        switches: Switchboard[TelegramFaults],
        *,
        strict_documents: bool,
    ) -> None:
        self._attachments = attachments
        self._http = http
        self._switches = switches
        self._strict_documents = strict_documents

    async def content(self, call: Call, kind: str, parameter: str, value: Any) -> dict[str, Any]:
        """`value` is the parameter's own, or the `media` of an album's item."""
        upload = _attached(call, parameter, value)
        if upload:
            return self._made(kind, Fetched(Media(upload.content, _type_of(upload)), upload.name), call)
        if not isinstance(value, str) or not value:
            bad(f"there is no {kind.replace('_', ' ')} in the request")
        if "://" in value:
            return self._made(kind, await self._fetch(kind, value), call)
        known = self._attachments.again(kind, value)
        if known is None:
            bad("wrong file_id or the file is temporarily unavailable")
        return known

    def _made(self, kind: str, fetched: Fetched, call: Call) -> dict[str, Any]:
        """A picture is checked; a voice that is none, or a long one, becomes a document (§5, our reading)."""
        media = fetched.media
        if kind == "photo":
            media = _checked_photo(media)
        if kind == "voice" and (media.type not in VOICES or len(media.content) > LARGEST_VOICE):
            kind = "document"
        names = {"file_name": fetched.name} if kind in {"document", "audio", "video", "animation"} else {}
        duration = call.integer("duration")
        timed = {"duration": duration} if duration > 0 and kind not in {"document", "photo"} else {}
        return self._attachments.of(kind, media, {**names, **timed})

    async def _fetch(self, kind: str, url: str) -> Fetched:
        if self._switches.now.no_fetch:
            bad("WEBPAGE_CURL_FAILED")
        answer = await self._answer(url)
        media_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
        official = kind != "document" or media_type in OFFICIAL_DOCUMENTS or not self._strict_documents
        if media_type in {"text/html", ""} or not official:
            bad("wrong type of the web page content")
        limit = LARGEST_PHOTO_BY_URL if kind == "photo" else LARGEST_BY_URL
        if len(answer.content) > limit:
            bad("failed to get HTTP URL content")
        return Fetched(Media(answer.content, media_type), urlsplit(url).path.rpartition("/")[2] or "file")

    async def _answer(self, url: str) -> httpx.Response:
        if not _is_web_address(url):
            bad("wrong HTTP URL specified")
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                answer = await self._http.get(url, follow_redirects=True)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            bad("failed to get HTTP URL content")
        if not answer.is_success:
            bad("failed to get HTTP URL content")
        return answer


def _attached(call: Call, parameter: str, value: Any) -> Upload | None:
    if isinstance(value, str) and value.startswith("attach://"):
        return call.uploads.get(value.removeprefix("attach://"))
    return call.uploads.get(parameter)


def _type_of(upload: Upload) -> str:
    """By the first bytes, else as the sender says, else by the name."""
    if kind := picture_type(upload.content):
        return kind
    if upload.content.startswith(b"OggS"):
        return "audio/ogg"
    guessed = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    return upload.type if upload.type not in {"", "application/octet-stream"} else guessed


def picture_type(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return image_type(content)


def _checked_photo(media: Media) -> Media:
    if len(media.content) > LARGEST_PHOTO:
        bad("file is too big")
    kind = picture_type(media.content)
    if kind is None:
        bad("IMAGE_PROCESS_FAILED")
    width, height = image_size(media.content) or (1, 1)
    shape = max(width, height) / max(min(width, height), 1)
    if width + height > LONGEST_SIDES or shape > LARGEST_RATIO:
        bad("PHOTO_INVALID_DIMENSIONS")
    return Media(media.content, kind)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return False
