"""`python -m bench.tools_server PORT KIND`: one MCP tool that does nothing, ours or the SDK's own."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette

from core.app import ServiceParts, build_app
from core.auth import KeyRing
from core.observability import Metrics, configure_logging
from core.operations import Operation

KEY = "bench-key-0123456789abcdef"


class Nothing(BaseModel):
    """The answer."""

    text: str


async def noop(text: str) -> Nothing:
    """Give the text back."""
    return Nothing(text=text)


def bare() -> Starlette:
    """The SDK's server alone."""
    server = MCPServer("bare", log_level="WARNING")
    server.tool()(noop)
    return server.streamable_http_app(stateless_http=True)


def ours() -> Starlette:
    """The tool as every service of ours serves it: with key, guard and metrics."""

    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    async def empty() -> Mapping[str, Any]:
        return {}

    return build_app(
        ServiceParts(
            name="bench",
            title="Bench",
            instructions="",
            operations=[Operation("noop", "Nothing", "POST", "/api/noop", noop, "read")],
            keys=KeyRing.parse(SecretStr(f"bench={KEY}")),
            metrics=Metrics(),
            health=empty,
            info=empty,
            lifespan=nothing,
        )
    )


if __name__ == "__main__":
    configure_logging("bench", level="INFO", console=False, secrets=[KEY])
    app = {"bare": bare, "ours": ours}[sys.argv[2]]()
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
