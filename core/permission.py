"""Who may do what. Every call of an operation passes here, as a tool, a resource or a REST route alike.

A caller's mode bounds what it may do to the world, its scopes name the work it may do (core/auth.py). The
risk of an operation and the scope it needs stand with it (core/operations.py). Nobody is shown what
they may not use. What a guarded caller must have a yes for takes a confirm_token beside its own arguments.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Protocol, runtime_checkable

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.types import INVALID_REQUEST, Resource, ResourceTemplate, Tool
from mcp.types import Prompt as McpPrompt
from pydantic import BaseModel, Field
from starlette import types as asgi

from core.audit import NO_AUDIT, Audit, is_written_down, written_down
from core.auth import Caller, caller_now
from core.call import Call
from core.confirmation import consent, question
from core.errors import Declined, NotPermitted
from core.fence import NO_FENCE, Fence
from core.operations import READING, Operation, Risk
from core.problems import from_channel_error
from core.prompts import PromptOf
from core.rehearsal import DRY_RUN, DryRun
from core.resources import ResourceOf

#: What a guarded caller confirms first; a send only where the customer has not written first.
CONFIRMED: frozenset[Risk] = frozenset({"redirect", "send", "bulk", "delete", "erase"})

#: Asked before a guarded caller's operation of such a risk runs, with the confirm_token that came with the
#: call; raises to stop.
Confirm = Callable[[Call, str], Awaitable[None]]


@runtime_checkable
class KnowsAnswers(Protocol):
    """A Confirm that tells a person's yes within a call from the same one sent again."""

    async def is_new(self, given: Mapping[str, Any]) -> bool: ...


_TOKEN = inspect.Parameter(
    "confirm_token",
    inspect.Parameter.KEYWORD_ONLY,
    default="",
    annotation=Annotated[
        str,
        Field(max_length=100, description="From confirmation_required, after a yes", examples=["176.9f.x"]),
    ],
)

#: Requests of MCP that show what is kept, beside the tools.
LOOKING = frozenset(
    {
        "resources/read",
        "resources/subscribe",
        "subscriptions/listen",
        "prompts/get",
        "completion/complete",
    }
)


async def unconfirmed(_: Call, __: str) -> None:
    """Guarded callers are not asked."""


def refusal(caller: Caller, operation: Operation) -> str:
    """Why this caller may not use it; "" when it may."""
    if caller.mode == "read_only" and operation.risk not in READING:
        return f"{operation.name} changes something, and the key of {caller.name} is read_only."
    return _lacks(caller, operation.scope, operation.name)


def _lacks(caller: Caller, scope: str, what: str) -> str:
    if scope in caller.scopes:
        return ""
    has = ", ".join(sorted(caller.scopes))
    return f"{what} needs the scope {scope}, and the key of {caller.name} has {has}."


def permitting(
    operation: Operation, confirm: Confirm, fence: Fence = NO_FENCE, audit: Audit = NO_AUDIT
) -> Operation:
    """The same operation; it runs for those who may use it."""
    door = _Door(operation, confirm, fence, audit)
    asks = confirm is not unconfirmed and operation.risk in CONFIRMED
    further = [*([_TOKEN] if asks else []), *([DRY_RUN] if operation.rehearse else [])]
    made = operation.carried_out_by(door.run, *further)
    return replace(made, question=door.question) if asks else made


