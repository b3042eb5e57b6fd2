"""build_app(): MCP, REST, webhooks, /health, /info and /metrics of one service, and its one lifespan."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer, RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.api import api_routes, json_endpoint, openapi_document
from core.apps import View, apps_of, for_views, metas_of, models_tools, used_by
from core.auth import ApiKeyAsBearer, KeyRing, KeyVerifier, RequireKey
from core.completion import add_completion
from core.listening import Listening
from core.mcp_fixtures import Fixtures, no_fixtures
from core.observability import Metrics
from core.operations import Operation
from core.permission import (
    Confirm,
    PermittingServer,
    lookers_only,
    permitting,
    permitting_resource,
    unconfirmed,
)
from core.problems import problem
from core.profiles import Profile, shown
from core.resource_bus import ResourceBus
from core.resources import ResourceOf, add_resources
from core.tool_list import tools_of
from core.tools import ToolGuard

VERSION = "0.1.0"
_LOCAL_HOSTS = ("127.0.0.1", "localhost")

_OK = {"200": {"description": "The answer"}}

Reader = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class ServiceParts:
    """What a service is made of; the same constructor takes real parts and fakes.

    `health` answers within milliseconds whatever the vendor does; `info` may look further. `lifespan` opens
    and closes every connection and loop of the process. `on_stop` hears that the process was told to end:
    what waits long should not hold it up. `public_routes` are open, `closed_routes` need a key.
    `resource_bus` tells who watches `resources` of changes, over all replicas. `state_keys` seal what a
    client carries between the rounds of a call; without them only this process can open it. `confirm` is
    asked before a guarded caller does what cannot be taken back. `profile` and `core_tools` say which
    operations models are shown, `views` are shown by clients that can. `fixtures` are for tests.
    """

    name: str
    title: str
    instructions: str
    operations: Sequence[Operation]
    keys: KeyRing
    metrics: Metrics
    health: Reader
    info: Reader
    lifespan: Callable[[], AbstractAsyncContextManager[None]]
    public_routes: Sequence[BaseRoute] = ()
    closed_routes: Sequence[Route] = ()
    openapi_extra: Mapping[str, Any] = field(default_factory=dict)
    allowed_hosts: Sequence[str] = ()
    on_stop: Callable[[], None] = lambda: None
    resources: Sequence[ResourceOf] = ()
    resource_bus: ResourceBus | None = None
    state_keys: Sequence[bytes] = ()
    confirm: Confirm = unconfirmed
    profile: Profile = "all"
    core_tools: Collection[str] = ()
    views: Sequence[View] = ()
    fixtures: Fixtures = no_fixtures


def build_server(parts: ServiceParts) -> MCPServer:
    """The MCP server of a service; over HTTP every call needs a key, over stdio the launcher is trusted."""
    return _server(_permitting(parts))


def _permitting(parts: ServiceParts) -> ServiceParts:
    return replace(
        parts,
        operations=[permitting(one, parts.confirm) for one in parts.operations],
        resources=[permitting_resource(one, parts.confirm) for one in parts.resources],
    )


def _server(parts: ServiceParts) -> MCPServer:
    operations = for_views(parts.operations, parts.views)
    tools = shown(operations, parts.profile, {*parts.core_tools, *used_by(parts.views)})
    hidden = [one for one in operations if one not in tools]
    guard = ToolGuard(tools, parts.metrics, hidden=hidden)
    server = PermittingServer(
        parts.name,
        title=parts.title,
        version=VERSION,
        instructions=parts.instructions,
        tools=tools_of(tools, metas_of(parts.views, tools)),
        extensions=[guard, *([apps_of(parts.views)] if parts.views else ())],
        middleware=[
            lookers_only,
            models_tools,
            *([Listening(parts.resource_bus)] if parts.resource_bus else []),
        ],
        token_verifier=KeyVerifier(parts.keys),
        auth=_keys_only(),
        subscriptions=parts.resource_bus,
        request_state_security=RequestStateSecurity(keys=parts.state_keys) if parts.state_keys else None,
        log_level="WARNING",
    )
    guard.let_pass(parts.fixtures(server))
    server.knows([*operations, *(one.operation for one in parts.resources)])
    add_resources(server, parts.resources, parts.metrics)
    add_completion(server, {one.uri: one.completers for one in parts.resources}, parts.metrics)
    return server


def build_app(parts: ServiceParts, *, mcp: bool = True) -> Starlette:
    """The whole service as one ASGI application. `mcp=False` leaves /mcp out (public forms)."""
    parts = _permitting(parts)
    server = _server(parts) if mcp else None
    # One route and no mount at "/", which would take every path and answer our 404 and 405 in its own words.
    mcp_routes = [Route("/mcp", ApiKeyAsBearer(_mcp_app(server, parts)))] if server else []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with parts.lifespan():
            if server is None:
                yield
                return
            async with server.session_manager.run():
                yield

    app = Starlette(
        # Webhooks first: routes are tried one after the other, and theirs is the path under load.
        routes=[*parts.public_routes, *_routes(parts), *mcp_routes],
        lifespan=lifespan,
        middleware=[Middleware(StripHeaderSpaces)],
        exception_handlers={404: _not_found, 405: _not_allowed, Exception: _failed},
    )
    app.state.mcp = server
    app.state.on_stop = parts.on_stop
    return app


def _routes(parts: ServiceParts) -> list[BaseRoute]:
    document = openapi_document(
        parts.title, VERSION, parts.operations, {**_own_paths(), **parts.openapi_extra}
    )

    async def metrics(_: Request) -> Response:
        body, content_type = parts.metrics.exposition()
        return Response(body, media_type=content_type)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    guarded = [
        *api_routes(parts.operations, parts.metrics),
        Route("/info", json_endpoint(parts.info)),
        Route("/metrics", metrics),
        *parts.closed_routes,
    ]
    for route in guarded:
        route.app = RequireKey(route.app, parts.keys)
    return [Route("/health", json_endpoint(parts.health)), Route("/openapi.json", openapi), *guarded]


def _own_paths() -> dict[str, Any]:
    """What every service answers beside its operations."""
    says = {
        "/health": "Alive",
        "/openapi.json": "This document",
        "/info": "What this service is and how it is set",
        "/metrics": "Figures for Prometheus",
    }
    paths: dict[str, Any] = {
        path: {"get": {"operationId": path[1:].partition(".")[0], "summary": text, "responses": _OK}}
        for path, text in says.items()
    }
    for path in ("/health", "/openapi.json"):
        paths[path]["get"]["security"] = []
    return paths


def _mcp_app(server: MCPServer, parts: ServiceParts) -> ASGIApp:
    names = (*_LOCAL_HOSTS, *parts.allowed_hosts)
    hosts = [form for name in names for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return server.streamable_http_app(
        stateless_http=True,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins),
    )


def _keys_only() -> AuthSettings:
    """Static keys: without a resource URL no metadata is published that would send clients to OAuth."""
    return AuthSettings(issuer_url="http://localhost", resource_server_url=None)  # type: ignore[arg-type]  # kept as typed


async def _not_found(request: Request, _: Exception) -> Response:
    return problem(404, "not_found", f"There is nothing at {request.url.path}. See /openapi.json.")


async def _not_allowed(request: Request, _: Exception) -> Response:
    return problem(
        405, "method_not_allowed", f"{request.method} is not for {request.url.path}. See /openapi.json."
    )


async def _failed(_: Request, __: Exception) -> Response:
    """The server logs the traceback: Starlette raises the error again after this answer."""
    return problem(500, "internal_error", "The service failed; its log says why.")


class StripHeaderSpaces:
    """httptools leaves trailing spaces in header values; MCP compares headers with the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and any(value[-1:] in (b" ", b"\t") for _, value in scope["headers"]):
            scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        await self._app(scope, receive, send)
