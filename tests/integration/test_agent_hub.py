"""The demo agent's client over a real MCP server, in memory and over HTTP that breaks."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from examples.agent.answers import RuleAnswerer
from examples.agent.hub import Connect, Hub, HubRefused, Turn, over_http
from examples.agent.loop import Agent
from orchestrator.hub_models import ReplyResult, TurnMessage, TurnOffer, TurnState

ROOT = Path(__file__).parents[2]
KEY = "agents-key-0123456789"


class Desk:
    """A hub of one turn: superseded once, then answered."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, str]] = []
        self.answered = asyncio.Event()
        self.asked: Callable[[], None] = lambda: None
        self.offered = False
        self.sent: list[dict[str, str]] = []
        self.states = ["queued", "sending", "sent"]
        self.handed_off: list[tuple[str, int]] = []

    def server(self) -> MCPServer:
        server = MCPServer("hub", log_level="WARNING")
        turns = (self.wait_for_turn, self.reply, self.skip_turn, self.extend_turn, self.hand_off)
        for tool in (*turns, self.send_message, self.get_delivery):
            server.add_tool(tool)
        return server

    async def wait_for_turn(self, wait_seconds: int = 25, agent: str = "") -> TurnOffer:
        """Wait."""
        self.asked()
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

    async def send_message(
        self, channel: str, chat_id: str, text: str, account: str, idempotency_key: str
    ) -> dict[str, str]:
        """Send."""
        self.sent.append({"to": f"{channel}/{account}/{chat_id}", "text": text, "key": idempotency_key})
        return {"delivery_id": "d-2"}

    async def get_delivery(self, delivery_id: str) -> dict[str, str]:
        """Look up."""
        return {"delivery_id": delivery_id, "state": self.states.pop(0)}

    async def hand_off(self, turn_id: str, lease_token: str, reason: str) -> ReplyResult:
        """Hand off."""
        self.handed_off.append((reason, len(self.states)))
        return ReplyResult(status="handed_off")


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


async def test_the_words_before_a_hand_off_are_sent_before_it() -> None:
    """The pause would stop what still waits; said again after a lost answer they go once, by their key."""
    desk = Desk()
    mine = TURN.model_copy(update={"chat_id": "c-1"})
    async with Hub(in_memory(desk.server())).connected() as hub:
        await hub.say_before_hand_off(mine, "Зовём коллегу.")
        await hub.hand_off(mine, "asked for one")

    key = "before the hand-off of turn 12"
    assert desk.sent == [{"to": "avito/default/c-1", "text": "Зовём коллегу.", "key": key}]
    assert desk.handed_off == [("asked for one", 0)]


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


@asynccontextmanager
async def hub_process(port: int, *, empty: bool = False) -> AsyncIterator[asyncio.subprocess.Process]:
    """A hub in a process of its own, killed at the end; it says "asked" when an agent waits."""
    command = [sys.executable, "-m", __name__, str(port), *(["empty"] if empty else [])]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def test_a_hub_that_is_killed_in_the_middle_of_a_wait_is_survived() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with Hub(over_http(f"http://127.0.0.1:{port}/mcp", KEY), first_pause=0.05).connected() as hub:
        async with hub_process(port, empty=True) as first:
            waiting = asyncio.create_task(hub.wait_for_turn("test"))
            assert first.stdout is not None
            assert await first.stdout.readline() == b"asked\n"
        async with hub_process(port):
            turn = await waiting
            assert turn is not None
            reply = await hub.reply(turn, "текст")

    assert (turn.turn_id, reply.status) == ("12", "superseded")


def main(port: int, *, empty: bool) -> None:
    """Serve a desk until killed; an empty one has no turn to offer."""
    desk = Desk()
    desk.offered = empty
    desk.asked = lambda: print("asked", flush=True)  # noqa: T201  # the test reads it
    app = desk.server().streamable_http_app(stateless_http=True)
    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), empty="empty" in sys.argv)
