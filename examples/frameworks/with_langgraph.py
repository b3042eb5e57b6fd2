"""LangGraph: take, think, commit as a graph; its model looks and decides, the graph commits."""

import asyncio
import json
import os
from typing import Any, TypedDict

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.graph import END, START, StateGraph

from examples.frameworks.decision import LOOK, PROMPT, Decision

HUB_URL = os.environ.get("HUB_URL", "http://127.0.0.1:8780/mcp")
MODEL = os.environ.get("MODEL", "anthropic:claude-sonnet-4-5")


class Turn(TypedDict, total=False):
    """The lease, the talk with the model, its decision, and the hub's word on it."""

    lease: dict[str, str]
    talk: list[Any]
    decision: Decision
    status: str


async def main() -> None:
    """One turn after the other, until it is stopped."""
    key = {"Authorization": f"Bearer {os.environ['HUB_API_KEY']}"}
    servers = MultiServerMCPClient({"hub": {"transport": "http", "url": HUB_URL, "headers": key}})
    async with servers.session("hub") as hub:
        look = [tool for tool in await load_mcp_tools(hub) if tool.name in LOOK]
        agent = create_agent(MODEL, look, system_prompt=PROMPT, response_format=Decision)

        async def take(_: Turn) -> Turn:
            turn = (await hub.call_tool("wait_for_turn", {"wait_seconds": 25})).structuredContent
            lease = {"turn_id": turn["turn_id"], "lease_token": turn.pop("lease_token")}
            talk = [("user", json.dumps(turn, ensure_ascii=False))]
            return {"lease": lease, "talk": talk, "status": turn["status"]}

        async def think(state: Turn) -> Turn:
            said = await agent.ainvoke({"messages": state["talk"]})
            return {"talk": said["messages"], "decision": said["structured_response"]}

        async def commit(state: Turn) -> Turn:
            lease, decision = state["lease"], state["decision"]
            result = await hub.call_tool(decision.action, {**lease, **decision.arguments})
            outcome = result.structuredContent or {"status": f"refused: {result.content}"}
            lease = {**lease, "lease_token": outcome.pop("lease_token", "")}
            talk = [*state["talk"], ("user", json.dumps(outcome, ensure_ascii=False))]
            return {"lease": lease, "talk": talk, "status": outcome["status"]}

        flow = StateGraph(Turn).add_node(take).add_node(think).add_node(commit)
        flow.add_edge(START, "take").add_edge("think", "commit")
        flow.add_conditional_edges("take", lambda now: "think" if now["status"] == "turn" else END)
        flow.add_conditional_edges("commit", lambda now: "think" if now["status"] == "superseded" else END)
        graph = flow.compile()
        while True:
            state = await graph.ainvoke({})
            if state["status"] != "none":
                print(state["lease"]["turn_id"], state["status"], flush=True)


if __name__ == "__main__":
    asyncio.run(main())
