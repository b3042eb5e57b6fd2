"""OpenAI Agents SDK: its runner lets the agent look, this loop commits what the agent decides."""

import asyncio
import json
import os
from typing import Any

from agents import Agent, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp, create_static_tool_filter

from examples.frameworks.decision import LOOK, PROMPT, Decision

HUB_URL = os.environ.get("HUB_URL", "http://127.0.0.1:8780/mcp")


async def answer(hub: MCPServerStreamableHttp, agent: Agent, turn: dict[str, Any]) -> str:
    """Decide and commit, once more for what the customer wrote meanwhile; what became of the turn."""
    lease = {"turn_id": turn["turn_id"], "lease_token": turn.pop("lease_token")}
    run = await Runner.run(agent, json.dumps(turn, ensure_ascii=False))
    while True:
        decision = run.final_output_as(Decision)
        result = await hub.call_tool(decision.action, {**lease, **decision.arguments})
        outcome = result.structured_content or {"status": f"refused: {result.content}"}
        if outcome["status"] != "superseded":
            return str(outcome["status"])  # stale_lease: the turn is another agent's by now
        lease["lease_token"] = outcome.pop("lease_token")
        news = {"role": "user", "content": json.dumps(outcome, ensure_ascii=False)}
        run = await Runner.run(agent, [*run.to_input_list(), news])


async def main() -> None:
    """One turn after the other, until it is stopped."""
    set_tracing_disabled(True)  # else every customer's words are uploaded once more, as traces
    async with MCPServerStreamableHttp(
        params={"url": HUB_URL, "headers": {"Authorization": f"Bearer {os.environ['HUB_API_KEY']}"}},
        tool_filter=create_static_tool_filter(allowed_tool_names=list(LOOK)),
        cache_tools_list=True,
        client_session_timeout_seconds=60,
    ) as hub:
        agent = Agent("shop", instructions=PROMPT, mcp_servers=[hub], output_type=Decision)
        while True:
            turn = (await hub.call_tool("wait_for_turn", {"wait_seconds": 25})).structured_content
            if turn and turn["status"] == "turn":
                print(turn["turn_id"], await answer(hub, agent, turn), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
