"""pydantic-ai: its run lets the agent look, this loop commits what the agent decides."""

import asyncio
import json
import os
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset

from examples.frameworks.decision import LOOK, PROMPT, Decision

HUB_URL = os.environ.get("HUB_URL", "http://127.0.0.1:8780/mcp")
MODEL = os.environ.get("MODEL", "anthropic:claude-sonnet-4-5")


async def answer(hub: MCPToolset, agent: Agent[None, Decision], turn: dict[str, Any]) -> str:
    """Decide and commit, once more for what the customer wrote meanwhile; what became of the turn."""
    lease = {"turn_id": turn["turn_id"], "lease_token": turn.pop("lease_token")}
    run = await agent.run(json.dumps(turn, ensure_ascii=False))
    while True:
        outcome = await hub.direct_call_tool(run.output.action, {**lease, **run.output.arguments})
        if outcome["status"] != "superseded":
            return str(outcome["status"])  # stale_lease: the turn is another agent's by now
        lease["lease_token"] = outcome.pop("lease_token")
        news = json.dumps(outcome, ensure_ascii=False)
        run = await agent.run(news, message_history=run.all_messages())


async def main() -> None:
    """One turn after the other, until it is stopped."""
    headers = {"Authorization": f"Bearer {os.environ['HUB_API_KEY']}"}
    hub = MCPToolset(HUB_URL, headers=headers, read_timeout=60)
    look = hub.filtered(lambda _, tool: tool.name in LOOK)
    agent = Agent(MODEL, instructions=PROMPT, output_type=Decision, toolsets=[look])
    async with hub:
        while True:
            turn = await hub.direct_call_tool("wait_for_turn", {"wait_seconds": 25})
            if turn["status"] == "turn":
                print(turn["turn_id"], await answer(hub, agent, turn), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
