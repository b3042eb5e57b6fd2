"""Uploading in two steps (contract §4), and the links of a video."""

import re
import secrets
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.max.errors import fail, invalid
from sandbox.max.files import Files, video_size
from sandbox.max.gate import Gate
from sandbox.max.queries import required
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Json
from sandbox.media import Media, image_size, image_type

MEGABYTE = 1024 * 1024
LARGEST = {"image": 50 * MEGABYTE, "video": 250 * MEGABYTE, "audio": 256 * MEGABYTE, "file": 4096 * MEGABYTE}
WIDEST = 7680
TYPES = {"video": "video/mp4", "audio": "audio/mpeg", "file": "application/octet-stream"}
EXECUTABLE = re.compile(r"\.(exe|bat|cmd|com|msi|scr|apk|jar|vbs|ps1)$", re.IGNORECASE)
RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")


@dataclass(slots=True)
class Ticket:
    """An upload address: for one file, never too old. `parts` of a resumable upload by their place."""

    kind: str
    token: str
    used: bool = False
    parts: dict[int, bytes] = field(default_factory=dict)


class Uploads:
    """Addresses are on this host, `up/{type}?id=`; refusals there have the shape of §1 (unknown)."""

    def __init__(self, settings: MaxSandboxSettings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._tickets: dict[str, Ticket] = {}

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route("/uploads", gate.guard(self._address), methods=["POST"]),
            Route("/up/{kind}", gate.open(self._receive), methods=["POST"]),
            Route("/videos/{token}", gate.guard(self._video), methods=["GET"]),
        ]

    def is_awaited(self, token: object) -> bool:
        """Whether this token was given out and its file has not come yet."""
        return any(t.token == token and not t.used for t in self._tickets.values())

    def forget(self) -> None:
        self._tickets.clear()

    async def _address(self, request: Request) -> Response:
        kind = required(request, "type")
        if kind not in LARGEST:
            invalid(f"type: must be among {', '.join(LARGEST)}")
        name = secrets.token_urlsafe(16)
        self._tickets[name] = ticket = Ticket(kind, secrets.token_urlsafe(32))
        early = {"token": ticket.token} if kind in {"video", "audio"} else {}
        url = request.url.replace(path=f"{request.scope['root_path']}/up/{kind}", query=f"id={name}")
        return JSONResponse({"url": str(url), **early})

    async def _receive(self, request: Request) -> Response:
        ticket = self._tickets.get(request.query_params.get("id", ""))
        if ticket is None or ticket.kind != request.path_params["kind"]:
            fail(404, "there is no such upload")
        if ticket.used:
            invalid("one upload address is for one file")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > LARGEST[ticket.kind] + MEGABYTE:
            self._too_large(ticket.kind)
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            name, content, given = await _part(request)
        else:
            name, given = _name_of(request), request.headers.get("content-type", "")
            if not self._put_together(ticket, await request.body(), request.headers.get("content-range")):
                return Response(status_code=200)
            content = b"".join(ticket.parts[place] for place in sorted(ticket.parts))
        return self._stored(ticket, name, content, given)

    def _put_together(self, ticket: Ticket, content: bytes, place: str | None) -> bool:
        """A part of a resumable upload, in any order; whether nothing is missing now."""
        if place is None:
            ticket.parts = {0: content}
            return True
        found = RANGE.fullmatch(place)
        if not found or int(found[2]) - int(found[1]) + 1 != len(content):
            invalid("Content-Range does not fit the body")
        if int(found[3]) > LARGEST[ticket.kind]:
            self._too_large(ticket.kind)
        ticket.parts[int(found[1])] = content
        return sum(len(part) for part in ticket.parts.values()) >= int(found[3])

    def _stored(self, ticket: Ticket, name: str, content: bytes, given: str) -> Response:
        media = Media(content, _checked(ticket.kind, name, content, given))
        if len(content) > LARGEST[ticket.kind]:
            self._too_large(ticket.kind)
        ticket.used = True
        ticket.parts.clear()
        pause = 0 if ticket.kind == "image" else self._settings.processing
        self._files.keep(ticket.kind, media, name, token=ticket.token, after=pause)
        return self._answer(ticket)

    def _answer(self, ticket: Ticket) -> Response:
        if ticket.kind == "image":
            return JSONResponse({"photos": {secrets.token_urlsafe(12): {"token": ticket.token}}})
        if ticket.kind in {"video", "audio"}:
            return Response("<retval>1</retval>", media_type="application/xml")
        shown: Json = {"token": ticket.token}
        if self._settings.file_id:
            shown["fileId"] = 1 + secrets.randbelow(1 << 40)
        return JSONResponse(shown)

    async def _video(self, request: Request) -> Response:
        """Links only when the video is processed; one size, because nothing is converted here."""
        token = request.path_params["token"]
        stored = self._files.get(token)
        if (stored is None or stored.kind != "video") and not self.is_awaited(token):
            fail(404, "Video not found")
        shown: Json = {"token": token, **video_size()}
        if stored and self._files.is_ready(stored):
            attachment = self._files.attachment(stored)
            shown |= {"urls": {"mp4_360": stored.url}, "thumbnail": attachment["thumbnail"]}
        return JSONResponse(shown)

    def _too_large(self, kind: str) -> NoReturn:
        fail(400, f"the {kind} is larger than {LARGEST[kind]} bytes")


async def _part(request: Request) -> tuple[str, bytes, str]:
    """Name, bytes and type of the one part, which must be called `data`."""
    try:
        async with request.form(max_files=10) as form:
            files = [part for part in form.getlist("data") if isinstance(part, UploadFile)]
            if len(files) != 1:
                invalid("exactly one file in the field `data` is required")
            return files[0].filename or "file", await files[0].read(), files[0].content_type or ""
    except HTTPException as error:
        invalid(f"the body is not multipart: {error.detail}")


def _name_of(request: Request) -> str:
    disposition = re.search(r'filename="?([^";]+)', request.headers.get("content-disposition", ""))
    return unquote(request.headers.get("x-file-name") or (disposition[1] if disposition else "file"))


def _checked(kind: str, name: str, content: bytes, given: str) -> str:
    """The media type, or 400 for what this kind does not take; recordings are not looked into."""
    if not content:
        invalid("the file is empty")
    if EXECUTABLE.search(name):
        invalid("File extension is forbidden")
    if kind == "image":
        return _checked_image(content)
    if (
        kind == "video"
        and content[4:8] not in {b"ftyp", b"moov", b"wide"}
        and content[:4] != b"\x1aE\xdf\xa3"
    ):
        invalid("the video must be MP4, MOV, MKV or WEBM")
    plain = given.split(";")[0].strip().lower()
    return plain if plain.startswith(kind) or (kind == "file" and plain) else TYPES[kind]


def _checked_image(content: bytes) -> str:
    tiff = content[:4] in {b"II*\0", b"MM\0*"}
    kind = "image/tiff" if tiff else image_type(content)
    if kind is None:
        invalid("the image must be JPG, PNG, GIF, TIFF, BMP or HEIC")
    if max(image_size(content) or (0, 0)) > WIDEST:
        invalid(f"the image is larger than {WIDEST}x{WIDEST}")
    return kind
