"""The operations of a service as REST routes, and the OpenAPI document that describes them."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from core.errors import ChannelError
from core.jsontext import UnreadableJSON, read_json, without_surrogates, write_json
from core.lanes import HEADER, in_lane, lane_of
from core.observability import Metrics
from core.operations import SPEAKING, TAKING, Operation, WrongArguments
from core.problems import PROBLEM_SCHEMA, from_channel_error, from_validation_error, problem

BODY_LIMIT = 70 * 1024 * 1024  # a file of 50 MB in base64 and its envelope

_KEY = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
_TOKEN = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
_PLACEHOLDER = re.compile(r"{(\w+)}")


class _Refused(Exception):
    """The request cannot be read; carries the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _RouteAsSent(Route):
    """Matches the path as it was sent and decodes the arguments afterwards.

    Ids are opaque: `/api/chats/a%2Fb` is the chat "a/b". Starlette decodes first and sees two segments.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        raw = scope.get("raw_path")
        path = raw.decode("latin-1") if raw else quote(scope["path"])
        found, child = super().matches({**scope, "path": path})
        if found is not Match.NONE:
            child["path_params"] = {name: unquote(value) for name, value in child["path_params"].items()}
        return found, child


def api_routes(operations: Sequence[Operation], metrics: Metrics) -> list[Route]:
    """One route per operation; fixed paths stand before paths with placeholders."""
    ordered = sorted(operations, key=lambda operation: _PLACEHOLDER.search(operation.path) is not None)
    return [
        _RouteAsSent(one.path, _endpoint(one, metrics), methods=[one.method], name=one.name)
        for one in ordered
    ]


def _endpoint(operation: Operation, metrics: Metrics) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        with in_lane(lane_of(request.headers.get(HEADER, ""))):
            response = await _answered(operation, request)
        outcome = "ok" if response.status_code < 400 else "error"
        metrics.requests.labels(f"api:{operation.name}", outcome).inc()
        return response

    return endpoint


async def _answered(operation: Operation, request: Request) -> Response:
    try:
        given = await _given(operation, request)
        result = await _unless_gone(request, operation, given)
    except _Refused as refused:
        return refused.response
    except WrongArguments as wrong:
        return from_validation_error(wrong.error)
    except ChannelError as error:
        return from_channel_error(error)
    except Exception:  # noqa: BLE001  # top of a request: logged whole, hidden from the caller
        structlog.get_logger().exception("operation_failed", operation=operation.name)
        return problem(500, "internal_error", "The service failed; its log says why.")
    body = without_surrogates(write_json(result.model_dump(mode="json")))
    return Response(body, media_type="application/json")


async def _unless_gone(request: Request, operation: Operation, given: dict[str, Any]) -> BaseModel:
    """Run it; when the caller hangs up before the end, what can be repeated is ended at once.

    Else the wait of an agent that died would take the next turn, and nobody would answer it.
    """
    if operation.risk in SPEAKING | TAKING:
        return await operation.call(given)
    work = asyncio.ensure_future(operation.call(given))
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise _Refused(problem(408, "caller_gone", "The caller hung up; nothing more was done."))
        return work.result()
    finally:
        gone.cancel()
        work.cancel()
        await asyncio.wait((work, gone))


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _given(operation: Operation, request: Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query_params)
    if operation.method == "POST":
        given |= await _body(request)
    given |= request.path_params
    key = request.headers.get("idempotency-key")
    if key and "idempotency_key" in operation.signature.parameters:
        given["idempotency_key"] = given.get("idempotency_key") or key
    return given


async def _body(request: Request) -> dict[str, Any]:
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > BODY_LIMIT:
            raise _Refused(problem(413, "too_large", f"The body is larger than {BODY_LIMIT} bytes."))
    if not raw:
        return {}
    try:
        parsed = read_json(bytes(raw))
    except UnreadableJSON as error:
        raise _Refused(problem(400, "unreadable_json", f"The body is not JSON: {error}.")) from error
    if not isinstance(parsed, dict):
        raise _Refused(problem(422, "invalid", "The body must be a JSON object."))
    return parsed


def openapi_document(
    title: str,
    version: str,
    operations: Sequence[Operation],
    extra: dict[str, Any] | None = None,
    *,
    tokens: bool = False,
) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service; `extra` holds further path items (webhooks, health).

    `tokens`: access tokens open what keys do.
    """
    schemas: dict[str, Any] = {"Problem": PROBLEM_SCHEMA}
    paths: dict[str, Any] = {}
    for operation in operations:
        item = paths.setdefault(operation.path, {})
        item[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths | (extra or {}),
        "components": {
            "schemas": schemas,
            "securitySchemes": _KEY | (_TOKEN if tokens else {}),
        },
        "security": [{name: []} for name in _KEY | (_TOKEN if tokens else {})],
    }


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    in_path = set(_PLACEHOLDER.findall(operation.path))
    properties, required = _arguments(operation, schemas)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.title,
        "description": operation.description,
        "parameters": [
            _parameter(name, schema, required, in_path)
            for name, schema in properties.items()
            if name in in_path or operation.method == "GET"
        ],
        "responses": {
            "200": _content("The result", _reference(operation.result, schemas)),
            "default": _content("What went wrong", {"$ref": "#/components/schemas/Problem"}, "problem+json"),
        },
    }
    if operation.method == "POST":
        body = {name: schema for name, schema in properties.items() if name not in in_path}
        needed = [name for name in required if name in body]
        described["requestBody"] = {
            "required": bool(needed),
            "content": {
                "application/json": {"schema": {"type": "object", "properties": body, "required": needed}}
            },
        }
    return described


def _arguments(operation: Operation, schemas: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    schema = operation.arguments.model_json_schema(ref_template="#/components/schemas/{model}")
    _keep(schemas, schema.pop("$defs", {}))
    return schema.get("properties", {}), schema.get("required", [])


def _parameter(name: str, schema: Any, required: list[str], in_path: set[str]) -> dict[str, Any]:
    place = "path" if name in in_path else "query"
    return {"name": name, "in": place, "required": place == "path" or name in required, "schema": schema}


def _reference(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    _keep(schemas, schema.pop("$defs", {}))
    if "$ref" not in schema:  # as that of a model within itself
        _keep(schemas, {model.__name__: schema})
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _keep(schemas: dict[str, Any], further: Mapping[str, Any]) -> None:
    """Raises ValueError when a name stands for two schemas: the later one would be read for both."""
    for name, schema in further.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"Two schemas are called {name}.")


def _content(says: str, schema: dict[str, str], media: str = "json") -> dict[str, Any]:
    return {"description": says, "content": {f"application/{media}": {"schema": schema}}}


def json_endpoint(read: Callable[[], Any]) -> Callable[[Request], Any]:
    """A GET endpoint that answers what the async `read` returns."""

    async def endpoint(_: Request) -> Response:
        return JSONResponse(await read())

    return endpoint
