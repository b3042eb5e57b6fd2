"""The tools of every server, as the services show them: without vendors, engines or ports."""

import importlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from mcp import Client
from mcp.server.mcpserver import MCPServer

from core.channel import ListsChats
from core.channel_operations import Account, ChannelOperations
from core.ids import DEFAULT_ACCOUNT
from core.observability import Metrics
from core.operations import Operation
from core.profiles import CHANNEL_CORE, Profile, shown
from core.registry import CHANNELS, Service
from core.testing import FakeChannelWithEverything
from core.tool_list import tools_of
from core.tools import ToolGuard
from orchestrator.hub import HUB_CORE, Hub
from orchestrator.hub_parts import HubParts
from tests.contract.vendor_side import SIDES

PROFILES: tuple[Profile, ...] = ("core", "all")


@dataclass(frozen=True)
class ToolServer:
    """What a service offers; `most` tokens that a model may be shown of its core."""

    name: str
    operations: Callable[[], Sequence[Operation]]
    core: Collection[str]
    most: int

    def shown(self, profile: Profile) -> list[Operation]:
        """The operations that are tools in this profile."""
        return shown(self.operations(), profile, self.core)

    async def listed(self, profile: Profile) -> list[dict[str, Any]]:
        """The answer to tools/list, as JSON."""
        operations = self.shown(profile)
        guard = ToolGuard(operations, Metrics())
        server = MCPServer(self.name, tools=tools_of(operations), extensions=[guard], log_level="WARNING")
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
        return [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]


def told_to_a_model(tools: Sequence[dict[str, Any]], *, outputs: bool = False) -> str:
    """What hosts put into the model's context of a list: name, description and input schema as compact JSON.

    The tool definitions of Anthropic, OpenAI and Google have these three; few hosts add the output schema.
    """
    parts = ["name", "description", "inputSchema", *(["outputSchema"] if outputs else [])]
    shown_of = [{part: tool[part] for part in parts} for tool in tools]
    return json.dumps(shown_of, ensure_ascii=False, separators=(",", ":"))


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


#: Tokens of the core profile, as the issue sets them.
CHANNEL_MOST, HUB_MOST = 2_500, 3_000
SERVERS = {
    **{
        one.channel: ToolServer(one.channel, partial(_channel, one), CHANNEL_CORE, CHANNEL_MOST)
        for one in CHANNELS
    },
    "hub": ToolServer("hub", _hub, HUB_CORE, HUB_MOST),
    "everything": ToolServer("everything", _everything, CHANNEL_CORE, CHANNEL_MOST),
}
