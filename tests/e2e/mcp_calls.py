"""What the tests ask of a service as an MCP client."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.system import System

Age = Literal["auto", "legacy"]


@asynccontextmanager
async def client(system: System, name: str, *, age: Age = "auto") -> AsyncIterator[Client]:
    """Connected to /mcp of a service, with a key."""
    headers = {"Authorization": f"Bearer {system.keys['agent']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{system.url(name)}/mcp", http_client=http)
        async with Client(transport, mode=age) as connected:
            yield connected


async def turn_of(hub: Client, chat_id: str) -> dict[str, Any]:
    """The turn of that chat, leased; those of others, which earlier tests left, are given back."""
    others = []
    try:
        for _ in range(30):
            turn = await call(hub, "wait_for_turn", wait_seconds=2)
            if turn["chat_id"] == chat_id:
                return turn
            if turn["status"] == "turn":
                others.append(turn)
    finally:
        for other in others:
            await call(hub, "release_turn", **lease(other))
    raise AssertionError(f"no turn of {chat_id} came")


def lease(turn: dict[str, Any]) -> dict[str, Any]:
    """What a call about a leased turn names."""
    return {"turn_id": turn["turn_id"], "lease_token": turn["lease_token"]}


async def call(connected: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The answer of a tool, which is no error and tells the same as text and as structure."""
    result = await connected.call_tool(tool, arguments)
    assert not result.is_error, text(result)
    assert json.loads(text(result)) == result.structured_content
    return dict(result.structured_content or {})


def text(result: Any) -> str:
    """What a model reads of a result."""
    return "".join(part.text for part in result.content)
