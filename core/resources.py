"""MCP resources of a service: what may be read, and watched, under a URI. Made from operations, like tools.

A resource is an operation that only reads, under a second name: `inbox://turns`, `appeal://{id}`. The
`{placeholders}` are its arguments. Its REST route and its words are the operation's own.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.mcpserver.resources.templates import ResourceSecurity
from pydantic import ValidationError

from core.completion import Completers
from core.errors import ERRORS, ChannelError, NotFound, ResponseTooLarge
from core.observability import Metrics
from core.operations import Operation, WrongArguments
from core.resource_uris import PLACEHOLDER, filled
from core.tools import ANSWER_LIMIT, answered

MIME = "application/json"
#: Ids are no paths: "../x", "/x" and "c:x" may be somebody's. A NUL is nobody's.
_ANY_ID = ResourceSecurity(reject_path_traversal=False, reject_absolute_paths=False)


@dataclass(frozen=True)
class ResourceOf:
    """The answer of `operation`, as JSON, under `uri`.

    `arguments` {placeholder: argument of the operation}, where they differ; `title` where the operation's
    does not tell two templates apart; `completers` {placeholder: what may stand there}.
    """

    uri: str
    operation: Operation
    arguments: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    completers: Completers = field(default_factory=dict)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """What has to be filled in; none: it is there as it stands."""
        return tuple(PLACEHOLDER.findall(self.uri))

    def filled(self, **given: str) -> str:
        """The URI with these in their places, encoded."""
        return filled(self.uri, **given)


def add_resources(server: MCPServer, resources: Sequence[ResourceOf], metrics: Metrics) -> None:
    """Register every one, as a resource or as a template when its URI has placeholders."""
    for one in resources:
        read, title = _reader(one, metrics), one.title or one.operation.title
        if one.placeholders:
            server.resource(one.uri, title=title, mime_type=MIME, security=_ANY_ID)(read)
        else:
            server.add_resource(FunctionResource.from_function(read, one.uri, title=title, mime_type=MIME))


async def text_of(resource: ResourceOf, given: Mapping[str, Any]) -> str:
    """What it says, with these in its places. Raises WrongArguments, ChannelError."""
    arguments = {resource.arguments.get(name, name): value for name, value in given.items()}
    text, _ = answered(await resource.operation.call(arguments))
    if (size := len(text)) > ANSWER_LIMIT:
        raise ResponseTooLarge(f"{size} characters, more than {ANSWER_LIMIT}.")
    return text


def _reader(resource: ResourceOf, metrics: Metrics) -> Callable[..., Any]:
    operation = resource.operation

    async def read(**given: Any) -> str:
        outcome = "error"
        try:
            text = await text_of(resource, given)
            outcome = "ok"
        except NotFound as error:
            raise ResourceNotFoundError(_said(error)) from error
        except ChannelError as error:
            raise ResourceError(_said(error)) from error
        except WrongArguments as wrong:  # under such a name there can be nothing
            raise ResourceNotFoundError(_complaint(resource, wrong.error)) from wrong
        except Exception as error:
            structlog.get_logger().exception("resource_failed", operation=operation.name)
            raise ResourceError(ERRORS["internal_error"].text("The service failed.")) from error
        finally:
            metrics.requests.labels(f"resource:{operation.name}", outcome).inc()
        return text

    read.__name__, read.__doc__ = operation.name, operation.description
    # What stands in a URI is text; the operation reads it as what it takes.
    names = resource.placeholders
    given = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=str) for name in names]
    read.__signature__ = inspect.Signature(given, return_annotation=str)  # type: ignore[attr-defined]  # read by inspect
    read.__annotations__ = dict.fromkeys((*names, "return"), str)
    return read


def _said(error: ChannelError) -> str:
    return error.kind().text(error.detail, error.retry_after)


def _complaint(resource: ResourceOf, error: ValidationError) -> str:
    """What is wrong, by the names that stand in the template."""
    shown = {argument: name for name, argument in resource.arguments.items()}
    wrong = [
        f"{'.'.join(shown.get(str(part), str(part)) for part in one['loc'])}: {one['msg']}"
        for one in error.errors(include_url=False)
    ]
    return ERRORS["invalid_arguments"].text(f"{', '.join(wrong)}, in {resource.uri}")