class _Door:
    """Of one operation."""

    def __init__(self, operation: Operation, confirm: Confirm, fence: Fence, audit: Audit) -> None:
        self._operation = operation
        self._confirm = confirm
        self._fence = fence
        self._audit = audit

    async def run(self, *, confirm_token: str = "", dry_run: bool = False, **given: Any) -> BaseModel:
        """Refuse it, rehearse it, have it confirmed, or carry it out; and write down what became of it."""
        call = Call(caller_now(), self._operation, given)
        passed = partial(self._passed, call, confirm_token, dry_run=dry_run)
        if not is_written_down(self._operation):
            return await passed()
        return await written_down(self._audit, call, passed)

    async def _passed(self, call: Call, confirm_token: str, *, dry_run: bool) -> BaseModel:
        caller, given = call.caller, call.given
        if why := refusal(caller, self._operation):
            raise NotPermitted(why)
        if caller.bounds is not None:
            await self._fence.check(caller.bounds, self._operation.name, given)
        if dry_run and self._operation.rehearse is not None:
            return DryRun(dry_run=await self._operation.rehearse(**given))
        said = consent()
        if said is False:
            raise Declined
        agreed = said is not None and await self._is_new(given)
        if not agreed and await self._waits(caller, given):
            await self._confirm(call, confirm_token)
        return await self._operation.run(**given)

    async def question(self, given: Mapping[str, Any]) -> str:
        """What a person is to be asked; a call that brings its token asks nothing."""
        own = {name: value for name, value in given.items() if name not in (_TOKEN.name, DRY_RUN.name)}
        caller = caller_now()
        if given[_TOKEN.name] or given.get(DRY_RUN.name) or refusal(caller, self._operation):
            return ""
        if await self._is_beyond(caller, own) or not await self._waits(caller, own):
            return ""
        return question(self._operation, own)

    async def _is_beyond(self, caller: Caller, given: Mapping[str, Any]) -> bool:
        """Then nothing is asked, since a question would tell of it: the call itself is refused."""
        if caller.bounds is None:
            return False
        try:
            await self._fence.check(caller.bounds, self._operation.name, given)
        except NotPermitted:
            return True
        return False

    async def _is_new(self, given: Mapping[str, Any]) -> bool:
        """Whether a person's yes is good for this call."""
        return not isinstance(self._confirm, KnowsAnswers) or await self._confirm.is_new(given)

    async def _waits(self, caller: Caller, given: Mapping[str, Any]) -> bool:
        """Whether this call needs a yes."""
        risk, answers = self._operation.risk, self._operation.answers
        if caller.mode != "guarded" or risk not in CONFIRMED:
            return False
        return risk != "send" or answers is None or not await answers(given)


def permitting_resource(resource: ResourceOf, confirm: Confirm, fence: Fence = NO_FENCE) -> ResourceOf:
    """The same for what is read under a URI."""
    return replace(resource, operation=permitting(resource.operation, confirm, fence))


async def lookers_only(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware of MCP: what shows or watches anything needs the scope to read."""
    if ctx.method in LOOKING and (why := _lacks(caller_now(), "read", ctx.method)):
        raise MCPError(INVALID_REQUEST, str(NotPermitted(why)))
    return await call_next(ctx)


class LookersOnly:
    """ASGI, inside of RequireKey: a route that is no operation and shows what is kept."""

    def __init__(self, app: asgi.ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if why := _lacks(caller_now(), "read", scope["path"]):
            await from_channel_error(NotPermitted(why))(scope, receive, send)
            return
        await self._app(scope, receive, send)


class PermittingServer(MCPServer):
    """Lists to each caller what that caller may use; tools and resources of other makes to everybody."""

    _known: Mapping[str, Operation] = {}
    _fence: Fence = NO_FENCE

    def knows(
        self, operations: Sequence[Operation], prompts: Sequence[PromptOf] = (), *, fence: Fence = NO_FENCE
    ) -> None:
        """The operations behind its tools and resources, which have their names, and behind its prompts."""
        shown = {prompt.name: prompt.shows.operation for prompt in prompts}
        self._known = {operation.name: operation for operation in operations} | shown
        self._fence = fence

    async def list_tools(self) -> list[Tool]:
        """Called by the SDK for every tools/list."""
        return [one for one in await super().list_tools() if self._shows(one.name)]

    async def list_resources(self) -> list[Resource]:
        """Called by the SDK for every resources/list."""
        return [one for one in await super().list_resources() if self._shows(one.name)]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """Called by the SDK for every resources/templates/list."""
        return [one for one in await super().list_resource_templates() if self._shows(one.name)]

    async def list_prompts(self) -> list[McpPrompt]:
        """Called by the SDK for every prompts/list."""
        return [one for one in await super().list_prompts() if self._shows(one.name)]

    def _shows(self, name: str) -> bool:
        operation = self._known.get(name)
        if operation is None:
            return True
        caller = caller_now()
        within = caller.bounds is None or self._fence.opens(operation.name)
        return within and not refusal(caller, operation)
