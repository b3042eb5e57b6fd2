"""What the tests ask of a service as an MCP client."""

import json
from typing import Any

from mcp import Client


async def turn_of(hub: Client, name: str) -> dict[str, Any]:
    """The turn of that customer, leased; those of others, which earlier tests left, are given back."""
    others = []
    try:
        for _ in range(30):
            turn = await call(hub, "wait_for_turn", wait_seconds=2)
            if turn["client_name_untrusted"] == name:
                return turn
            if turn["status"] == "turn":
                others.append(turn)
    finally:
        for other in others:
            await call(hub, "release_turn", **lease(other))
    raise AssertionError(f"no turn of {name} came")


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
