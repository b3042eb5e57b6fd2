"""Uploads in three steps: an address, the file, the saved object (contract §3.4)."""

import json
import secrets
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.faults import Switchboard
from sandbox.media import Media, image_size, image_type
from sandbox.vk.community import Community
from sandbox.vk.errors import fail, wrong
from sandbox.vk.faults import VkFaults
from sandbox.vk.gate import Call, Method
from sandbox.vk.media_objects import MediaObjects, is_ogg, seconds_of
from sandbox.vk.targets import check_group

PHOTO_TYPES = {"image/jpeg", "image/png", "image/gif"}
PHOTO_ENDINGS = {".jpg", ".jpeg", ".png", ".gif"}
LARGEST_PHOTO, LARGEST_DOCUMENT = 50 * 1024 * 1024, 200 * 1024 * 1024
LONGEST_SIDES, STEEPEST = 14_000, 20
LONGEST_VOICE = 300
REFUSED_ENDINGS = {".mp3", ".exe", ".bat", ".cmd", ".com", ".msi", ".scr", ".js", ".vbs", ".jar", ".apk"}
DOCUMENT_KINDS = ("doc", "audio_message", "graffiti")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits to be saved."""

    kind: str
    media: Media
    name: str


class Uploads:
    """The address lies on the simulator itself; no token is sent to it."""

    def __init__(
        self,
        community: Community,
        objects: MediaObjects,
        switches: Switchboard[VkFaults],
        photo_fields: tuple[str, ...],
    ) -> None:
        self._community = community
        self._objects = objects
        self._switches = switches
        self._photo_fields = photo_fields
        self._addresses: dict[str, str] = {}
        self._waiting: dict[str, Upload] = {}

    def methods(self) -> dict[str, Method]:
        return {
            "photos.getMessagesUploadServer": self._photo_address,
            "photos.saveMessagesPhoto": self._save_photo,
            "docs.getMessagesUploadServer": self._document_address,
            "docs.save": self._save_document,
        }

    def forget(self) -> None:
        self._addresses.clear()
        self._waiting.clear()

    def _photo_address(self, call: Call) -> dict[str, Any]:
        check_group(self._community, call.params)
        call.params.number("peer_id")
        group = self._community.id
        return {"upload_url": self._address(call, "photo"), "album_id": -64, "user_id": 0, "group_id": group}

    def _document_address(self, call: Call) -> dict[str, Any]:
        kind = call.params.text("type", "doc")
        call.params.number("peer_id")
        if kind not in DOCUMENT_KINDS:
            wrong(f"type should be one of {', '.join(DOCUMENT_KINDS)}")
        return {"upload_url": self._address(call, kind)}

    def _address(self, call: Call, kind: str) -> str:
        ticket = secrets.token_hex(12)
        self._addresses[ticket] = kind
        return f"{call.here}/upload/{'photo' if kind == 'photo' else 'doc'}?act=do_add&hash={ticket}"

    async def photo(self, request: Request) -> Response:
        """`photo` is a string with JSON inside; `[]` when the file was refused or has another field name."""
        known = self._kind_of(request, {"photo"})
        upload = await _file_in(request, self._photo_fields, LARGEST_PHOTO)
        ticket, shown = secrets.token_hex(8), "[]"
        if known and upload and _is_photo(upload) and not self._switches.now.empty_upload:
            self._waiting[ticket] = Upload("photo", upload.media, upload.name)
            shown = json.dumps([{"photo": ticket, "sizes": [], "kid": secrets.token_hex(16)}])
        return JSONResponse({"server": 1234, "photo": shown, "hash": ticket})

    async def document(self, request: Request) -> Response:
        """The opaque `file`, or `error` and `error_descr`."""
        kind = self._kind_of(request, set(DOCUMENT_KINDS))
        upload = await _file_in(request, ("file",), LARGEST_DOCUMENT)
        if self._switches.now.empty_upload:
            return JSONResponse({"file": ""})
        problem = "no file" if upload is None else _problem(kind, upload)
        if upload is None or problem:
            return JSONResponse({"error": problem, "error_descr": f"the file was refused: {problem}"})
        token = f"{self._community.id}|0|{secrets.token_hex(12)}"
        self._waiting[token] = Upload(kind, upload.media, upload.name)
        return JSONResponse({"file": token})

    def _kind_of(self, request: Request, kinds: set[str]) -> str:
        kind = self._addresses.get(request.query_params.get("hash", ""), "")
        return kind if kind in kinds else ""

    def _save_photo(self, call: Call) -> list[dict[str, Any]]:
        """Each upload once: 118, 121 and 129 name what does not belong to it."""
        params = call.params
        ticket, given = params.required("hash"), params.required("photo")
        if params.required_number("server") != 1234:
            fail(118)
        upload = self._waiting.get(ticket)
        if given == "[]":
            fail(129)
        if upload is None or upload.kind != "photo":
            fail(121)
        if ticket not in given:
            fail(129)
        del self._waiting[ticket]
        return [self._objects.photo(-self._community.id, upload.media)]

    def _save_document(self, call: Call) -> dict[str, Any]:
        """Each upload once, then 105; `peer_id` does not belong here and is not read."""
        params = call.params
        upload = self._waiting.pop(params.required("file"), None)
        if upload is None or upload.kind == "photo":
            fail(105)
        owner = -self._community.id
        if upload.kind == "audio_message":
            return {"type": "audio_message", "audio_message": self._objects.voice(owner, upload.media)}
        if upload.kind == "graffiti":
            return {"type": "graffiti", "graffiti": self._objects.graffiti(owner, upload.media)}
        doc = self._objects.document(owner, upload.media, upload.name)
        doc["title"] = params.text("title") or upload.name
        if params.flag("return_tags"):
            doc["tags"] = params.words("tags")
        return {"type": "doc", "doc": doc}


async def _file_in(request: Request, fields: tuple[str, ...], largest: int) -> Upload | None:
    """The file of one of these fields, unless it is missing or too large."""
    if int(request.headers.get("content-length", "0")) > largest + 65_536:
        return None
    async with request.form(max_files=10) as form:
        part = next((form[field] for field in fields if field in form), None)
        if not isinstance(part, UploadFile):
            return None
        content = await part.read()
        name = PurePath(part.filename or "file").name
        kind = image_type(content) or part.content_type or "application/octet-stream"
    return Upload(fields[0], Media(content, kind), name) if content else None


def _is_photo(upload: Upload) -> bool:
    """JPG, PNG or GIF under a fitting name, not too large and not too narrow."""
    width, height = image_size(upload.media.content) or (1, 1)
    steep = max(width, height) > STEEPEST * min(width, height)
    fits = width + height <= LONGEST_SIDES and not steep
    return fits and image_type(upload.media.content) in PHOTO_TYPES and _ending(upload.name) in PHOTO_ENDINGS


def _problem(kind: str, upload: Upload) -> str:
    if not kind:
        return "unknown upload address"
    if kind == "audio_message":
        if not is_ogg(upload.media.content):
            return "only ogg and opus are voice messages"
        return "longer than five minutes" if seconds_of(upload.media.content) > LONGEST_VOICE else ""
    if kind == "graffiti":
        return "" if image_type(upload.media.content) == "image/png" else "graffiti must be png"
    return "wrong extension" if _ending(upload.name) in REFUSED_ENDINGS else ""


def _ending(name: str) -> str:
    return PurePath(name).suffix.lower()
