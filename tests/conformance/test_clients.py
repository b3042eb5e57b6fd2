"""Clients of other makes, of both ages, walk through a channel and the hub: over HTTP and over stdio."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.errors import ERRORS
from core.tools import ERROR_META
from tests.conformance.conftest import House
from tests.conformance.foreign import Foreign
from tests.conformance.walks import CLIENTS, Plan, Seen, walked

MODERN = "2026-07-28"
WATCHED = {"uri": "test://watched-resource", "trigger": "test_trigger_resource_change"}
ASKED = {"tool": "test_input_required_result_elicitation", "answer": {"name": "Anna"}}


@dataclass(frozen=True)
class Make:
    """A client: its walk, run by what, the version it speaks, what else it can; over stdio it may do more."""

    walk: str
    environment: str
    version: str
    more: Mapping[str, Any] = field(default_factory=dict)
    on_stdio: Mapping[str, Any] = field(default_factory=dict)

    async def walks(self, foreign: Foreign, plan: Plan) -> Seen:
        script = CLIENTS / self.walk
        if self.environment == "node":
            return await walked(foreign.node, script, foreign.packages, plan=plan)
        return await walked(foreign.python(self.environment), script, plan=plan)


def typescript(package: str, version: str, **more: Any) -> Make:
    """A client of one of the npm packages."""
    stdio = {} if "age" in more else {"subscribe": WATCHED}
    return Make("walk.mjs", "node", version, {"package": package, **more}, stdio)


_SECOND = "@modelcontextprotocol/client"
OF_NODE = {
    "typescript-1.17.4": typescript("sdk-of-2025-06", "2025-06-18"),
    "typescript-1.32.2": typescript("@modelcontextprotocol/sdk", "2025-11-25"),
    "typescript-2.4.0-legacy": typescript(_SECOND, "2025-11-25", age="legacy"),
    "typescript-2.4.0": typescript(_SECOND, MODERN, age="auto", ask=ASKED, listen=WATCHED),
}
OF_PYTHON = {
    "mcp-1.9.4": Make("walk_mcp1.py", "mcp19", "2025-03-26"),
    "mcp-1.30.0": Make("walk_mcp1.py", "mcp130", "2025-11-25", {}, {"subscribe": WATCHED}),
    "fastmcp-2.14.7": Make("walk_fastmcp.py", "fastmcp2", "2025-11-25"),
    "fastmcp-4.1.2": Make("walk_fastmcp.py", "fastmcp4", MODERN, {"ask": ASKED}),
}


@dataclass(frozen=True)
class Server:
    """What there is to see at a server of ours."""

    name: str
    introduced: str
    looks: str
    resource: str

    def plan(self, place: Mapping[str, Any], more: Mapping[str, Any]) -> Plan:
        call = {"tool": self.looks, "arguments": {"limit": 5}}
        error = {"tool": self.looks, "arguments": {"limt": 5}}
        return Plan(place, call, error, self.resource, more)

    def recognised(self, seen: Seen) -> None:
        """Whether the client saw this server, and everything of it."""
        assert seen.server == self.introduced
        assert "_untrusted" in seen.instructions
        assert self.looks in seen.tools
        assert "next_cursor" in seen.call
        assert seen.error["failed"]
        assert "Did you mean 'limit'?" in seen.error["text"]
        assert seen.error["beside"][ERROR_META] == ERRORS["invalid_arguments"].members()
        assert "test://nothing" in seen.missing
        assert json.loads(seen.template)["id"] == "7"
        assert "test://template/{id}/data" in seen.templates
        assert "test_prompt_with_arguments" in seen.prompts
        assert seen.prompt == "Prompt with arguments: arg1='да', arg2='b'"
        assert "paris" in seen.completion


AVITO = Server("mcp_avito", "avito", "list_chats", "test://static-text")
HUB = Server("orchestrator", "eldoleado-hub", "list_appeals", "inbox://turns")
BOTH = pytest.mark.parametrize("server", [AVITO, HUB], ids=lambda server: server.name)


async def walk_both_ways(house: House, foreign: Foreign, make: Make, server: Server) -> None:
    """At once over HTTP and over stdio."""
    async with house.balanced(server.name) as url, asyncio.TaskGroup() as walks:
        walks.create_task(_walk(foreign, make, server, {"url": url, "key": house.key}, make.more))
        walks.create_task(
            _walk(foreign, make, server, _started(house, server), {**make.more, **make.on_stdio})
        )


def _started(house: House, server: Server) -> Mapping[str, Any]:
    command = [sys.executable, "-m", house.package(server.name), "--stdio"]
    return {"command": command, "env": house.environment(server.name, fixtures=True)}


async def _walk(
    foreign: Foreign, make: Make, server: Server, place: Mapping[str, Any], more: Mapping[str, Any]
) -> None:
    seen = await make.walks(foreign, server.plan(place, more))
    server.recognised(seen)
    assert seen.version == make.version
    assert seen.asked == ("Hello, Anna!" if "ask" in more else "")
    assert seen.heard == (WATCHED["uri"] if {"listen", "subscribe"} & more.keys() else "")


@BOTH
@pytest.mark.promise("foreign-clients")
@pytest.mark.parametrize("make", OF_PYTHON.values(), ids=OF_PYTHON)
async def test_clients_of_python_see_all_of_it(
    house: House, foreign: Foreign, make: Make, server: Server
) -> None:
    """Behind the balancer and as a process of their own."""
    await walk_both_ways(house, foreign, make, server)


@BOTH
@pytest.mark.promise("foreign-clients")
@pytest.mark.parametrize("make", OF_NODE.values(), ids=OF_NODE)
async def test_clients_of_node_see_all_of_it(house: House, node: Foreign, make: Make, server: Server) -> None:
    """What is listened to at one replica is changed at another."""
    await walk_both_ways(house, node, make, server)
