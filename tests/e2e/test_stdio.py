"""Servers that a client starts itself: the hub beside a running one, and a clean end."""

import json
import signal
import subprocess
import sys
from typing import Literal

import pytest
from mcp import Client, StdioServerParameters

from tests.e2e.agent import shown
from tests.e2e.mcp_calls import call, lease, turn_of
from tests.system import System

pytestmark = pytest.mark.e2e


def _arguments(name: str) -> list[str]:
    return ["-m", name, "--stdio"]


@pytest.mark.promise("mcp")
async def test_the_hub_serves_its_tools_over_stdio_beside_the_running_one(
    system: System, customer: str
) -> None:
    """The loops stay with the running one: the turn it has made is answered here."""
    chat = system.write(customer, text="Здравствуйте")["chat_id"]
    parameters = StdioServerParameters(
        command=sys.executable, args=_arguments("orchestrator"), env=system.environment("orchestrator")
    )
    async with Client(parameters) as hub:
        turn = await turn_of(hub, chat)
        answer = await call(hub, "reply", **lease(turn), text="Добрый день!")

    assert turn["messages"][0]["text_untrusted"] == "Здравствуйте"
    assert answer["status"] == "queued"


@pytest.mark.promise("progress")
@pytest.mark.parametrize("age", ["auto", "legacy"])
async def test_the_hub_tells_how_far_a_bulk_is(
    system: System, customer: str, age: Literal["auto", "legacy"]
) -> None:
    """Until the running hub has sent the last of it."""
    chat = system.write(customer, text="Есть скидки?")["chat_id"]
    told: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    every_tool = {**system.environment("orchestrator"), "MCP_PROFILE": "all", "MCP_STDIO_MODE": "full"}
    parameters = StdioServerParameters(
        command=sys.executable, args=_arguments("orchestrator"), env=every_tool
    )
    async with Client(parameters, mode=age) as hub:
        await call(hub, "skip_turn", **lease(await turn_of(hub, chat)))
        given = {"channel": "avito", "chat_ids": [chat], "text": "Скидка 10 %", "wait_seconds": 50}
        answer = await hub.call_tool("send_bulk", given, progress_callback=hear)
        bulk_id = (answer.structured_content or {})["bulk_id"]
        later = await call(hub, "get_bulk", bulk_id=bulk_id)

    assert told[-1] == (1, 1)
    assert (later["status"], later["total"]) == ("finished", 1)
    assert shown(system, customer, 1) == ["Скидка 10 %"]


@pytest.mark.promise("modes")
async def test_a_host_that_starts_a_server_may_do_what_the_setting_says(system: System) -> None:
    """It has no key whose entry could say it."""
    only_reads = {**system.environment("mcp_avito"), "MCP_STDIO_MODE": "read_only"}
    parameters = StdioServerParameters(command=sys.executable, args=_arguments("mcp_avito"), env=only_reads)
    async with Client(parameters) as avito:
        listed = (await avito.list_tools()).tools
        refused = await avito.call_tool("send_message", {"chat_id": "u2i-1", "text": "x"})

    assert {
        tool.name for tool in listed if not (tool.annotations and tool.annotations.read_only_hint)
    } == set()
    assert "list_chats" in {tool.name for tool in listed}
    assert refused.is_error


@pytest.mark.promise("stdio-ends")
@pytest.mark.parametrize("name", ["mcp_avito", "orchestrator"])
def test_a_server_over_stdio_ends_when_it_is_told_to_though_its_client_keeps_stdin_open(
    system: System, name: str
) -> None:
    """An old TypeScript client does so, and waited for ever."""
    served = subprocess.Popen(
        [sys.executable, *_arguments(name)],
        env=system.environment(name),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert served.stdin is not None
        assert served.stdout is not None
        served.stdin.write(json.dumps(_HELLO).encode() + b"\n")
        served.stdin.flush()
        assert b"protocolVersion" in served.stdout.readline()
        served.send_signal(signal.SIGTERM)

        assert served.wait(15) == 0
    finally:
        served.kill()
        served.communicate()


_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
