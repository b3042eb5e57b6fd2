"""What else of MCP a token of one appeal opens: what it may watch, have completed and be prompted with."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.uri_template import UriTemplate
from mcp.types import INVALID_REQUEST, CompleteResult, Completion

from core.auth import Bounds, bounds_now
from core.errors import NotPermitted
from core.fence import Fence, beyond, completed
from core.resources import ResourceOf


class FencedRequests:
    """Middleware of MCP; what is read under a URI is an operation, and asked where operations are."""

    def __init__(self, fence: Fence, resources: Sequence[ResourceOf]) -> None:
        self._fence = fence
        self._resources = [(UriTemplate.parse(one.uri), one) for one in resources]

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Called by the SDK around every request."""
        bounds = bounds_now()
        if bounds is None:
            return await call_next(ctx)
        params: Mapping[str, Any] = ctx.params or {}
        if ctx.method == "completion/complete":
            return CompleteResult(completion=_completion(bounds, params))
        try:
            for uri in _watched(ctx.method, params):
                await self._check(bounds, uri)
            if ctx.method == "prompts/get":
                await self._fence.check_prompt(bounds, params.get("arguments") or {})
        except NotPermitted as error:
            raise MCPError(INVALID_REQUEST, str(error)) from error
        return await call_next(ctx)

    async def _check(self, bounds: Bounds, uri: str) -> None:
        for template, resource in self._resources:
            if (places := template.match(uri)) is not None:
                given = {resource.arguments.get(name, name): value for name, value in places.items()}
                await self._fence.check(bounds, resource.operation.name, given)
                return
        raise beyond(bounds)


def _watched(method: str, params: Mapping[str, Any]) -> Sequence[str]:
    if method == "subscriptions/listen":
        told = params.get("notifications")
        named = told.get("resourceSubscriptions") if isinstance(told, dict) else None
        return [str(one) for one in named] if isinstance(named, list) else []
    return [str(params.get("uri"))] if method == "resources/subscribe" else []


def _completion(bounds: Bounds, params: Mapping[str, Any]) -> Completion:
    ref, asked = params.get("ref") or {}, params.get("argument") or {}
    uri, name, begins = (str(one or "") for one in (ref.get("uri"), asked.get("name"), asked.get("value")))
    values = list(completed(bounds, uri, name, begins))
    return Completion(values=values, total=len(values), has_more=False)
