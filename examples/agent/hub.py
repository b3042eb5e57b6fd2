"""The hub as the agent sees it: a thin MCP client that outlives restarts of the hub."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent
from pydantic import BaseModel, Field

WAIT_SECONDS = 25
#: Longest wait for words that are sent before a hand-off, and how often they are looked at, s.
SENT_WITHIN, LOOK_EVERY = 10.0, 0.25
CALL_SECONDS = 60.0
LONGEST_PAUSE = 30.0

Connect = Callable[[], AbstractAsyncContextManager[Client]]

log = logging.getLogger(__name__)


class HubRefused(Exception):
    """The hub answered with an error; its text says what to do."""


class Message(BaseModel):
    """One message of the customer. Fields that end in _untrusted are the customer's words."""

    message_id: str
    type: str = "text"
    text_untrusted: str = ""
    image_urls: list[str] = Field(default_factory=list)
    voice_url: str = ""
    voice_transcript_untrusted: str = ""
    has_video: bool = False
    has_document: bool = False
    sent_at: str = ""


class HistoryLine(BaseModel):
    """One earlier message of the conversation."""

    sender: str
    text_untrusted: str = ""
    sent_at: str = ""


class Turn(BaseModel):
    """Everything a customer wrote since the last answer; ours until the lease ends."""

    turn_id: str
    lease_token: str
    lease_seconds: float = 0
    channel: str
    account: str = "default"
    chat_id: str = ""
    can_reply: bool = True
    client_name_untrusted: str = ""
    client_phone: str = ""
    ad_title_untrusted: str = ""
    ad_price_untrusted: str = ""
    messages: list[Message] = Field(default_factory=list)
    history: list[HistoryLine] = Field(default_factory=list)


class Reply(BaseModel):
    """What became of a reply."""

    status: Literal["queued", "superseded", "stale_lease", "already_answered"]
    delivery_id: str = ""
    lease_token: str = ""
    new_messages: list[Message] = Field(default_factory=list)


class Hub:
    """The tools of the hub as methods; a call waits while the hub is away."""

    def __init__(self, connect: Connect, *, first_pause: float = 0.5) -> None:
        self._connect = connect
        self._first_pause = self._pause = first_pause
        self._client: Client | None = None
        self._opened = asyncio.Event()
        self._lost = asyncio.Event()

    async def wait_for_turn(self, agent: str) -> Turn | None:
        """The next turn; None when nobody wrote for a while."""
        offer = await self._call("wait_for_turn", wait_seconds=WAIT_SECONDS, agent=agent)
        return Turn.model_validate(offer) if offer["status"] == "turn" else None

    async def take_turn(self, agent: str, turn_id: str) -> Turn | None:
        """This turn, when the hub has told of it; None when somebody else has it."""
        offer = await self._call("wait_for_turn", wait_seconds=0, agent=agent, turn_id=turn_id)
        return Turn.model_validate(offer) if offer["status"] == "turn" else None

    async def reply(self, turn: Turn, text: str, *, force: bool = False) -> Reply:
        """Answer a turn. Repeating after a lost connection is safe: a turn is answered once."""
        answer = await self._call("reply", **_lease(turn), text=text, force=force)
        return Reply.model_validate(answer)

    async def skip_turn(self, turn: Turn, reason: str) -> None:
        """Finish a turn without a word to the customer."""
        await self._call("skip_turn", **_lease(turn), reason=reason)

    async def hand_off(self, turn: Turn, reason: str) -> None:
        """Give a turn to a person; we are silent in its conversation from then on."""
        await self._call("hand_off", **_lease(turn), reason=reason)

    async def say_before_hand_off(self, turn: Turn, text: str) -> None:
        """Write beside the turn, which stays open, and wait until that is sent: the pause would stop it.

        Repeating is safe: the message is sent once.
        """
        place = {"channel": turn.channel, "account": turn.account, "chat_id": turn.chat_id}
        key = f"before the hand-off of turn {turn.turn_id}"
        sent = await self._call("send_message", **place, text=text, idempotency_key=key)
        for _ in range(int(SENT_WITHIN / LOOK_EVERY)):
            delivery = await self._call("get_delivery", delivery_id=sent["delivery_id"])
            if delivery["state"] not in ("queued", "sending"):
                return
            await asyncio.sleep(LOOK_EVERY)

    async def extend_turn(self, turn: Turn) -> None:
        """Keep the turn for another lease."""
        await self._call("extend_turn", **_lease(turn))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Hub"]:
        """Keep one connection open, and open it again, for ever, when it breaks."""
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep_connected())
            try:
                yield self
            finally:
                keeping.cancel()

    async def _keep_connected(self) -> None:
        while True:
            try:
                async with self._connect() as self._client:
                    self._lost.clear()
                    self._opened.set()
                    await self._lost.wait()
            except Exception as error:  # noqa: BLE001  # whatever broke, the mend is to connect again
                log.warning("hub away · %s · next attempt in %.1f s", _cause(error), self._pause)
            finally:
                self._opened.clear()
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        while True:
            await self._opened.wait()
            client = self._client
            assert client is not None  # noqa: S101  # _opened says so
            try:
                result = await client.call_tool(tool, arguments, read_timeout_seconds=CALL_SECONDS)
            except MCPError as error:
                self._lose(client, error)
                continue
            self._pause = self._first_pause
            if result.is_error or not isinstance(result.structured_content, dict):
                said = " ".join(part.text for part in result.content if isinstance(part, TextContent))
                raise HubRefused(f"{tool}: {said}")
            return result.structured_content

    def _lose(self, client: Client, error: MCPError) -> None:
        if client is self._client and self._opened.is_set():
            log.warning("hub lost · %s", error)
            self._opened.clear()
            self._lost.set()


def over_http(url: str, key: str) -> Connect:
    """How to reach a hub at `url`."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=CALL_SECONDS) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield client

    return connect


def _lease(turn: Turn) -> dict[str, str]:
    return {"turn_id": turn.turn_id, "lease_token": turn.lease_token}


def _cause(error: BaseException) -> str:
    """The first single error inside a group: the group itself says nothing."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
