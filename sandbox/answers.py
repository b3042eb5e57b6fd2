"""Reading requests and refusing them: the same strict JSON for vendors and for the control API."""

import json
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

BODY_LIMIT = 40 * 1024 * 1024


class RefusedError(Exception):
    """The request ends here, with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"refused with {response.status_code}")
        self.response = response


class UnreadableError(Exception):
    """The body is too large or is not strict JSON; the text says which."""


def refuse(status: int, sentence: str) -> NoReturn:
    """End a control request with `{"error": sentence}`."""
    raise RefusedError(JSONResponse({"error": sentence}, status))


async def refused(_: Request, error: Exception) -> Response:
    """Starlette's handler for RefusedError."""
    assert isinstance(error, RefusedError)  # noqa: S101  # registered for this class only
    return error.response


async def read_json(request: Request) -> Any:
    """The parsed body, `{}` when there is none; no NaN, no lone surrogates, no bodies over the limit."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > BODY_LIMIT:
            raise UnreadableError(f"the body is larger than {BODY_LIMIT} bytes")
    try:
        body = from_json(bytes(raw), allow_inf_nan=False) if raw.strip() else {}
        json.dumps(body, allow_nan=False)  # 1e999 parses to infinity, which no answer could carry
    except ValueError as error:
        raise UnreadableError(f"the body is not JSON: {error}") from error
    return body


async def read_object(request: Request) -> dict[str, Any]:
    """The body of a control request, which must be a JSON object."""
    try:
        body = await read_json(request)
    except UnreadableError as error:
        refuse(400, str(error))
    if not isinstance(body, dict):
        refuse(422, "the body must be a JSON object")
    return body


def explain(error: ValidationError) -> str:
    """One sentence that names each wrong field."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )


def parse(model: type[BaseModel], body: dict[str, Any]) -> Any:
    """The body as `model`, or 422 with the fields named."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        refuse(422, explain(error))
