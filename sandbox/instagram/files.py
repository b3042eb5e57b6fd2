"""Files: what the business sends by URL is really fetched (contract §5.2), samples of what customers send."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from sandbox.instagram.errors import invalid
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.media import Media, image_type, made_up_voice

_FOLDER = Path(__file__).parent / "files"
_SAMPLES = {
    "image": ("photo.jpg", "image/jpeg"),
    "second": ("second.jpg", "image/jpeg"),
    "video": ("video.mp4", "video/mp4"),
    "file": ("document.pdf", "application/pdf"),
}
MEGABYTE = 1024 * 1024
LARGEST = {"image": 8 * MEGABYTE, "video": 25 * MEGABYTE, "audio": 25 * MEGABYTE, "file": 25 * MEGABYTE}
ACCEPTED = {
    "image": {"image/png", "image/jpeg", "image/gif"},
    "video": {"video/mp4", "video/quicktime", "video/webm", "video/x-msvideo", "video/ogg"},
    "audio": {"audio/aac", "audio/mp4", "video/mp4", "audio/wav"},
    "file": {"application/pdf"},
}
UNREACHABLE, WRONG_TYPE, TIMED_OUT, TOO_LARGE = 2018008, 2018047, 2018294, 2018109


def sample(kind: str) -> Media:
    """A file of this kind that opens."""
    if kind == "audio":
        return made_up_voice()
    name, mime = _SAMPLES[kind]
    return Media((_FOLDER / name).read_bytes(), mime)


def sniffed(content: bytes) -> str | None:
    """The media type by the first bytes."""
    if found := image_type(content):
        return found
    if content[4:8] == b"ftyp":
        brands = {b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"qt  ": "video/quicktime"}
        return brands.get(content[8:12], "video/mp4")
    if content.startswith(b"RIFF"):
        return {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(content[8:12])
    if content.startswith(b"OggS"):
        return "audio/ogg" if b"OpusHead" in content[:200] or b"vorbis" in content[:200] else "video/ogg"
    marks = {
        b"%PDF": "application/pdf",
        b"\x1aE\xdf\xa3": "video/webm",
        b"\xff\xf1": "audio/aac",
        b"\xff\xf9": "audio/aac",
    }
    return next((kind for mark, kind in marks.items() if content.startswith(mark)), None)


class Fetcher:
    """Gets a file as Meta does: 2018008 unreachable, 2018047 wrong type, 2018294 too slow, 2018109 too large.

    The contract lists four subcodes and four meanings side by side; the pairing follows their order
    (§12). A picture that is too slow counts as unreachable.
    """

    def __init__(self, settings: InstagramSandboxSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http

    async def fetch(self, kind: str, url: object) -> Media:
        if not isinstance(url, str) or not self._is_public(url):
            invalid("The URL of the attachment is invalid", UNREACHABLE)
        try:
            async with asyncio.timeout(self._settings.fetch_timeout):
                content = await self._load(url, LARGEST[kind])
        except (TimeoutError, httpx.TimeoutException):
            invalid("Fetching the attachment timed out", TIMED_OUT if kind == "video" else UNREACHABLE)
        except (httpx.HTTPError, httpx.InvalidURL):
            invalid("The attachment could not be fetched", UNREACHABLE)
        if len(content) > LARGEST[kind]:
            invalid("The attachment is too large", TOO_LARGE)
        mime = sniffed(content)
        if mime not in ACCEPTED[kind]:
            invalid("The attachment has a type that is not supported", WRONG_TYPE)
        return Media(content, "audio/mp4" if (kind, mime) == ("audio", "video/mp4") else str(mime))

    def _is_public(self, url: str) -> bool:
        allowed = {"https"} if self._settings.strict_urls else {"https", "http"}
        return is_web_address(url) and urlsplit(url).scheme.lower() in allowed

    async def _load(self, url: str, most: int) -> bytes:
        content = bytearray()
        async with self._http.stream("GET", url, follow_redirects=True) as answer:
            if answer.status_code != 200:
                invalid(f"The attachment could not be fetched: HTTP {answer.status_code}", UNREACHABLE)
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > most:
                    break
        return bytes(content)


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return False
