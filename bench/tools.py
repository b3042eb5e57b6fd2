"""A tool call over streamable HTTP: our server beside the SDK's own, each with a tool that does nothing."""

import json
from collections.abc import Awaitable, Callable

import httpx

from bench.finding import Finding, at_most
from bench.samples import interleaved, median
from bench.stage import Server, Stage
from bench.tools_server import KEY

CALLS, ROUNDS = 300, 3
_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "noop", "arguments": {"text": "x"}},
}
_HEADERS = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2025-11-25",
    "authorization": f"Bearer {KEY}",
}


async def measure(stage: Stage) -> list[Finding]:
    """One call after the other, stateless."""
    module = "bench.tools_server"
    async with stage.server(module, "ours") as our, stage.server(module, "bare") as bare:
        count = stage.count(CALLS)
        times = await interleaved(ROUNDS, {"ours": _calls(our, count), "bare": _calls(bare, count)})
    ours, other = median(times["ours"]), median(times["bare"])
    return [
        Finding(
            "tools",
            "a call of a tool that does nothing",
            "ms",
            ours,
            other,
            "the SDK's own server",
            judged=ours / other,
            goal=at_most(1.1),
        )
    ]


def _calls(server: Server, count: int) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        before = server.cpu_seconds
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            for _ in range(count):
                answer = await http.post("/mcp", content=json.dumps(_CALL), headers=_HEADERS)
                if answer.status_code != 200 or '"isError":true' in answer.text:
                    raise RuntimeError(f"the call failed: {answer.status_code} {answer.text[:300]}")
        return (server.cpu_seconds - before) / count * 1000

    return once
