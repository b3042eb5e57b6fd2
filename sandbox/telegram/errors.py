"""Telegram's envelopes: results, refusals, and answers that get lost (contract §1, §7)."""

import math
from typing import Any, NoReturn

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.answers import RefusedError

PREFIXES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
FRONT_END = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def refusal(
    status: int,
    description: str,
    *,
    parameters: dict[str, int] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return JSONResponse(body | ({"parameters": parameters} if parameters else {}), status, headers=headers)


def fail(status: int, description: str, *, parameters: dict[str, int] | None = None) -> NoReturn:
    raise RefusedError(refusal(status, description, parameters=parameters))


def bad(words: str) -> NoReturn:
    """400, the most frequent refusal."""
    fail(400, f"Bad Request: {words}")


def forbid(words: str) -> NoReturn:
    fail(403, f"Forbidden: {words}")


def conflict(words: str) -> NoReturn:
    fail(409, f"Conflict: {words}")


def flood(seconds: float) -> NoReturn:
    """429 with the seconds told three times: in words, in parameters, in the header."""
    pause = max(math.ceil(seconds), 1)
    raise RefusedError(
        refusal(
            429,
            f"Too Many Requests: retry after {pause}",
            parameters={"retry_after": pause},
            headers={"Retry-After": str(pause)},
        )
    )


def front_end(status: int) -> Response:
    """What the machine before the server says; the contract (§7) tells no body, so HTML."""
    words = f"{status} {FRONT_END[status]}"
    return HTMLResponse(f"<html><body><h1>{words}</h1></body></html>", status)


class CutResponse(Response):
    """Headers and the first byte, then the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"512")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    """404 for everything that does not start with `/bot` or `/file/bot`."""
    await refusal(404, "Not Found")(scope, receive, send)
