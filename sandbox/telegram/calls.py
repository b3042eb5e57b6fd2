"""A method call in any of the encodings (contract §1): query, form, multipart, JSON."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from sandbox.answers import UnreadableError, read_json
from sandbox.telegram.errors import bad, fail

LARGEST_UPLOAD = 50 * 1024 * 1024
ROOM_FOR_FIELDS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart body."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """The parameters as given; an empty or null value counts as absent."""

    given: dict[str, Any]
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        value = self.given.get(name)
        if value is None or value == "":
            return None
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def integer(self, name: str, default: int = 0) -> int:
        raw = self.text(name)
        try:
            return default if raw is None else int(raw[:32])
        except ValueError:
            return default

    def number(self, name: str) -> float | None:
        try:
            value = float(self.text(name) or "")
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def flag(self, name: str) -> bool:
        return (self.text(name) or "").lower() in {"true", "1", "yes"}

    def structure(self, name: str) -> Any:
        """An object or array, which the forms carry as JSON text; None when absent."""
        value = self.given.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return from_json(value, allow_inf_nan=False)
        except ValueError:
            bad(f"can't parse {name.replace('_', ' ')} JSON object")


async def read_call(request: Request) -> Call:
    """Query and body together; the body wins."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:18]) > LARGEST_UPLOAD + ROOM_FOR_FIELDS:
        fail(413, "Request Entity Too Large")
    given: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return Call(given | await _json(request))
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        fields, uploads = await _form(request)
        return Call(given | fields, uploads)
    return Call(given)


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await read_json(request)
    except UnreadableError as error:
        bad(f"can't parse JSON object: {error}")
    if not isinstance(body, dict):
        bad("can't parse JSON object: object expected")
    return body


async def _form(request: Request) -> tuple[dict[str, str], dict[str, Upload]]:
    fields: dict[str, str] = {}
    uploads: dict[str, Upload] = {}
    try:
        async with request.form(max_part_size=ROOM_FOR_FIELDS) as form:
            for name, part in form.multi_items():
                if isinstance(part, UploadFile):
                    uploads[name] = await _upload(part)
                else:
                    fields[name] = part
    except (HTTPException, MultiPartException):
        bad("can't parse the form")
    return fields, uploads


async def _upload(part: UploadFile) -> Upload:
    content = await part.read()
    if len(content) > LARGEST_UPLOAD:
        fail(413, "Request Entity Too Large")
    return Upload(part.filename or "file", (part.content_type or "").split(";")[0].strip(), content)
