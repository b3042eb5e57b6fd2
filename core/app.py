"""build_app(): MCP, REST, webhooks, /health, /info and /metrics of one service, and its one lifespan."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer, RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from starlette import types as asgi
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.api import api_routes, json_endpoint, openapi_document
from core.appeal_tokens import AppealTokens
from core.apps import View, apps_of, for_views, metas_of, models_tools, used_by
from core.audit import NO_AUDIT, Audit
from core.auth import ApiKeyAsBearer, FoundCaller, KeyRing, RequireKey, Scope
from core.completion import Completers, add_completion
from core.elicitation import remember_round
from core.fence import NO_FENCE, Fence
from core.fenced_requests import FencedRequests
from core.listening import Listening
from core.mcp_fixtures import Fixtures, no_fixtures
from core.oauth import Tokens
from core.observability import Metrics
from core.operations import Operation
from core.permission import (
    LOOKING,
    Confirm,
    LookersOnly,
    PermittingServer,
    lookers_only,
    permitting,
    permitting_resource,
    unconfirmed,
)
from core.problems import problem
from core.profiles import Profile, shown
from core.prompts import PromptOf, add_prompts
from core.resource_bus import ResourceBus
from core.resources import ResourceOf, add_resources
from core.step_up import Needs, StepUp
from core.tool_list import tools_of
from core.tools import ToolGuard
from core.until_token_ends import UntilTokenEnds

VERSION = "0.1.0"
_LOCAL_HOSTS = ("127.0.0.1", "localhost")

_OK = {"200": {"description": "The answer"}}

Reader = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class ServiceParts:
    """What a service is made of; the same constructor takes real parts and fakes.

    `health` answers within milliseconds whatever the vendor does; `info` may look further. `lifespan` opens
    and closes every connection and loop of the process. `on_stop` hears that the process was told to end:
    what waits long should not hold it up. `public_routes` are open, `closed_routes` need a key that may read.
    `resource_bus` tells who watches `resources` of changes, over all replicas. `state_keys` seal what a
    client carries between the rounds of a call; without them only this process can open it. `confirm` is
    asked before a guarded caller does what cannot be taken back; `audit` writes down who changed what.
    `fence` says what a token of one appeal opens. `tokens` open what the keys do; None: keys only. `profile`
    and `core_tools` say which operations models are shown, `views` are shown by clients that can. `fixtures`
    are for tests.
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
    prompts: Sequence[PromptOf] = ()
    resource_bus: ResourceBus | None = None
    state_keys: Sequence[bytes] = ()
    confirm: Confirm = unconfirmed
    audit: Audit = NO_AUDIT
    tokens: Tokens | None = None
    fence: Fence = NO_FENCE
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
        operations=[permitting(one, parts.confirm, parts.fence, parts.audit) for one in parts.operations],
        resources=[permitting_resource(one, parts.confirm, parts.fence) for one in parts.resources],
        keys=parts.keys.reading(AppealTokens(parts.state_keys).read),
        prompts=[
            replace(one, shows=permitting_resource(one.shows, parts.confirm, parts.fence))
            for one in parts.prompts
        ],
    )


def _server(parts: ServiceParts) -> MCPServer:
    operations = for_views(parts.operations, parts.views)
    tools = shown(operations, parts.profile, {*parts.core_tools, *used_by(parts.views)})
    hidden = [one for one in operations if one not in tools]
    guard = ToolGuard(tools, parts.metrics, hidden=hidden)
    fenced = FencedRequests(parts.fence, parts.resources)
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
            fenced,
            UntilTokenEnds(parts.fence),
            *([Listening(parts.resource_bus)] if parts.resource_bus else []),
        ],
        token_verifier=FoundCaller(),
        auth=_keys_only(),
        subscriptions=parts.resource_bus,
        request_state_security=RequestStateSecurity(keys=parts.state_keys) if parts.state_keys else None,
        log_level="WARNING",
    )
    server.middleware.insert(0, remember_round)
    guard.let_pass(parts.fixtures(server))
    known = [*operations, *(one.operation for one in parts.resources)]
    server.knows(known, parts.prompts, fence=parts.fence)
    add_resources(server, parts.resources, parts.metrics)
    add_prompts(server, parts.prompts, parts.metrics)
    add_completion(server, _completed(parts), parts.metrics)
    return server


