"""Resources, prompts and completion of the conformance suite, and the requests that only old clients send."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    EmptyResult,
    PromptReference,
    ResourceTemplateReference,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    UnsubscribeRequestParams,
)

from tests.conformance.fixture_tools import WATCHED, embedded, image, red_pixel


def said(text: str) -> UserMessage:
    """Words of the user."""
    return UserMessage(role="user", content=TextContent(type="text", text=text))


async def test_simple_prompt() -> list[UserMessage]:
    """Without arguments."""
    return [said("This is a simple prompt for testing.")]


async def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """With two."""
    return [said(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]


async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  # the suite's word
    """With a text in it."""
    text = embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(role="user", content=text), said("Please process the embedded resource above.")]


async def test_prompt_with_image() -> list[UserMessage]:
    """With an image in it."""
    return [UserMessage(role="user", content=image()), said("Please analyze the image above.")]


PROMPTS: Sequence[Callable[..., Any]] = (
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
)


def add_reading(server: MCPServer) -> None:
    """Resources of every kind, and completion."""

    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return red_pixel()

    @server.resource(WATCHED, mime_type="text/plain")
    def watched() -> str:
        return "Watched resource content"

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.completion()  # type: ignore[no-untyped-call,untyped-decorator]  # the SDK's has no types
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        return Completion(values=["paris", "park", "party"], total=3, has_more=False)


def add_legacy_requests(server: MCPServer) -> None:
    """What clients of 2025 ask; a stateless server takes note of nothing."""

    async def heard(_: ServerRequestContext[Any, Any], __: Any) -> EmptyResult:
        return EmptyResult()

    asked: dict[str, type[Any]] = {
        "logging/setLevel": SetLevelRequestParams,
        "resources/subscribe": SubscribeRequestParams,
        "resources/unsubscribe": UnsubscribeRequestParams,
    }
    for method, params in asked.items():
        server._lowlevel_server.add_request_handler(method, params, heard)
