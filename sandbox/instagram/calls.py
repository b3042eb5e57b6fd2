"""One call of the Graph API, read from wherever its parts may stand (contract §4)."""

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from pydantic_core import from_json
from starlette.requests import Request

from sandbox.answers import UnreadableError, read_json
from sandbox.instagram.errors import invalid
from sandbox.instagram.shop import Account, Json

Path: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Call:
    """`path` without version; `params` of the query and the body; `account` is the token's."""

    method: str
    version: str
    path: Path
    params: Json
    token: str
    address: str
    account: Account = field(init=False)

    @property
    def node(self) -> str:
        return self.path[0]

    def text(self, name: str) -> str | None:
        value = self.params.get(name)
        return None if value is None else str(value)


async def read_call(request: Request, *, default_version: str) -> Call:
    """The token stands in the header, the query or the body; the header wins."""
    segments = [part for part in str(request.path_params["path"]).split("/") if part]
    versioned = bool(segments) and re.fullmatch(r"v[0-9]+\.[0-9]+", segments[0]) is not None
    params: Json = {**dict(request.query_params), **await _body(request)}
    scheme, _, header = request.headers.get("authorization", "").partition(" ")
    given = params.pop("access_token", "")
    return Call(
        method=request.method,
        version=segments[0] if versioned else default_version,
        path=tuple(segments[1:] if versioned else segments),
        params=params,
        token=header.strip() if scheme.lower() in {"bearer", "oauth"} else str(given),
        address=str(request.url.replace(query="", fragment="")),
    )


async def _body(request: Request) -> Json:
    if request.method not in {"POST", "DELETE"}:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        raw = (await request.body()).decode("utf-8", errors="replace")
        return dict(parse_qsl(raw, keep_blank_values=True))
    try:
        body = await read_json(request)
    except UnreadableError as error:
        invalid(f"Invalid body: {error}")
    if not isinstance(body, dict):
        invalid("The body must be a JSON object")
    return body


def objects_of(params: Json, *names: str) -> dict[str, Any]:
    """The named parameters; in forms and queries objects are written as JSON (§4)."""
    found: dict[str, Any] = {}
    for name in names:
        value = params.get(name)
        if isinstance(value, str):
            value = _parsed(value, name)
        if value is not None:
            found[name] = value
    return found


def _parsed(value: str, name: str) -> object:
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError:
        invalid(f"Param {name} must be a JSON object")
