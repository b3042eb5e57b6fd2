"""Reading a submission: JSON, or a plain HTML form in either encoding, within a size."""

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import parse_qsl

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from core.jsontext import UnreadableJSON, read_json, without_surrogates
from core.messages import NUL
from core.problems import Problem, problem
from form_api.forms import from_fields

JSON, URLENCODED, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
MAX_FIELDS = 500
MAX_DEPTH = 10


async def read_submission(request: Request, *, max_bytes: int) -> dict[str, Any]:
    """The fields that were sent, free of what PostgreSQL cannot hold; a Problem for anything unreadable."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, URLENCODED, MULTIPART):
        known = {"what_to_do": f"Send {JSON}, {URLENCODED} or {MULTIPART}."}
        raise Problem(problem(415, "unknown_content_type", "This content type is not read.", extra=known))
    raw = await _raw(request, max_bytes)
    try:
        given = await _parsed(kind, raw, request)
    except (UnreadableJSON, MultiPartException, ValueError) as error:
        raise Problem(problem(400, "unreadable_body", "The body cannot be read.")) from error
    if not isinstance(given, dict):
        raise Problem(problem(422, "invalid", "The body must be a JSON object.", field="body"))
    return {_clean_text(name): _cleaned(value, 1) for name, value in given.items()}


async def _raw(request: Request, max_bytes: int) -> bytes:
    """The body; reads no further than the cap, whatever Content-Length says."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise Problem(_too_large(max_bytes))
    raw = bytearray()
    try:
        async for piece in request.stream():
            raw += piece
            if len(raw) > max_bytes:
                raise Problem(_too_large(max_bytes))
    except ClientDisconnect as gone:
        raise Problem(problem(400, "incomplete", "The body ended early.")) from gone
    return bytes(raw)


def _too_large(max_bytes: int) -> Response:
    answer = problem(413, "too_large", f"The body is larger than {max_bytes} bytes.")
    answer.headers["Connection"] = "close"
    return answer


async def _parsed(kind: str, raw: bytes, request: Request) -> Any:
    if kind == JSON:
        return read_json(raw)
    if kind == URLENCODED:
        text = raw.decode("utf-8", "replace")
        return from_fields(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    return from_fields(await _multipart(raw, request))


async def _multipart(raw: bytes, request: Request) -> list[tuple[str, str]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    parser = MultiPartParser(
        request.headers, stream(), max_files=MAX_FIELDS, max_fields=MAX_FIELDS, max_part_size=len(raw)
    )
    sent = await parser.parse()
    try:
        # Of a file only the name is kept: forms are for words.
        return [
            (name, value if isinstance(value, str) else value.filename or "")
            for name, value in sent.multi_items()
        ]
    finally:
        await sent.close()


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if depth > MAX_DEPTH:
        raise Problem(problem(422, "invalid", f"Nested deeper than {MAX_DEPTH} levels.", field="body"))
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_clean_text(name): _cleaned(item, depth + 1) for name, item in value.items()}
    return value


def _clean_text(text: str) -> str:
    return without_surrogates(text).replace(NUL, "")
