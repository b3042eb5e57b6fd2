"""`eldoleado bridge`: a server of ours at an HTTP address, over stdio, for clients that only start programs.

The server knows its caller by the key. What a call asks of the person at the client (elicitation) does not
cross: the server asks in words, as it does with every client that cannot be asked.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from core.settings import load_one
from launcher.errors import HubAway
from launcher.settings import BridgeSettings

#: wait_for_turn holds for 50 s at most.
_CALL_SECONDS = 60.0

Page = PaginatedRequestParams | None


def main() -> int:
    """Until stdin ends."""
    settings = load_one(BridgeSettings)
    try:
        asyncio.run(_serve(settings))
    except MCPError as error:
        sys.stderr.write(f"eldoleado: {error.error.message.rstrip('.')}. Check HUB_URL and HUB_API_KEY.\n")
        return HubAway.exit_code
    return 0


async def _serve(settings: BridgeSettings) -> None:
    line = _Line(settings)
    async with line.open() as hub:
        server = _Bridge(line, hub).server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


class _Line:
    """A connection for each request: a restart of the server behind costs nobody the one on stdio."""

    def __init__(self, settings: BridgeSettings) -> None:
        self._url = settings.hub_url
        self._headers = {"Authorization": f"Bearer {settings.hub_api_key.get_secret_value()}"}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Client]:
        """MCPError: what the server answered, or that it does not."""
        try:
            async with (
                httpx2.AsyncClient(headers=self._headers, timeout=_CALL_SECONDS) as http,
                Client(streamable_http_client(self._url, http_client=http)) as client,
            ):
                yield client
        except (httpx2.HTTPError, BaseExceptionGroup) as error:
            raise self._meaning(error) from error

    def _meaning(self, error: BaseException) -> BaseException:
        """One plain error instead of the nest in which the transport's come."""
        leaves = _leaves(error)
        if not all(isinstance(leaf, MCPError | httpx2.HTTPError) for leaf in leaves):
            return error
        answered = next((leaf for leaf in leaves if isinstance(leaf, MCPError)), None)
        cause = str(leaves[0]) or type(leaves[0]).__name__
        said = f"{self._url} cannot be reached ({cause}). Try again later."
        return answered or MCPError(INTERNAL_ERROR, said)


class _Bridge:
    """Every request goes on to the server behind, and its answer back."""

    def __init__(self, line: _Line, met: Client) -> None:
        self._line = line
        self._has, self._about, self._says = met.server_capabilities, met.server_info, met.instructions

    def server(self) -> "Server[Any]":
        """What the server behind has, under its name."""
        resources = {
            "on_list_resources": self._resources,
            "on_list_resource_templates": self._templates,
            "on_read_resource": self._read,
        }
        prompts = {"on_list_prompts": self._prompts, "on_get_prompt": self._prompt}
        more: dict[str, Any] = (resources if self._has.resources else {}) | (
            prompts if self._has.prompts else {}
        )
        if self._has.completions:
            more["on_completion"] = self._complete
        return Server(
            self._about.name if self._about else "eldoleado",
            title=self._about.title if self._about else None,
            version=self._about.version if self._about else "",
            instructions=self._says,
            on_list_tools=self._tools,
            on_call_tool=self._call,
            **more,
        )

    async def _tools(self, _: Any, page: Page) -> ListToolsResult:
        async with self._line.open() as hub:
            return await hub.list_tools(cursor=_cursor(page))

    async def _call(self, _: Any, asked: CallToolRequestParams) -> CallToolResult:
        async with self._line.open() as hub:
            return await hub.call_tool(asked.name, asked.arguments, _CALL_SECONDS)

    async def _resources(self, _: Any, page: Page) -> ListResourcesResult:
        async with self._line.open() as hub:
            return await hub.list_resources(cursor=_cursor(page))

    async def _templates(self, _: Any, page: Page) -> ListResourceTemplatesResult:
        async with self._line.open() as hub:
            return await hub.list_resource_templates(cursor=_cursor(page))

    async def _read(self, _: Any, asked: ReadResourceRequestParams) -> ReadResourceResult:
        async with self._line.open() as hub:
            return await hub.read_resource(str(asked.uri))

    async def _prompts(self, _: Any, page: Page) -> ListPromptsResult:
        async with self._line.open() as hub:
            return await hub.list_prompts(cursor=_cursor(page))

    async def _prompt(self, _: Any, asked: GetPromptRequestParams) -> GetPromptResult:
        async with self._line.open() as hub:
            return await hub.get_prompt(asked.name, asked.arguments)

    async def _complete(self, _: Any, asked: CompleteRequestParams) -> CompleteResult:
        argument = {"name": asked.argument.name, "value": asked.argument.value}
        known = asked.context.arguments if asked.context else None
        async with self._line.open() as hub:
            return await hub.complete(asked.ref, argument, known)


def _cursor(page: Page) -> str | None:
    return page.cursor if page else None


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


if __name__ == "__main__":
    sys.exit(main())
