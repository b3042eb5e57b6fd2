"""completion/complete: what may stand in the places of a template, or as an argument of a prompt."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp import MCPError
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    PromptReference,
)

from core.errors import ERRORS, ChannelError
from core.observability import Metrics

MOST_VALUES = 100
#: What a completer asks its source for: one more tells that there are more.
ASKED = MOST_VALUES + 1


@dataclass(frozen=True, slots=True)
class Found:
    """Values that begin as asked; `more`: there are others beside them."""

    values: Sequence[str]
    more: bool = False


#: Given the beginning of a value and what stands in the other places. Raises a ChannelError.
Completer = Callable[[str, Mapping[str, str]], Awaitable[Found]]
#: {argument: completer}
Completers = Mapping[str, Completer]


def one_of(*values: str) -> Completer:
    """A completer for the few values that there are."""

    async def complete(begins: str, _: Mapping[str, str]) -> Found:
        return Found([value for value in values if value.startswith(begins)])

    return complete


def add_completion(server: MCPServer, completed: Mapping[str, Completers], metrics: Metrics) -> None:
    """Complete the arguments of these {template or name of a prompt}.

    Whoever completed before us is asked for all others: a server has one completion.
    """
    lowlevel = server._lowlevel_server  # noqa: SLF001  # MCPServer's decorator hides the request
    before = lowlevel.get_request_handler("completion/complete")

    async def complete(ctx: ServerRequestContext[Any, Any], params: CompleteRequestParams) -> HandlerResult:
        ref = params.ref
        name = ref.name if isinstance(ref, PromptReference) else ref.uri
        if name not in completed and before is not None:
            return await before.handler(ctx, params)
        outcome = "error"
        try:
            completer = _completer(name, params.argument.name, completed)
            given = (params.context.arguments if params.context else None) or {}
            answer = CompleteResult(completion=_told(await completer(params.argument.value, given)))
            outcome = "ok"
        except ChannelError as error:
            said = error.kind().text(error.detail, error.retry_after)
            raise MCPError(code=INTERNAL_ERROR, message=said) from error
        finally:
            metrics.requests.labels("completion", outcome).inc()
        return answer

    lowlevel.add_request_handler("completion/complete", CompleteRequestParams, complete)


def _completer(name: str, argument: str, completed: Mapping[str, Completers]) -> Completer:
    if name not in completed:
        raise _refused(f"There is no template or prompt {name[:80]!r}.", completed)
    if argument not in completed[name]:
        raise _refused(f"{name} has no argument {argument[:80]!r}.", completed[name])
    return completed[name][argument]


def _refused(fact: str, known: Mapping[str, object]) -> MCPError:
    said = ERRORS["invalid_arguments"].text(f"{fact} There are: {', '.join(known)}")
    return MCPError(code=INVALID_PARAMS, message=said)


def _told(found: Found) -> Completion:
    """How many there are in all is told only when we know it."""
    more = found.more or len(found.values) > MOST_VALUES
    return Completion(
        values=list(found.values[:MOST_VALUES]), total=None if more else len(found.values), has_more=more
    )
