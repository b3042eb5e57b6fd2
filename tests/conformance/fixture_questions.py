"""Tools and a prompt of the conformance suite that ask first: in their answer, or back to the client."""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

from tests.conformance.fixture_reading import said

Asked = str | InputRequiredResult


def ask(words: str, **fields: str) -> ElicitRequest:
    """A form with these fields, name -> JSON type."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in fields.items()},
        "required": list(fields),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=words, requested_schema=schema))


def sample(words: str) -> CreateMessageRequest:
    """Words for the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=words))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def answered(ctx: Context[Any], name: str) -> dict[str, Any]:
    """The filled-in form of that name, {} before it came."""
    answer = (ctx.input_responses or {}).get(name)
    return dict(answer.content or {}) if isinstance(answer, ElicitResult) else {}


def required(state: str = "", **requests: InputRequest) -> InputRequiredResult:
    """An answer that asks; `state` comes back with what the client says."""
    return InputRequiredResult(input_requests=requests, request_state=state or None)


async def test_input_required_result_elicitation(ctx: Context[Any]) -> Asked:
    """A form."""
    if form := answered(ctx, "user_name"):
        return f"Hello, {form.get('name')}!"
    return required(user_name=ask("What is your name?", name="string"))


async def test_input_required_result_sampling(ctx: Context[Any]) -> Asked:
    """A question to the model."""
    if "capital_question" in (ctx.input_responses or {}):
        return "The model has answered."
    return required(capital_question=sample("What is the capital of France?"))


async def test_input_required_result_list_roots(ctx: Context[Any]) -> Asked:
    """Folders."""
    if "client_roots" in (ctx.input_responses or {}):
        return "The client has named its folders."
    return required(client_roots=ListRootsRequest())


async def test_input_required_result_request_state(ctx: Context[Any]) -> Asked:
    """What we said comes back with the answer."""
    if answered(ctx, "confirm") and ctx.request_state == "asked":
        return "state-ok: confirmation received"
    return required("asked", confirm=ask("Please confirm", ok="boolean"))


async def test_input_required_result_multiple_inputs(ctx: Context[Any]) -> Asked:
    """Three at once."""
    wanted = {"user_name", "greeting", "client_roots"}
    if wanted <= (ctx.input_responses or {}).keys():
        return "All inputs received."
    return required(
        "three",
        user_name=ask("What is your name?", name="string"),
        greeting=sample("Generate a greeting"),
        client_roots=ListRootsRequest(),
    )


async def test_input_required_result_multi_round(ctx: Context[Any]) -> Asked:
    """Three rounds."""
    state = json.loads(ctx.request_state or "{}")
    if first := answered(ctx, "step1"):
        second = json.dumps({"name": first.get("name")})
        return required(second, step2=ask("Step 2: What is your favorite color?", color="string"))
    if "name" in state and (last := answered(ctx, "step2")):
        return f"{state['name']} likes {last.get('color')}."
    return required(json.dumps({}), step1=ask("Step 1: What is your name?", name="string"))


async def test_input_required_result_tampered_state(ctx: Context[Any]) -> Asked:
    """State that somebody changed never arrives here."""
    if ctx.request_state is None:
        return required("untouched", confirm=ask("Please confirm", ok="boolean"))
    return f"state-ok: {ctx.request_state}"


async def test_input_required_result_capabilities(ctx: Context[Any]) -> InputRequiredResult:
    """Only what this client can."""
    able = ctx.client_capabilities
    requests: dict[str, InputRequest] = {}
    if able is None or able.sampling is not None:
        requests["sample"] = sample("Say hello")
    if able is None or able.elicitation is not None:
        requests["ask"] = ask("What is your name?", name="string")
    return required("able", **requests)


async def test_input_required_result_prompt(ctx: Context[Any]) -> list[UserMessage] | InputRequiredResult:
    """A prompt that asks."""
    if form := answered(ctx, "user_context"):
        return [said(f"Use the following context: {form.get('context')}")]
    return required(user_context=ask("What context should the prompt use?", context="string"))


class Reply(BaseModel):
    """One answer."""

    response: str


class Defaults(BaseModel):
    """A value for every kind of field."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = "active"
    verified: bool = True


class Choices(BaseModel):
    """A choice of every kind."""

    untitledSingle: Annotated[str, Field(json_schema_extra={"enum": ["a", "b"]})]  # noqa: N815  # the suite's words


async def test_sampling(prompt: str, ctx: Context[Any]) -> str:
    """Ask back on the same connection: what a stateless server of 2025 cannot."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    result = await ctx.session.create_message(
        messages=[message], max_tokens=100, related_request_id=ctx.request_id
    )
    return f"LLM response: {result.content.text if isinstance(result.content, TextContent) else ''}"


async def test_elicitation(message: str, ctx: Context[Any]) -> str:
    """The same with a form."""
    return f"User response: {await ctx.elicit(message, Reply)}"


async def test_elicitation_sep1034_defaults(ctx: Context[Any]) -> str:
    """The same with values to begin with."""
    return f"Elicitation completed: {await ctx.elicit('Please provide user information', Defaults)}"


async def test_elicitation_sep1330_enums(ctx: Context[Any]) -> str:
    """The same with choices."""
    return f"Elicitation completed: {await ctx.elicit('Please select', Choices)}"


TOOLS: Sequence[Callable[..., Any]] = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_tampered_state,
    test_input_required_result_capabilities,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
)
PROMPTS: Sequence[Callable[..., Any]] = (test_input_required_result_prompt,)
