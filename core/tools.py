"""The MCP tools of a service, built from its operations, and the guard in front of them."""

import difflib
import inspect
import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import structlog
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension
from mcp.types import CallToolRequestParams, CallToolResult, TextContent
from pydantic import BaseModel, ValidationError

from core.auth import caller_now
from core.elicitation import add_question, consenting
from core.error_kinds import ErrorKind
from core.errors import ERRORS, ChannelError
from core.jsontext import without_surrogates, write_json
from core.observability import Metrics
from core.operations import READING, Operation
from core.progress import progress_to
from core.untrusted import TEXT_LIMIT, clean_fields

ANSWER_LIMIT = 60_000
#: Where a program finds the code and the other members of an error, in the answer's `_meta`.
ERROR_META = "ru.eldoleado/error"
#: What is wrong with a call is told so far: a list of ten thousand may be wrong in each of its items.
_MOST_PROBLEMS = 10
#: Each text of a customer is cut to the first of these with which the whole answer fits.
_TEXT_LIMITS = (TEXT_LIMIT, 1_000, 300)


def as_tool(operation: Operation) -> Any:
    """The operation as the function that the SDK calls; an error that can be acted on is its answer."""

    async def call(consent: Any = None, **arguments: Any) -> CallToolResult:
        try:
            with consenting(consent):
                return _answer(await operation.run(**arguments))
        except ChannelError as error:
            return _refused(error.kind(), error.detail, error.retry_after, error.beside)

    returned = Annotated[CallToolResult, operation.result]
    call.__name__ = operation.name
    parameters = [*operation.signature.parameters.values(), *add_question(call, operation)]
    call.__signature__ = inspect.Signature(parameters, return_annotation=returned)  # type: ignore[attr-defined]  # read by inspect
    return call


def _answer(result: BaseModel) -> CallToolResult:
    """The same facts as text and as structure: some hosts show the model only one of them."""
    text, shown = answered(result)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=shown)


def answered(result: BaseModel) -> tuple[str, dict[str, Any]]:
    """What a model is shown of an answer, as JSON and as its parts: customers' words cleaned and cut."""
    facts = result.model_dump(mode="json")
    for limit in _TEXT_LIMITS:
        shown: dict[str, Any] = clean_fields(facts, limit)
        text = write_json(shown)
        if len(text) <= ANSWER_LIMIT:
            break
    return text, shown


def _refused(
    kind: ErrorKind,
    fact: str,
    retry_after: float | None = None,
    beside: Mapping[str, Any] = MappingProxyType({}),
) -> CallToolResult:
    """An error as words for the model, and as members for programs.

    The members are no structured content: the TypeScript SDK's clients check that against the output schema,
    also in an error, and would show their own complaint instead.
    """
    text = without_surrogates(kind.text(fact, retry_after))
    told = {ERROR_META: kind.members(retry_after) | dict(beside)}
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True, _meta=told)


class ToolGuard(Extension):
    """Refuses unknown tools and arguments by name, shortens errors, caps answers, counts and logs calls.

    `hidden` are operations that are no tools here: who asks for one is told where it is.
    """

    identifier = "ru.eldoleado/tool-guard"

    def __init__(
        self, operations: Sequence[Operation], metrics: Metrics, *, hidden: Sequence[Operation] = ()
    ) -> None:
        self._operations = {operation.name: operation for operation in operations}
        self._hidden = {operation.name: operation for operation in hidden}
        self._metrics = metrics
        self._log = structlog.get_logger()
        self._beside: frozenset[str] = frozenset()

    def let_pass(self, names: Collection[str]) -> None:
        """Tools of these names are no operations of ours: their arguments are left to the SDK."""
        self._beside |= frozenset(names)

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Called by the SDK around every tools/call."""
        started = time.perf_counter()
        refusal = self._refusal(params)
        with progress_to(ctx.session.report_progress):
            result = refusal if refusal is not None else self._told(params.name, await call_next(ctx))
        self._note(params.name, result, time.perf_counter() - started)
        return result

    def _refusal(self, params: CallToolRequestParams) -> CallToolResult | None:
        operation = self._operations.get(params.name)
        if operation is None and params.name in self._beside:
            return None
        if operation is None:
            return self._unknown(params.name)
        try:
            operation.arguments.model_validate(params.arguments or {})
        except ValidationError as error:
            return _refused(ERRORS["invalid_arguments"], _complaint(operation, error))
        return None

    def _unknown(self, name: str) -> CallToolResult:
        hidden = self._hidden.get(name)
        if hidden is None:
            return _refused(ERRORS["unknown_tool"], f"{name[:60]!r}.{_hint(name, self._operations)}")
        kind = ERRORS["not_in_profile"] if hidden.tool else ERRORS["unknown_tool"]
        return _refused(kind, f"{name!r} is not shown here; REST has it: {hidden.method} {hidden.path}.")

    def _told(self, name: str, result: HandlerResult) -> HandlerResult:
        """The answer as the model may see it: not too long, and a crash by its code."""
        operation = self._operations.get(name)
        if operation is None or not isinstance(result, CallToolResult):
            return result
        if result.is_error and ERROR_META not in (result.meta or {}):
            return _refused(ERRORS["internal_error"], "The service failed.")
        if operation.risk in READING and (size := _size(result)) > ANSWER_LIMIT:
            return _refused(ERRORS["response_too_large"], f"{size} characters, more than {ANSWER_LIMIT}.")
        return result

    def _note(self, name: str, result: HandlerResult, seconds: float) -> None:
        known = name if name in self._operations else "unknown"
        failed = isinstance(result, CallToolResult) and bool(result.is_error)
        self._metrics.requests.labels(f"tool:{known}", "error" if failed else "ok").inc()
        caller = caller_now().name
        self._log.info("tool_called", tool=known, caller=caller, failed=failed, ms=round(seconds * 1e3, 1))


def _complaint(operation: Operation, error: ValidationError) -> str:
    known = list(inspect.signature(operation.run).parameters)
    lines = []
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    for problem in problems[:_MOST_PROBLEMS]:
        name = ".".join(str(part) for part in problem["loc"])
        hint = _hint(name, known) if problem["type"] == "extra_forbidden" else ""
        lines.append(f"{name}: {problem['msg']}.{hint}")
    if (more := len(problems) - _MOST_PROBLEMS) > 0:
        lines.append(f"And {more} more.")
    return f"nothing was done. {' '.join(lines)} Allowed: {', '.join(known)}."


def _hint(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _size(result: CallToolResult) -> int:
    return sum(len(part.text) for part in result.content if isinstance(part, TextContent))
