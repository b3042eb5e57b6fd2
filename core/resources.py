"""MCP resources of a service: what may be read, and watched, under a URI. Made from operations, like tools.

A resource is an operation that only reads, under a second name: `inbox://turns`, `chat://{chat_id}`. The
`{placeholders}` are its arguments. Its REST route and its words are the operation's own.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import FunctionResource
from pydantic import ValidationError

from core.errors import ChannelError, NotFound
from core.observability import Metrics
from core.operations import Operation
from core.tools import answered

_MIME = "application/json"
_PLACEHOLDER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class ResourceOf:
    """The answer of `operation`, as JSON, under `uri`."""

    uri: str
    operation: Operation


def add_resources(server: MCPServer, resources: Sequence[ResourceOf], metrics: Metrics) -> None:
    """Register every one, as a resource or as a template when its URI has placeholders."""
    for one in resources:
        operation, read = one.operation, _reader(one, metrics)
        if "{" in one.uri:
            server.resource(one.uri, title=operation.title, mime_type=_MIME)(read)
        else:
            made = FunctionResource.from_function(read, one.uri, title=operation.title, mime_type=_MIME)
            server.add_resource(made)


def _reader(resource: ResourceOf, metrics: Metrics) -> Callable[..., Any]:
    operation = resource.operation

    async def read(**given: Any) -> str:
        outcome = "error"
        try:
            text, _ = answered(await operation.call(given))
            outcome = "ok"
        except NotFound as error:
            raise ResourceNotFoundError(str(error)) from error
        except ChannelError as error:
            raise ResourceError(str(error)) from error
        except ValidationError as error:
            raise ResourceError(f"invalid_arguments: {', '.join(_names(error))}") from error
        finally:
            metrics.requests.labels(f"resource:{operation.name}", outcome).inc()
        return text

    read.__name__, read.__doc__ = operation.name, operation.description
    # What stands in a URI is text; the operation reads it as what it takes.
    names = _PLACEHOLDER.findall(resource.uri)
    given = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=str) for name in names]
    read.__signature__ = inspect.Signature(given, return_annotation=str)  # type: ignore[attr-defined]  # read by inspect
    read.__annotations__ = dict.fromkeys((*names, "return"), str)
    return read


def _names(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
