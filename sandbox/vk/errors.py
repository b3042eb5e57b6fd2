"""VK's errors: HTTP 200 and an `error` in the body (contract §1, §2)."""

from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from sandbox.answers import RefusedError

TEXTS = {
    1: "Unknown error occurred",
    2: "Application is disabled. Enable your application or use test mode",
    3: "Unknown method passed",
    4: "Incorrect signature",
    5: "User authorization failed",
    6: "Too many requests per second",
    7: "Permission to perform this action is denied",
    8: "Invalid request",
    9: "Flood control",
    10: "Internal server error",
    12: "Unable to compile code",
    13: "Runtime error occurred during code invocation",
    14: "Captcha needed",
    15: "Access denied",
    17: "Validation required",
    18: "User was deleted or banned",
    23: "This method was disabled",
    24: "Confirmation required",
    27: "Group authorization failed",
    28: "Application authorization failed",
    29: "Rate limit reached",
    30: "This profile is private",
    36: "Method execution was interrupted due to timeout",
    37: "User was banned",
    43: "This section is temporary unavailable",
    100: "One of the parameters specified was missing or invalid",
    104: "Not found",
    105: "Couldn't save file",
    113: "Invalid user id",
    114: "Invalid album id",
    118: "Invalid server",
    121: "Invalid hash",
    122: "Invalid photos",
    125: "Invalid group id",
    129: "Invalid photo",
    200: "Access denied",
    203: "Access to group denied",
    900: "Can't send messages for users from blacklist",
    901: "Can't send messages for users without permission",
    902: "Can't send messages to this user due to their privacy settings",
    909: "Can't edit this message, because it's too old",
    910: "Can't sent this message, because it's too big",
    911: "Keyboard format is invalid",
    912: "This is a chat bot feature, change this status in settings",
    913: "Too many forwarded messages",
    914: "Message is too long",
    917: "You don't have access to this chat",
    920: "Can't edit this kind of message",
    921: "Can't forward these messages",
    922: "You left this chat",
    924: "Can't delete this message for everybody",
    925: "You are not admin of this chat",
    927: "Chat does not exist",
    932: "Your community can't interact with this peer",
    936: "Contact not found",
    940: "Too many posts in messages",
    943: "Cannot use this intent",
    944: "Limits overflow for this intent",
    945: "Chat was disabled",
    946: "Chat not supported",
    949: "Can't edit pinned message yet",
    950: "Can't send message, reply timed out",
    962: "You can't access donut chat without subscription",
    969: "Message cannot be forwarded",
    985: "Cannot write to notifications only groups",
    987: "Need message request",
    988: "Pending message request",
    1012: "Writing is disabled for this chat",
    1117: "Access token has expired",
    2000: "Servers number limit is reached",
    3300: "Recaptcha needed",
}


class ApiError(Exception):
    """A call ends with this code; `extras` are the fields some codes add to the body."""

    def __init__(self, code: int, tail: str = "", extras: Mapping[str, Any] | None = None) -> None:
        words = TEXTS.get(code, TEXTS[1])
        super().__init__(f"{words}: {tail}" if tail else words)
        self.code = code
        self.extras = dict(extras or {})

    def body(self, method: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The error object; the token is never echoed (§7.9)."""
        shown = {"method": method, "oauth": "1", **params}
        echoed = [{"key": key, "value": value} for key, value in shown.items() if key != "access_token"]
        return {"error_code": self.code, "error_msg": str(self), "request_params": echoed, **self.extras}


def fail(code: int, tail: str = "", extras: Mapping[str, Any] | None = None) -> NoReturn:
    raise ApiError(code, tail, extras)


def wrong(tail: str) -> NoReturn:
    """Error 100, whose tail names the parameter."""
    fail(100, tail)


def busy_page(status: int) -> NoReturn:
    """What VK's front says under load, and when the answer of a finished call is lost: HTML."""
    raise RefusedError(HTMLResponse(f"<html><body><h1>{status}</h1></body></html>", status))


async def no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    answer = JSONResponse({"error": "page not found"}, 404)
    await answer(scope, receive, send)
