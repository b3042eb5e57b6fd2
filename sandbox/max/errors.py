"""MAX's error bodies and codes (contract §1)."""

from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.answers import RefusedError, UnreadableError, read_json

CODES = {
    400: "proto.payload",
    401: "verify.token",
    403: "access.denied",
    404: "not.found",
    405: "method.not.allowed",
    429: "too.many.requests",
    500: "internal.error",
    503: "service.unavailable",
}


def fail(
    status: int, message: str, code: str | None = None, *, headers: dict[str, str] | None = None
) -> NoReturn:
    """`{"code", "message"}`; the code of the status unless given."""
    body = {"code": code or CODES.get(status, "unknown"), "message": message}
    raise RefusedError(JSONResponse(body, status, headers=headers))


def invalid(message: str) -> NoReturn:
    """400 proto.payload."""
    fail(400, message)


def decline(message: str) -> NoReturn:
    """200 with `success: false`, the soft failure of the yes-or-no methods."""
    raise RefusedError(JSONResponse({"success": False, "message": message}))


def no_such_chat(chat_id: int) -> NoReturn:
    fail(404, f"Chat {chat_id} not found", "chat.not.found")


def suspended() -> NoReturn:
    """The user stopped the bot, or the bot is not published."""
    fail(403, "Key: error.dialog.suspended, args: [null, null]", "chat.denied")


def lost_answer() -> NoReturn:
    """What a proxy says when the answer of a finished call is lost: 502 with HTML."""
    raise RefusedError(HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502))


def succeed() -> Response:
    return JSONResponse({"success": True})


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a call, `{}` when there is no body."""
    try:
        body = await read_json(request)
    except UnreadableError as error:
        invalid(str(error))
    if not isinstance(body, dict):
        invalid("the body must be an object")
    return body


async def no_such_method(_: Request) -> Response:
    return JSONResponse({"code": CODES[405], "message": "Method not allowed"}, 405)


async def no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    """404 for every path the contract does not list."""
    answer = JSONResponse({"code": CODES[404], "message": "Path not found"}, 404)
    await answer(scope, receive, send)
