"""The Graph API's refusals (contract §12)."""

import secrets
from dataclasses import dataclass, field
from typing import Any, NoReturn

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

FORBIDDEN = {10, 200, 230, 368}
TRANSIENT = {1, 2, 4, 17, 32, 613, 80002, 80006}
OUTSIDE = "This message is sent outside of allowed window."


@dataclass(eq=False)
class GraphError(Exception):
    """A call ends here; the gate writes the envelope. Statuses are not documented: see `_status` (§12)."""

    code: int
    message: str
    subcode: int | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def fail(code: int, message: str, subcode: int | None = None, *, status: int | None = None) -> NoReturn:
    raise GraphError(code, message, subcode, status)


def invalid(message: str, subcode: int | None = None) -> NoReturn:
    """Code 100: a parameter is wrong."""
    fail(100, message, subcode)


def no_such_object(node: str) -> NoReturn:
    """100/33, for objects that are not there and for objects of others."""
    message = (
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation"
    )
    fail(100, message, 33)


def rendered(error: GraphError, *, flavour: str, token_status: int) -> Response:
    """The envelope; `type` varies with the host (§12), `www-authenticate` comes with 190 (§4)."""
    shown: dict[str, Any] = {
        "message": error.message if error.code == 190 else f"(#{error.code}) {error.message}",
        "type": _kind(error, flavour),
        "code": error.code,
    }
    if error.subcode is not None:
        shown["error_subcode"] = error.subcode
    if error.code in TRANSIENT:
        shown["is_transient"] = True
    if error.message == OUTSIDE:
        shown |= {
            "is_transient": False,
            "error_user_title": "Сообщение не отправлено",
            "error_user_msg": "Окно для ответа закрыто.",
            "error_data": {"blame_field_specs": [["message"]]},
        }
    shown["fbtrace_id"] = f"A{secrets.token_urlsafe(16)}"
    headers = dict(error.headers)
    if error.code == 190:
        headers["www-authenticate"] = f'OAuth "Facebook Platform" "invalid_token" "{error.message}"'
    return JSONResponse({"error": shown}, _status(error, token_status), headers=headers)


def _kind(error: GraphError, flavour: str) -> str:
    if error.subcode == 33:
        return "GraphMethodException"
    own = flavour == "instagram" and error.code not in {190, 10, 200, *TRANSIENT}
    return "IGApiException" if own else "OAuthException"


def _status(error: GraphError, token_status: int) -> int:
    """400 for most, 403 for permissions and the window, as was observed (§12)."""
    if error.status is not None:
        return error.status
    if error.code == 190:
        return token_status
    return 403 if error.code in FORBIDDEN else 400


class CutResponse(Response):
    """Half an answer and then nothing: the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"512")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"recip', "more_body": True})


def lost(how: str) -> Response:
    """What is seen of a call that was done and lost its answer: 502 of a proxy, or a cut connection."""
    if how == "cut":
        return CutResponse()
    return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
