"""Clients of other makes, of both ages, walk through a channel and the hub: over HTTP and over stdio."""

import asyncio
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
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


@dataclass(frozen=True)
class Make:
    """A client: its walk, run by what, the version it speaks, what else it can; over stdio it may do more."""

    walk: str
    environment: str
    version: str
    named: Mapping[str, str] = field(default_factory=dict)
    can: frozenset[str] = frozenset()
    on_stdio: frozenset[str] = frozenset()

    async def walks(self, foreign: Foreign, plan: Plan) -> Seen:
        script = CLIENTS / self.walk
        if self.environment == "node":
            return await walked(foreign.node, script, foreign.packages, plan=plan)
        return await walked(foreign.python(self.environment), script, plan=plan)


LISTENS, SUBSCRIBES, IS_ASKED = frozenset({"listen"}), frozenset({"subscribe"}), frozenset({"ask"})


def typescript(package: str, version: str, can: frozenset[str] = frozenset(), **age: str) -> Make:
    """A client of one of the npm packages."""
    return Make(
        "walk.mjs", "node", version, {"package": package, **age}, can, frozenset() if age else SUBSCRIBES
    )


_SECOND = "@modelcontextprotocol/client"
OF_NODE = {
    "typescript-1.17.4": typescript("sdk-of-2025-06", "2025-06-18"),
    "typescript-1.32.2": typescript("@modelcontextprotocol/sdk", "2025-11-25"),
    "typescript-2.4.0-legacy": typescript(_SECOND, "2025-11-25", age="legacy"),
    "typescript-2.4.0": typescript(_SECOND, MODERN, IS_ASKED | LISTENS, age="auto"),
}
OF_PYTHON = {
    "mcp-1.9.4": Make("walk_mcp1.py", "mcp19", "2025-03-26"),
    "mcp-1.30.0": Make("walk_mcp1.py", "mcp130", "2025-11-25", on_stdio=SUBSCRIBES),
    "fastmcp-2.14.7": Make("walk_fastmcp.py", "fastmcp2", "2025-11-25"),
    "fastmcp-4.1.2": Make("walk_fastmcp.py", "fastmcp4", MODERN, can=IS_ASKED),
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
class Meeting:
    """A tool that asks first and how a person answers; a resource, "" for one made, and what changes it."""

    asks: Mapping[str, Any]
    told: str
    uri: str
    trigger: Callable[[str], Sequence[Mapping[str, Any]]]

    def plan(self, can: Collection[str], made: str) -> Mapping[str, Any]:
        """For a client that can do these."""
        watched = {"uri": self.uri or made, "trigger": self.trigger(made)}
        return {one: self.asks if one == "ask" else watched for one in can}

    def met(self, seen: Seen, can: Collection[str], made: str) -> None:
        """Whether it was asked, and heard of the change."""
        assert (self.told in seen.asked) if "ask" in can else not seen.asked
        assert seen.heard == ((self.uri or made) if {"listen", "subscribe"} & set(can) else "")


@dataclass(frozen=True)
class Server:
    """What there is to see at a server of ours."""

    name: str
    introduced: str
    looks: str
    resource: str
    template: str
    task: Task
    meeting: Meeting

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
        assert _id_of(made) in (shown.get("appeal_id"), shown["chat_id"])
        assert self.template in seen.templates
        assert self.task.prompt in seen.prompts
        assert self.task.says in seen.prompt
        assert self.task.completed in seen.completion


def _id_of(uri: str) -> str:
    return unquote(uri.rpartition("/")[2])


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
#: The suite's own question; and a customer is written to in the chat that is watched.
AT_A_CHANNEL = Meeting(
    {
        "tool": "test_input_required_result_elicitation",
        "arguments": {},
        "answer": {"name": "Anna"},
    },
    told="Hello, Anna!",
    uri="",
    trigger=lambda chat: [{"tool": "send_message", "arguments": {"chat_id": _id_of(chat), "text": "Да"}}],
)
#: A guarded key writes to a stranger, and gives back a turn that then waits.
AT_THE_HUB = Meeting(
    {
        "tool": "send_message",
        "arguments": {"channel": "avito", "chat_id": "stranger", "text": "Здравствуйте"},
        "answer": {"yes": True},
    },
    told='"status":"queued"',
    uri="inbox://turns",
    trigger=lambda _: [
        {
            "tool": "wait_for_turn",
            "arguments": {"wait_seconds": 50},
            "keeps": ["turn_id", "lease_token"],
        },
        {"tool": "release_turn"},
    ],
)
AVITO = Server(
    "mcp_avito",
    "avito",
    "list_chats",
    "channel://avito/capabilities",
    "chat://avito/{chat_id}",
    OF_THE_SUITE,
    AT_A_CHANNEL,
)
HUB = Server(
    "orchestrator",
    "eldoleado-hub",
    "list_appeals",
    "inbox://turns",
    "appeal://{id}",
    SUMMARY,
    AT_THE_HUB,
)
BOTH = pytest.mark.parametrize("server", [AVITO, HUB], ids=lambda server: server.name)


async def walk_both_ways(house: House, foreign: Foreign, make: Make, server: Server) -> None:
    """At once over HTTP and over stdio."""
    made = house.made[server.template]
    stdio, on_stdio = _started(house, server), make.can | make.on_stdio
    async with house.balanced(server.name) as url, asyncio.TaskGroup() as walks:
        over_http = {"url": url, "key": house.key}
        walks.create_task(_walk(foreign, make, server, over_http, made, make.can))
        walks.create_task(_walk(foreign, make, server, stdio, made, on_stdio))


def _started(house: House, server: Server) -> Mapping[str, Any]:
    command = [sys.executable, "-m", house.package(server.name), "--stdio"]
    return {"command": command, "env": house.environment(server.name, fixtures=True)}


async def _walk(
    foreign: Foreign, make: Make, server: Server, place: Mapping[str, Any], made: str, can: Collection[str]
) -> None:
    more = {**make.named, **server.meeting.plan(can, made)}
    seen = await make.walks(foreign, server.plan(place, made, more))
    server.recognised(seen, made)
    assert seen.version == make.version
    server.meeting.met(seen, can, made)


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
