"""Voice notes that say what a scenario wants, and who hears them: a stand-in of a transcription service.

The words stand in the recording itself, so that the service needs to know no scenario.
"""

import base64
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_HEAD, _MARK = b"OggS\x00\x02", b"\x00words:"
MODEL = "ear-of-the-evals"


def recording(words: str) -> dict[str, Any]:
    """A voice note for the sandbox; "" is one that nobody can make out."""
    content = _HEAD + bytes(64) + _MARK + words.encode()
    return {"base64": base64.b64encode(content).decode(), "type": "audio/ogg"}


def ear() -> Starlette:
    """`/v1/audio/transcriptions` for recordings of ours; refuses those without words."""
    return Starlette(routes=[Route("/v1/audio/transcriptions", _hear, methods=["POST"])])


async def _hear(request: Request) -> Response:
    async with request.form() as form:
        upload = form.get("file")
        content = b"" if upload is None or isinstance(upload, str) else await upload.read()
    words = content.partition(_MARK)[2].decode("utf-8", "replace")
    if not words:
        return JSONResponse({"error": {"message": "nothing can be made out"}}, 422)
    return JSONResponse({"text": words})
