"""Wappi's envelope (contract §2.2), its refusals (§7), and reading a call's body."""

from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.answers import RefusedError, UnreadableError, read_json
from sandbox.whatsapp.times import moscow


def done(now: float, **keys: Any) -> Response:
    """Success: `timestamp` is the integer here and `time` the string; in webhooks it is the other way."""
    return JSONResponse({"status": "done", "timestamp": int(now), "time": moscow(now), **keys})


def fail(detail: str, status: int = 400) -> NoReturn:
    raise RefusedError(JSONResponse({"status": "error", "detail": detail}, status))


def fail_bare(status: int = 400) -> NoReturn:
    """An error that does not say what it is about; under 200 it is a failure too."""
    raise RefusedError(JSONResponse({"status": "error"}, status))


def fail_in_html(status: int, words: str) -> NoReturn:
    """What a proxy says when the service is away or an answer was lost."""
    raise RefusedError(HTMLResponse(f"<html><body><h1>{status} {words}</h1></body></html>", status))


async def anything_of(request: Request) -> Any:
    try:
        return await read_json(request)
    except UnreadableError as error:
        fail(str(error))


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a call, `{}` when there is no body."""
    body = await anything_of(request)
    if not isinstance(body, dict):
        fail("the body must be an object")
    return body


def text_in(body: dict[str, Any], name: str, *, optional: bool = False) -> str:
    """A string of the body; one that must be there must say something."""
    value = body.get(name)
    if optional and value is None:
        return ""
    if not isinstance(value, str) or not (optional or value.strip()):
        fail(f"{name} is required")
    return value


async def no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    """404 for every path the contract does not list."""
    await JSONResponse({"status": "error", "detail": "not found"}, 404)(scope, receive, send)
