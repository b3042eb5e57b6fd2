"""What models see of our tools: snapshots, and schemas that every host understands.

A changed tool shows up as a diff. `UPDATE_SNAPSHOTS=1 make test` writes the snapshots anew.
"""

import importlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer

from core.channel import ListsChats
from core.channel_operations import Account, ChannelOperations
from core.ids import DEFAULT_ACCOUNT
from core.observability import Metrics
from core.operations import Operation
from core.registry import CHANNELS, Service
from core.testing import FakeChannelWithEverything
from core.tools import ToolGuard, add_tools
from orchestrator.hub import Hub
from orchestrator.hub_parts import HubParts
from tests.contract.vendor_side import SIDES

SNAPSHOTS = Path(__file__).parent.parent / "snapshots" / "tools"
UNPORTABLE = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "if", "additionalProperties", "prefixItems"}


def _channel(service: Service) -> Sequence[Operation]:
    channel = SIDES[service.channel]().channel
    nothing = cast(Any, None)  # never called: the tools are only listed
    operations = ChannelOperations(
        service.title,
        {DEFAULT_ACCOUNT: Account(channel, nothing)},
        channel.capabilities,
        nothing,
        remembered=None if isinstance(channel, ListsChats) else cast(Any, object()),
        links=cast(Any, object()),
    )
    own = importlib.import_module(f"{service.package}.tools")
    more: Sequence[Operation] = getattr(own, f"{service.channel}_operations")({DEFAULT_ACCOUNT: channel})
    return [*operations.all(), *more]


def _hub() -> Sequence[Operation]:
    nothing = cast(Any, None)
    names = ("gathering", "reach", "manifests", "letters", "tracing", "pause_news", "erasure")
    rest = dict.fromkeys(names, nothing)
    parts = HubParts(nothing, nothing, nothing, nothing, channels=(), lease_seconds=1, **rest)
    return Hub(parts).operations()


def _everything() -> Sequence[Operation]:
    """Every tool that a messenger with every part would have."""
    channel = FakeChannelWithEverything()
    accounts = {DEFAULT_ACCOUNT: Account(channel, cast(Any, None))}
    return ChannelOperations("Everything", accounts, channel.capabilities, cast(Any, None)).all()


CHANNEL_SERVERS = {service.channel: partial(_channel, service) for service in CHANNELS}
SERVERS: dict[str, Callable[[], Sequence[Operation]]] = {
    **CHANNEL_SERVERS,
    "hub": _hub,
    "everything": _everything,
}
#: A messenger that can do more is told more of.
MOST_TOOLS = dict.fromkeys(CHANNEL_SERVERS, 18) | {"hub": 20, "everything": 17}


async def _listed(name: str) -> list[dict[str, Any]]:
    operations = SERVERS[name]()
    server = MCPServer(name, extensions=[ToolGuard(operations, Metrics())], log_level="WARNING")
    add_tools(server, operations)
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
    return [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]


@pytest.mark.parametrize("name", SERVERS)
async def test_tools_are_as_in_their_snapshot(name: str) -> None:
    """Names, words and schemas are an interface; models read nothing else."""
    snapshot = SNAPSHOTS / f"{name}.json"
    listed = await _listed(name)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(listed, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    assert listed == json.loads(snapshot.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SERVERS)
async def test_every_host_understands_the_schemas(name: str) -> None:
    """Flat arguments, each described; some hosts drop a whole list for one keyword."""
    for tool in await _listed(name):
        assert re.fullmatch(r"[a-z][a-z0-9_]{2,39}", tool["name"])
        assert 20 <= len(tool["description"]) <= 400, tool["name"]
        assert list(_unportable(tool["inputSchema"])) == []
        for argument, schema in tool["inputSchema"].get("properties", {}).items():
            assert schema.get("description"), f"{tool['name']}.{argument}"


@pytest.mark.parametrize("name", SERVERS)
async def test_annotations_tell_what_a_tool_does(name: str) -> None:
    """A host asks its user before tools that change something."""
    for tool in await _listed(name):
        hints = tool["annotations"]
        assert "openWorldHint" in hints
        assert hints["readOnlyHint"] or {"destructiveHint", "idempotentHint"} <= set(hints)


@pytest.mark.parametrize("name", SERVERS)
async def test_the_list_is_short(name: str) -> None:
    """It stands in the context of every conversation."""
    arguments = [{k: v for k, v in tool.items() if k != "outputSchema"} for tool in await _listed(name)]

    assert len(arguments) <= MOST_TOOLS[name]
    assert len(json.dumps(arguments, ensure_ascii=False)) <= 16_000


def _unportable(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in UNPORTABLE or (key == "type" and isinstance(value, list)):
                yield key
            if key not in ("default", "enum", "examples"):
                yield from _unportable(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _unportable(item)
