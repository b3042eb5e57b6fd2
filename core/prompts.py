"""MCP prompts of a service: a task in our own words, and the facts of the moment as a resource beside it.

What customers wrote is in the resource only, under fields that end in _untrusted. The words of the task are
fixed: nothing goes into them but an id that has been checked.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts.base import Message, Prompt, PromptArgument, UserMessage
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, EmbeddedResource, TextResourceContents
from pydantic import BaseModel, create_model

from core.completion import Completer, Completers, one_of
from core.errors import ERRORS, ChannelError, NotFound
from core.observability import Metrics
from core.operations import Arguments, WrongArguments, checked
from core.resources import MIME, ResourceOf, text_of

Language = Literal["en", "ru"]


@dataclass(frozen=True)
class PromptOf:
    """A task about one thing, which `argument` (of the annotated type `kind`) names.

    `words` {language: the task}, where {id} stands for the argument. `shows` is what is put beside it, and
    `places` fills in its URI from the argument; raises a ChannelError.
    """

    name: str
    title: str
    description: str
    argument: str
    kind: Any
    words: Mapping[Language, str]
    shows: ResourceOf
    places: Callable[[str], Awaitable[Mapping[str, str]]]
    completer: Completer

    @property
    def completers(self) -> Completers:
        """Of both arguments."""
        return {self.argument: self.completer, "language": one_of(*get_args(Language))}

    @property
    def arguments(self) -> type[BaseModel]:
        """The model that a request must satisfy."""
        fields: dict[str, Any] = {self.argument: (self.kind, ...), "language": (Language, "en")}
        return create_model(f"{self.name}_arguments", __base__=Arguments, **fields)

    async def messages(self, given: Mapping[str, Any]) -> list[Message]:
        """The task and the resource. Raises WrongArguments, ChannelError."""
        asked = checked(self.arguments, given).model_dump()
        words = self.words[asked["language"]].replace("{id}", asked[self.argument])
        places = await self.places(asked[self.argument])
        shown = TextResourceContents(
            uri=self.shows.filled(**places), mime_type=MIME, text=await text_of(self.shows, places)
        )
        return [UserMessage(words), UserMessage(EmbeddedResource(type="resource", resource=shown))]


def add_prompts(server: MCPServer, prompts: Sequence[PromptOf], metrics: Metrics) -> None:
    """Register every one."""
    for one in prompts:
        told = one.kind.__metadata__[0].description
        server.add_prompt(
            _Checked(
                name=one.name,
                title=one.title,
                description=one.description,
                arguments=[
                    PromptArgument(name=one.argument, description=told, required=True),
                    PromptArgument(name="language", description="en or ru; en when left out", required=False),
                ],
                fn=_renderer(one, metrics),
                context_kwarg=None,
            )
        )
    server.middleware.append(_KnownOnly(server))


class _Checked(Prompt):
    """Its function checks the arguments and says what is wrong, which the SDK hides."""

    async def render(self, arguments: dict[str, Any] | None, context: Any) -> list[Message]:
        messages: list[Message] = await self.fn(arguments or {})  # type: ignore[misc]  # of _renderer
        return messages


@dataclass(frozen=True)
class _KnownOnly:
    """Middleware of MCP: an unknown name is a wrong argument, not a failure of ours."""

    server: MCPServer = field(repr=False)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "prompts/get":
            name = str((ctx.params or {}).get("name", ""))
            known = [one.name for one in await self.server.list_prompts()]
            if name not in known:
                there_are = f"There is no prompt {name[:80]!r}. There are: {', '.join(known) or 'none'}"
                raise MCPError(code=INVALID_PARAMS, message=ERRORS["invalid_arguments"].text(there_are))
        return await call_next(ctx)


def _renderer(prompt: PromptOf, metrics: Metrics) -> Callable[[dict[str, Any]], Awaitable[list[Message]]]:
    async def render(given: dict[str, Any]) -> list[Message]:
        outcome = "error"
        try:
            messages = await prompt.messages(given)
            outcome = "ok"
        except WrongArguments as refused:
            errors = refused.error.errors()
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors)
            said = ERRORS["invalid_arguments"].text(
                f"{prompt.name} takes {', '.join(prompt.completers)}. {wrong}"
            )
            raise MCPError(code=INVALID_PARAMS, message=said) from refused
        except ChannelError as error:
            code = INVALID_PARAMS if isinstance(error, NotFound) else INTERNAL_ERROR
            said = error.kind().text(error.detail, error.retry_after)
            raise MCPError(code=code, message=said) from error
        finally:
            metrics.requests.labels(f"prompt:{prompt.name}", outcome).inc()
        return messages

    return render
