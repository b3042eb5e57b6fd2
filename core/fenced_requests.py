"""What else of MCP a token of one appeal opens: what it may watch, have completed and be prompted with."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    ResourceTemplateReference,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
)
from pydantic import BaseModel

from core.auth import Bounds, bounds_now
from core.errors import ChannelError, NotPermitted
from core.fence import Fence, beyond, completed
from core.resources import ResourceOf

P = TypeVar("P", bound=BaseModel)


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
            return CompleteResult(completion=_completion(bounds, _read(CompleteRequestParams, params)))
        try:
            for uri in _watched(ctx.method, params):
                await self._check(bounds, uri)
            if ctx.method == "prompts/get":
                asked = _read(GetPromptRequestParams, params)
                await self._fence.check_prompt(bounds, asked.arguments or {})
        except NotPermitted as error:
            raise MCPError(INVALID_REQUEST, str(error)) from error
        except ChannelError as error:
            text = error.kind().text(error.detail, error.retry_after)
            raise MCPError(INTERNAL_ERROR, text) from error
        return await call_next(ctx)

    async def _check(self, bounds: Bounds, uri: str) -> None:
        for template, resource in self._resources:
            if (places := template.match(uri)) is not None:
                given = {resource.arguments.get(name, name): value for name, value in places.items()}
                await self._fence.check(bounds, resource.operation.name, given)
                return
        raise beyond(bounds)


def _read(model: type[P], params: Mapping[str, Any]) -> P:
    """As the SDK reads it; it answers a ValidationError itself, and here nothing else was let through."""
    return model.model_validate(params, by_name=False)


def _watched(method: str, params: Mapping[str, Any]) -> Sequence[str]:
    if method == "subscriptions/listen":
        return _read(SubscriptionsListenRequestParams, params).notifications.resource_subscriptions or ()
    return [_read(SubscribeRequestParams, params).uri] if method == "resources/subscribe" else []


def _completion(bounds: Bounds, params: CompleteRequestParams) -> Completion:
    uri = params.ref.uri if isinstance(params.ref, ResourceTemplateReference) else ""
    values = list(completed(bounds, uri, params.argument.name, params.argument.value))
    return Completion(values=values, total=len(values), has_more=False)
