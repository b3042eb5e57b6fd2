"""The demo agent's client over a real MCP server, in memory and over HTTP that breaks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from examples.agent.answers import RuleAnswerer
from examples.agent.hub import Connect, Hub, HubRefused, Turn, over_http
from examples.agent.loop import Agent
from orchestrator.hub_models import ReplyResult, TurnMessage, TurnOffer, TurnState

KEY = "agents-key-0123456789"


class Desk:
    """A hub of one turn: superseded once, then answered."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, str]] = []
        self.answered = asyncio.Event()
        self.asked = asyncio.Event()
        self.offered = False

    def server(self) -> MCPServer:
        server = MCPServer("hub", log_level="WARNING")
        for tool in (self.wait_for_turn, self.reply, self.skip_turn, self.extend_turn):
            server.add_tool(tool)
        return server

    async def wait_for_turn(self, wait_seconds: int = 25, agent: str = "") -> TurnOffer:
        """Wait."""
        self.asked.set()
        if self.offered:
            await self.answered.wait()
            return TurnOffer(status="none")
        self.offered = True
        return TurnOffer(
            status="turn",
            turn_id="12",
            lease_token="12:0",
            lease_seconds=120,
            channel="avito",
            messages=[_message("1", "сколько стоит экран?")],
        )

    async def reply(
        self, turn_id: str, lease_token: str, text: str = "", image_url: str = "", force: bool = False
    ) -> ReplyResult:
        """Reply."""
        self.replies.append((lease_token, text))
        if lease_token == "12:0":
            new = [_message("2", "и адрес?")]
            return ReplyResult(status="superseded", lease_token="12:1", new_messages=new)
        self.answered.set()
        return ReplyResult(status="queued", delivery_id="d-1")

    async def skip_turn(self, turn_id: str, lease_token: str, reason: str = "") -> TurnState:
        """Skip."""
        raise ToolError("not_found: There is no turn 12.")

    async def extend_turn(self, turn_id: str, lease_token: str) -> TurnState:
        """Extend."""
        return TurnState(status="extended")


def _message(number: str, text: str) -> TurnMessage:
    return TurnMessage(message_id=number, type="text", text_untrusted=text, sent_at="2026-11-22T12:00:00Z")


def in_memory(server: MCPServer) -> Connect:
    return lambda: Client(server)


TURN = Turn(turn_id="12", lease_token="12:0", channel="avito")


async def test_the_agent_answers_a_turn_of_a_real_server() -> None:
    desk = Desk()
    async with Hub(in_memory(desk.server())).connected() as hub:
        await Agent(hub, RuleAnswerer(), name="test").run(desk.answered)

    [(first, _), (second, text)] = desk.replies
    assert (first, second) == ("12:0", "12:1")
    assert "Замена экрана" in text
    assert "улице Ленина" in text


async def test_what_the_hub_refuses_is_told_in_its_own_words() -> None:
    async with Hub(in_memory(Desk().server())).connected() as hub:
        await hub.extend_turn(TURN)
        with pytest.raises(HubRefused, match="There is no turn 12"):
            await hub.skip_turn(TURN, "no reason")


async def test_a_hub_that_is_away_is_waited_for() -> None:
    desk, attempts = Desk(), 0

    @asynccontextmanager
    async def flaky() -> AsyncIterator[Client]:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ExceptionGroup("transport", [ConnectionRefusedError("nobody there")])
        async with Client(desk.server()) as client:
            yield client

    async with Hub(flaky, first_pause=0.001).connected() as hub:
        turn = await hub.wait_for_turn("test")

    assert turn is not None
    assert (turn.turn_id, attempts) == ("12", 3)


class KilledServer(uvicorn.Server):
    """A server that can vanish in the middle of a request."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    def vanish(self) -> None:
        self.should_exit = True
        for connection in list(self.server_state.connections):
            transport: Any = connection.transport
            transport.abort()


@asynccontextmanager
async def serving(desk: Desk, port: int) -> AsyncIterator[KilledServer]:
    app = desk.server().streamable_http_app(stateless_http=True)
    config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1)
    server = KilledServer(config)
    running = asyncio.create_task(server._serve())  # without taking over the process's signals
    await server.up.wait()
    yield server
    server.vanish()
    await running


async def test_a_restart_of_the_hub_in_the_middle_of_a_wait_is_survived() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before, after = Desk(), Desk()
    before.offered = True  # the first hub has nothing to offer: its client waits
    connect = over_http(f"http://127.0.0.1:{port}/mcp", KEY)
    async with Hub(connect, first_pause=0.05).connected() as hub:
        async with serving(before, port) as first:
            waiting = asyncio.create_task(hub.wait_for_turn("test"))
            await before.asked.wait()
            first.vanish()
            before.answered.set()
        async with serving(after, port):
            turn = await asyncio.wait_for(waiting, 30)
            assert turn is not None
            reply = await hub.reply(turn, "текст")

    assert (turn.turn_id, reply.status) == ("12", "superseded")
