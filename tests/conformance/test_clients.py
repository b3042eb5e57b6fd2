"""Clients of other makes, of both ages, walk through a channel and the hub: over HTTP and over stdio."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

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
class Task:
    """A prompt, how it begins, and one of its arguments completed."""

    prompt: str
    arguments: Mapping[str, str]
    says: str
    argument: tuple[str, str]
    completed: str

    def filled(self, made: str) -> Mapping[str, str]:
        """The arguments; one that is empty is the id in this URI."""
        return {name: value or made.rpartition("/")[2] for name, value in self.arguments.items()}

    def completing(self) -> Mapping[str, Any]:
        """What is to be completed."""
        name, value = self.argument
        return {
            "ref": {"type": "ref/prompt", "name": self.prompt},
            "argument": {"name": name, "value": value},
        }


@dataclass(frozen=True)
class Server:
    """What there is to see at a server of ours."""

    name: str
    introduced: str
    looks: str
    resource: str
    template: str
    task: Task

    def plan(self, place: Mapping[str, Any], made: str, more: Mapping[str, Any]) -> Plan:
        """`made`: a resource that the template makes."""
        return Plan(
            place,
            call={"tool": self.looks, "arguments": {"limit": 5}},
            error={"tool": self.looks, "arguments": {"limt": 5}},
            resource=self.resource,
            template=made,
            prompt={"name": self.task.prompt, "arguments": self.task.filled(made)},
            complete=self.task.completing(),
            more=more,
        )

    def recognised(self, seen: Seen, made: str) -> None:
        """Whether the client saw this server, and everything of it."""
        assert seen.server == self.introduced
        assert "_untrusted" in seen.instructions
        assert self.looks in seen.tools
        assert "next_cursor" in seen.call
        assert seen.error["failed"]
        assert "Did you mean 'limit'?" in seen.error["text"]
        assert seen.error["beside"][ERROR_META] == ERRORS["invalid_arguments"].members()
        assert "test://nothing" in seen.missing
        shown = json.loads(seen.template)
        assert unquote(made).rpartition("/")[2] in (shown.get("appeal_id"), shown["chat_id"])
        assert self.template in seen.templates
        assert self.task.prompt in seen.prompts
        assert self.task.says in seen.prompt
        assert self.task.completed in seen.completion


#: A channel has no prompts of its own: those of the suite are there beside its resources.
OF_THE_SUITE = Task(
    "test_prompt_with_arguments",
    {"arg1": "да", "arg2": "b"},
    says="Prompt with arguments: arg1='да', arg2='b'",
    argument=("arg1", "p"),
    completed="paris",
)
SUMMARY = Task(
    "summarise_appeal",
    {"appeal_id": "", "language": "ru"},
    says="Изложи обращение",
    argument=("language", "r"),
    completed="ru",
)
AVITO = Server(
    "mcp_avito",
    "avito",
    "list_chats",
    "channel://avito/capabilities",
    "chat://avito/{chat_id}",
    OF_THE_SUITE,
)
HUB = Server("orchestrator", "eldoleado-hub", "list_appeals", "inbox://turns", "appeal://{id}", SUMMARY)
BOTH = pytest.mark.parametrize("server", [AVITO, HUB], ids=lambda server: server.name)


async def walk_both_ways(house: House, foreign: Foreign, make: Make, server: Server) -> None:
    """At once over HTTP and over stdio."""
    made = house.made[server.template]
    over_http = {"key": house.key}
    stdio, on_stdio = _started(house, server), {**make.more, **make.on_stdio}
    async with house.balanced(server.name) as url, asyncio.TaskGroup() as walks:
        walks.create_task(_walk(foreign, make, server, {**over_http, "url": url}, made, make.more))
        walks.create_task(_walk(foreign, make, server, stdio, made, on_stdio))


def _started(house: House, server: Server) -> Mapping[str, Any]:
    command = [sys.executable, "-m", house.package(server.name), "--stdio"]
    return {"command": command, "env": house.environment(server.name, fixtures=True)}


async def _walk(
    foreign: Foreign, make: Make, server: Server, place: Mapping[str, Any], made: str, more: Mapping[str, Any]
) -> None:
    seen = await make.walks(foreign, server.plan(place, made, more))
    server.recognised(seen, made)
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
