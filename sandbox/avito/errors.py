"""Avito's error bodies (contract §2.3, §7)."""

from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from sandbox.answers import RefusedError, UnreadableError, read_json


def fail(status: int, message: str, *, headers: dict[str, str] | None = None) -> NoReturn:
    """`{"error": {"code", "message"}}`, the shape of most refusals."""
    raise RefusedError(JSONResponse({"error": {"code": status, "message": message}}, status, headers=headers))


def invalid(message: str, fields: dict[str, str] | None = None) -> NoReturn:
    """400 with the validation shape, which adds `fields`."""
    raise RefusedError(JSONResponse({"error": {"code": 400, "message": message, "fields": fields}}, 400))


def lost_answer() -> NoReturn:
    """What a proxy says when the answer of a finished call is lost: 502 with HTML."""
    raise RefusedError(HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502))


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a call, `{}` when there is no body."""
    try:
        body = await read_json(request)
    except UnreadableError as error:
        invalid(str(error))
    if not isinstance(body, dict):
        invalid("the body must be an object")
    return body


async def no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    """404 for every path the contract does not list, wrong trailing slashes included."""
    answer = JSONResponse({"error": {"code": 404, "message": "page not found"}}, 404)
    await answer(scope, receive, send)