def _completed(parts: ServiceParts) -> dict[str, Completers]:
    templates = {one.uri: one.completers for one in parts.resources if one.placeholders}
    return {**templates, **{one.name: one.completers for one in parts.prompts}}


def build_app(parts: ServiceParts, *, mcp: bool = True) -> Starlette:
    """The whole service as one ASGI application. `mcp=False` leaves /mcp out (public forms)."""
    parts = _permitting(parts)
    server = _server(parts) if mcp else None
    # One route and no mount at "/", which would take every path and answer our 404 and 405 in its own words.
    mcp_routes = _mcp_routes(server, parts) if server else []

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


def _mcp_routes(server: MCPServer, parts: ServiceParts) -> list[Route]:
    known = {one.name: one for one in parts.operations}

    def needs(headers: Headers) -> Scope | None:
        """What a client of 2026 says in its headers; the SDK refuses those that differ from the body."""
        method = headers.get("mcp-method", "")
        if method != "tools/call":
            return "read" if method in LOOKING else None
        operation = known.get(headers.get("mcp-name", ""))
        return operation.scope if operation else None

    described = parts.tokens.routes(parts.title) if parts.tokens else []
    mcp = ApiKeyAsBearer(_mcp_app(server, parts))
    return [*described, Route("/mcp", _closed(mcp, parts, needs, fenced=True))]


def _always(needed: Scope | None) -> Needs:
    return lambda _: needed


def _closed(app: asgi.ASGIApp, parts: ServiceParts, needs: Needs, *, fenced: bool) -> asgi.ASGIApp:
    """`fenced`: what a token of one appeal opens behind it is asked there."""
    inside = StepUp(app, parts.tokens, needs) if parts.tokens else app
    return RequireKey(inside, parts.keys, parts.tokens, fenced=fenced)


def _routes(parts: ServiceParts) -> list[BaseRoute]:
    extra, tokens = {**_own_paths(), **parts.openapi_extra}, parts.tokens is not None
    document = openapi_document(parts.title, VERSION, parts.operations, extra, tokens=tokens)

    async def metrics(_: Request) -> Response:
        body, content_type = parts.metrics.exposition()
        return Response(body, media_type=content_type)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    scopes = {one.name: one.scope for one in parts.operations}
    api = api_routes(parts.operations, parts.metrics)
    for route in api:
        route.app = _closed(route.app, parts, _always(scopes.get(route.name)), fenced=True)
    rest = [Route("/info", json_endpoint(parts.info)), Route("/metrics", metrics)]
    for route in rest:
        route.app = _closed(route.app, parts, _always(None), fenced=False)
    for route in parts.closed_routes:
        route.app = _closed(LookersOnly(route.app), parts, _always("read"), fenced=False)
    return [
        Route("/health", json_endpoint(parts.health)),
        Route("/openapi.json", openapi),
        *api,
        *rest,
        *parts.closed_routes,
    ]


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


def _mcp_app(server: MCPServer, parts: ServiceParts) -> asgi.ASGIApp:
    names = (*_LOCAL_HOSTS, *parts.allowed_hosts)
    hosts = [form for name in names for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return server.streamable_http_app(
        stateless_http=True,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins),
    )


def _keys_only() -> AuthSettings:
    """RequireKey decides and tells clients of OAuth; the SDK only carries who was let in."""
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

    def __init__(self, app: asgi.ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] == "http" and any(value[-1:] in (b" ", b"\t") for _, value in scope["headers"]):
            scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        await self._app(scope, receive, send)
