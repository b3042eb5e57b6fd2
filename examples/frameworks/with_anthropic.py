"""Anthropic SDK: its tool runner lets Claude look, this loop commits what Claude decides."""

import asyncio
import json
import os
from typing import Any

import httpx2
from anthropic import AsyncAnthropic
from anthropic.lib.tools.mcp import async_mcp_tool
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from examples.frameworks.decision import LOOK, PROMPT, Decision

HUB_URL = os.environ.get("HUB_URL", "http://127.0.0.1:8780/mcp")
MODEL = os.environ.get("ANTHROPIC_MODEL", "claude-sonnet-4-5")


async def answer(hub: Client, claude: AsyncAnthropic, turn: dict[str, Any]) -> str:
    """Decide and commit, once more for what the customer wrote meanwhile; what became of the turn."""
    lease = {"turn_id": turn["turn_id"], "lease_token": turn.pop("lease_token")}
    tools = [async_mcp_tool(tool, hub) for tool in (await hub.list_tools()).tools if tool.name in LOOK]
    talk: list[dict[str, Any]] = [{"role": "user", "content": json.dumps(turn, ensure_ascii=False)}]
    while True:
        asked = {"model": MODEL, "max_tokens": 2000, "system": PROMPT, "messages": talk, "tools": tools}
        runner = claude.beta.messages.tool_runner(**asked, output_format=Decision, thread=False)
        decision: Decision = (await runner.until_done()).parsed_output
        result = await hub.call_tool(decision.action, {**lease, **decision.arguments})
        outcome = result.structured_content or {"status": f"refused: {result.content}"}
        if outcome["status"] != "superseded":
            return str(outcome["status"])  # stale_lease: the turn is another agent's by now
        lease["lease_token"] = outcome.pop("lease_token")
        talk.append({"role": "assistant", "content": decision.model_dump_json()})
        talk.append({"role": "user", "content": json.dumps(outcome, ensure_ascii=False)})


async def main() -> None:
    """One turn after the other, until it is stopped."""
    headers = {"Authorization": f"Bearer {os.environ['HUB_API_KEY']}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(HUB_URL, http_client=http)) as hub,
        AsyncAnthropic() as claude,
    ):
        while True:
            turn = (await hub.call_tool("wait_for_turn", {"wait_seconds": 25})).structured_content
            if turn and turn["status"] == "turn":
                print(turn["turn_id"], await answer(hub, claude, turn), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
