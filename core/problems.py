"""Errors of our HTTP surfaces as RFC 9457 problem details: one form, and it says what to do next.

Beside the RFC's members an answer has `code` (stable, for programs), `errors` (the fields that are wrong),
`retryable` and `what_to_do`. Input is never echoed: it may be a secret.
"""

import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from core.errors import ERRORS, ChannelError
from core.jsontext import without_surrogates, write_json

MEDIA_TYPE = "application/problem+json"

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "code", "detail", "errors", "retryable", "what_to_do"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable name of the problem"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "retryable": {"type": "boolean", "description": "whether the same request may be repeated as it is"},
        "retry_after": {"type": "number", "description": "seconds"},
        "what_to_do": {"type": "string"},
        "confirm_token": {"type": "string", "description": "for the same request again, after a yes"},
    },
}

_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"")


class Problem(Exception):
    """Ends a request with the given answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str = "",
    retry_after: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """The answer to a request that cannot be served; `code` is in the table of errors.

    `extra` adds members or replaces the usual words.
    """
    errors = [{"field": field, "message": detail}] if field else []
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": errors,
        **ERRORS[code].members(retry_after),
    }
    body = without_surrogates(write_json(members | dict(extra or {})))
    return Response(body, status, headers=_headers(status, retry_after), media_type=MEDIA_TYPE)


def from_channel_error(error: ChannelError) -> Response:
    """What a channel's failure means to an HTTP client."""
    channel = {"channel": error.channel} if error.channel else {}
    told = {"what_to_do": error.what_to_do} | channel | dict(error.beside)
    return problem(error.status, error.code, error.detail, retry_after=error.retry_after, extra=told)


def from_validation_error(error: ValidationError) -> Response:
    """422 with every wrong field and what is wrong with it, without the values that were sent."""
    errors = [
        {"field": _field(mistake["loc"]), "message": without_input(mistake["msg"], mistake.get("input"))}
        for mistake in error.errors(include_url=False, include_context=False)
    ]
    named = ", ".join(dict.fromkeys(mistake["field"] for mistake in errors))
    return problem(422, "invalid", f"Wrong or missing: {named}.", extra={"errors": errors})


def _field(location: Sequence[int | str]) -> str:
    return ".".join(str(step) for step in location) or "body"


def without_input(message: str, given: object) -> str:
    """Validators of ours and of the standard library like to quote what they refuse."""
    shown = str(given)

    def hide(quote: re.Match[str]) -> str:
        return "…" if (quote[1] or quote[2]) in shown else quote[0]

    return _QUOTED.sub(hide, message)


def _headers(status: int, retry_after: float | None) -> dict[str, str]:
    headers = {}
    if retry_after is not None:
        headers["Retry-After"] = str(max(0, math.ceil(retry_after)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers
