"""Pictures and recordings: made up, recognised, kept in memory and really served."""

import secrets
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.timing import Clock

_VOICE = Path(__file__).with_name("voice.mp4")


@dataclass(frozen=True, slots=True)
class Media:
    """Bytes and what they are."""

    content: bytes
    type: str


@dataclass(frozen=True, slots=True)
class _Shelved:
    media: Media
    expires: float | None


class MediaShelf:
    """`/media/{token}/{name}`: unguessable links, some of which expire."""

    def __init__(self, address: str, now: Clock) -> None:
        self._address = address
        self._now = now
        self._shelf: dict[str, _Shelved] = {}

    def put(self, media: Media, *, lives: float | None = None) -> str:
        """Shelve and return the link, to which a `/name` may be added."""
        token = secrets.token_urlsafe(16)
        self._shelf[token] = _Shelved(media, None if lives is None else self._now() + lives)
        return f"{self._address}/media/{token}"

    def routes(self) -> list[Route]:
        return [Route("/media/{token}", self._serve), Route("/media/{token}/{name}", self._serve)]

    async def _serve(self, request: Request) -> Response:
        shelved = self._shelf.get(request.path_params["token"])
        if shelved is None:
            return PlainTextResponse("there is no such file", 404)
        if shelved.expires is not None and self._now() >= shelved.expires:
            return PlainTextResponse("this link has expired", 403)
        headers = {"x-content-type-options": "nosniff", "cache-control": "private, max-age=3600"}
        return Response(shelved.media.content, media_type=shelved.media.type, headers=headers)


def image_type(content: bytes) -> str | None:
    """The media type by the first bytes, or None when it is not a picture vendors take."""
    marks = {
        b"\xff\xd8\xff": "image/jpeg",
        b"\x89PNG\r\n\x1a\n": "image/png",
        b"GIF8": "image/gif",
        b"BM": "image/bmp",
    }
    for mark, kind in marks.items():
        if content.startswith(mark):
            return kind
    heic = content[4:8] == b"ftyp" and content[8:12] in {b"heic", b"heix", b"hevc", b"mif1", b"msf1"}
    return "image/heic" if heic else None


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height, where the format tells them in its head."""
    kind = image_type(content)
    if kind == "image/png" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if kind == "image/gif" and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return width, height
    if kind == "image/bmp" and len(content) >= 26:
        width, height = struct.unpack("<ii", content[18:26])
        return width, abs(height)
    return _jpeg_size(content) if kind == "image/jpeg" else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return None


def made_up_picture(width: int = 640, height: int = 480) -> Media:
    """A PNG of a phone with a cracked screen."""
    left, right, top, bottom = width * 3 // 8, width * 5 // 8, height // 8, height * 7 // 8
    rows = [bytearray(_row(y, (left, right, top, bottom), width, height)) for y in range(height)]
    for step in range(max(bottom - top - 24, 0)):
        for slope in (0.35, -0.2, 0.9):
            x = int((left + right) / 2 + slope * (step - (bottom - top) / 3))
            if left + 8 < x < right - 8:
                rows[top + 12 + step][x * 3 : x * 3 + 3] = b"\xe6\xf2\xff"
    return Media(_png(width, height, b"".join(b"\0" + row for row in rows)), "image/png")


def _row(y: int, box: tuple[int, int, int, int], width: int, height: int) -> bytes:
    left, right, top, bottom = box
    table = bytes((214 - 40 * y // height, 190 - 30 * y // height, 160))
    body, glass = b"\x1c\x1f\x26", bytes((40, 70 + 60 * y // height, 110 + 60 * y // height))
    if not top <= y < bottom:
        return table * width
    inside = glass if top + 10 <= y < bottom - 10 else body
    middle = body * 8 + inside * (right - left - 16) + body * 8
    return table * left + middle + table * (width - right)


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, payload: bytes) -> bytes:
        return (
            struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def made_up_voice() -> Media:
    """A recorded question, opus in an mp4 container: a speech synthesiser asks what a new screen costs."""
    return Media(_VOICE.read_bytes(), "audio/mp4")
