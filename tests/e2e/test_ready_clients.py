"""`eldoleado connect` on the running system: an MCP client built from what is printed is connected."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from core.registry import CHANNELS, SERVICES
from launcher.__main__ import main
from tests.e2e.mcp_calls import call, lease, turn_of
from tests.system import System

pytestmark = pytest.mark.e2e

#: A turn that nobody has: a call that changes nothing.
NOTHING = {"wait_seconds": 0, "turn_id": "999999999"}

Printed = Callable[..., dict[str, Any]]


@pytest.fixture
def connect(system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """The servers in the file that is printed for a client; the system listens where no run would."""
    for one in SERVICES:
        monkeypatch.setenv(one.port_variable, str(system.ports[one.name]))
    for name in ("REDIS_URL", "DATABASE_URL"):
        monkeypatch.setenv(name, system.environment("orchestrator")[name])

    def servers(client: str, *more: str) -> dict[str, Any]:
        assert main(["connect", client, *more, "--state", str(system.folder)]) == 0
        [written] = re.findall(r"^\{$.*?^\}$", capsys.readouterr().out, re.MULTILINE | re.DOTALL)
        return dict(next(iter(json.loads(written).values())))

    return servers


@asynccontextmanager
async def reached(entry: dict[str, Any], folder: Path) -> AsyncIterator[Client]:
    """A client that does what the entry says, from any folder."""
    if "url" in entry:
        async with (
            httpx2.AsyncClient(headers=entry["headers"], timeout=60) as http,
            Client(streamable_http_client(entry["url"], http_client=http)) as client,
        ):
            yield client
        return
    started = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=entry["env"], cwd=folder
    )
    async with Client(started, mode="legacy") as client:  # as these clients speak
        yield client


@pytest.mark.promise("ready")
@pytest.mark.parametrize("client", ["claude-code", "vscode", "cursor"])
async def test_the_hub_and_a_channel_are_reached_over_http(
    connect: Printed, client: str, tmp_path: Path
) -> None:
    servers = connect(client, "hub", "avito")

    async with reached(servers["eldoleado"], tmp_path) as hub:
        assert (await call(hub, "wait_for_turn", **NOTHING))["status"] == "none"
    async with reached(servers["eldoleado-avito"], tmp_path) as avito:
        assert (await call(avito, "list_chats", limit=1)).keys() >= {"chats"}


@pytest.mark.promise("ready")
async def test_claude_desktop_answers_a_customer_through_the_bridge(
    system: System, connect: Printed, customer: str, tmp_path: Path
) -> None:
    """Tools, errors and resources cross; the hub knows the caller by the agent's key."""
    hub = connect("claude-desktop")["eldoleado"]
    chat = system.write(customer, text="Здравствуйте")["chat_id"]

    async with reached(hub, tmp_path) as client:
        turn = await turn_of(client, chat)
        answer = await call(client, "reply", **lease(turn), text="Добрый день!")
        wrong = await client.call_tool("get_delivery", {"delivery": "1"})
        inbox = await client.read_resource("inbox://turns")
        instructions = client.instructions

    assert "_untrusted" in (instructions or "")
    assert answer["status"] == "queued"
    assert wrong.is_error
    assert "Did you mean" in "".join(getattr(part, "text", "") for part in wrong.content)
    assert inbox.contents


@pytest.mark.promise("ready")
@pytest.mark.parametrize("client", ["claude-desktop", "vscode"])
async def test_servers_that_the_client_starts_stand_beside_the_running_ones(
    system: System, connect: Printed, customer: str, client: str, tmp_path: Path
) -> None:
    """Account, database and queues are those of the run; no other variable of the shell is told."""
    chat = system.write(customer, text="Здравствуйте")["chat_id"]
    servers = connect(client, "hub", "avito", "--stdio")

    async with reached(servers["eldoleado"], tmp_path) as hub:
        await call(hub, "skip_turn", **lease(await turn_of(hub, chat)))
    async with reached(servers["eldoleado-avito"], tmp_path) as avito:
        chats = await call(avito, "list_chats", limit=100)

    assert chat in [one["chat_id"] for one in chats["chats"]]
    assert not {"PATH", "HOME", "DATABASE_URL"} & servers["eldoleado-avito"]["env"].keys()


async def test_the_bridge_outlives_a_restart_of_the_hub(
    system: System, connect: Printed, tmp_path: Path
) -> None:
    """Who keeps Claude open overnight need not restart it."""
    system.add_replica("orchestrator-again")
    system.start("orchestrator-again")
    hub = connect("claude-desktop")["eldoleado"]
    hub["env"]["HUB_URL"] = f"{system.url('orchestrator-again')}/mcp"

    async with reached(hub, tmp_path) as client:
        await call(client, "wait_for_turn", **NOTHING)
        system.kill("orchestrator-again")
        with pytest.raises(MCPError):
            await client.call_tool("wait_for_turn", NOTHING)
        system.start("orchestrator-again")
        await call(client, "wait_for_turn", **NOTHING)
        system.kill("orchestrator-again")


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("http://127.0.0.1:9/mcp", "made-up-0123456789", "cannot be reached"),
        ("", "wrong-0123456789", "Check HUB_URL and HUB_API_KEY."),
    ],
    ids=["nobody there", "a wrong key"],
)
def test_a_bridge_that_leads_nowhere_says_so_in_a_sentence(
    system: System, url: str, key: str, told: str
) -> None:
    """The client shows it in its log; the key is not in it."""
    environment = {"HUB_URL": url or f"{system.url('orchestrator')}/mcp", "HUB_API_KEY": key}
    command = [sys.executable, "-m", "launcher", "bridge"]

    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 3, done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert key not in done.stderr


def test_a_server_that_is_not_there_is_told_with_those_that_are(
    system: System, connect: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "cursor", "form", "--state", str(system.folder)]) == 1
    assert "choose of hub, avito" in capsys.readouterr().err
    assert CHANNELS


def test_no_run_no_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that no server knows would lead nowhere."""
    assert main(["connect", "cursor", "--state", str(tmp_path)]) == 1
    assert "is no folder of a run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
