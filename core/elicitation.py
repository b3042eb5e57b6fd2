"""Asking the person at the client's side within a call, where the client can show them a question.

The SDK asks and hides the answer from the model: within the answer of one round in 2026-07-28, as a request
back to the client on a connection of an older age. A stateless server does not hear what an older client can.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, Resolve
from pydantic import BaseModel, Field

from core.confirmation import said, within_round
from core.errors import ChannelError
from core.operations import Operation, Question

CONSENT = "consent"


class Yes(BaseModel):
    """A person's answer."""

    yes: bool = Field(description="Do exactly this?")


async def remember_round(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware of MCP, outside of what opens the state of a round: sealed, it is another one each time."""
    with within_round(str((ctx.params or {}).get("requestState") or "")):
        return await call_next(ctx)


def add_question(call: Callable[..., Any], operation: Operation) -> list[inspect.Parameter]:
    """The parameter of `call` that the SDK fills with the answer; none when nothing is to be asked."""
    if operation.question is None:
        return []
    asked = Annotated[ElicitationResult[Yes], Resolve(_asker(operation, operation.question))]
    call.__annotations__[CONSENT] = asked
    return [inspect.Parameter(CONSENT, inspect.Parameter.KEYWORD_ONLY, annotation=asked)]


def consenting(consent: Any) -> AbstractContextManager[None]:
    """What is called inside knows what a person said, unless nobody was asked."""
    if consent is None or (isinstance(consent, AcceptedElicitation) and consent.data is None):
        return nullcontext()
    return said(yes=isinstance(consent, AcceptedElicitation) and consent.data.yes)


def _asker(operation: Operation, question: Question) -> Callable[..., Any]:
    async def ask(ctx: Context[Any], **given: Any) -> Elicit[Yes] | None:
        return await _asked(ctx, question, given)

    [ctx, _] = inspect.signature(ask).parameters.values()
    given = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in operation.signature.parameters
    ]
    ask.__signature__ = inspect.Signature([ctx, *given])  # type: ignore[attr-defined]  # read by inspect
    return ask


async def _asked(ctx: Context[Any], question: Question, given: Mapping[str, Any]) -> Elicit[Yes] | None:
    able = ctx.client_capabilities
    forms = able.elicitation if able is not None else None
    if forms is None or (forms.form is None and forms.url is not None):
        return None
    try:
        words = await question(given)
    except ChannelError:  # the call itself meets it, and tells
        return None
    return Elicit(words, Yes) if words else None
