"""The tools of every server in both profiles, as production lists them; nothing is opened."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

from mcp import Client
from pydantic import SecretStr

from core.app import ServiceParts, build_server
from core.auth import KeyRing
from core.channel_operations import Account, ChannelOperations
from core.ids import DEFAULT_ACCOUNT
from core.observability import Metrics
from core.operations import Operation
from core.profiles import CHANNEL_CORE, Profile, shown
from core.testing import FakeChannelWithEverything
from tests import servers

PROFILES: tuple[Profile, ...] = ("core", "all")


def _everything() -> ServiceParts:
    """A messenger with every part, which has every tool that a channel can have."""
    channel = FakeChannelWithEverything()
    accounts = {DEFAULT_ACCOUNT: Account(channel, cast(Any, None))}
    operations = ChannelOperations("Everything", accounts, channel.capabilities, cast(Any, None)).all()

    async def nothing() -> dict[str, Any]:
        return {}

    return ServiceParts(
        name="everything",
        title="Everything",
        instructions="",
        operations=operations,
        keys=KeyRing.parse(SecretStr(f"operator={servers.KEY}")),
        metrics=Metrics(),
        health=nothing,
        info=nothing,
        lifespan=nullcontext,
        core_tools=CHANNEL_CORE,
    )


SERVERS: dict[str, Callable[[], ServiceParts]] = {**servers.SERVERS, "everything": _everything}


async def tools(name: str, profile: Profile) -> list[Operation]:
    """The operations that a server shows to models."""
    parts = SERVERS[name]()
    return shown(parts.operations, profile, parts.core_tools)


async def listed(name: str, profile: Profile) -> list[dict[str, Any]]:
    """The server's answer to tools/list, as JSON."""
    async with Client(build_server(replace(SERVERS[name](), profile=profile))) as client:
        found = (await client.list_tools()).tools
    return [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in found]


def told_to_a_model(found: Sequence[dict[str, Any]], *, outputs: bool = False) -> str:
    """What hosts put into the model's context of a list: name, description and input schema as compact JSON.

    The tool definitions of the model APIs have these three; few hosts add the output schema.
    """
    parts = ["name", "description", "inputSchema", *(["outputSchema"] if outputs else [])]
    told = [{part: tool[part] for part in parts} for tool in found]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
