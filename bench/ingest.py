"""Webhook ingest: the channel as it is, beside itself without Redis and a route that reads the body."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bench.finding import Finding, at_least, at_most
from bench.ingest_server import LAST_SEGMENT
from bench.load import Answers, closed_loop, open_loop
from bench.samples import interleaved, median, percentile
from bench.stage import Server, Stage

KINDS = ("floor", "without_redis", "real")
CONNECTIONS, ROUNDS, RATE = 32, 3, 2_000
_BODY = (
    '{"id":"wh-%(n)032d","version":"v3.0.0","timestamp":1763800124,"payload":{"type":"message","value":'
    '{"id":"%(n)032x","chat_id":"u2i-%(chat)d","chat_type":"u2i","user_id":701000001,"author_id":702000002,'
    '"item_id":3550001234,"type":"text","content":{"text":"%(text)s"},"created":1763800123,'
    '"published_at":"2025-11-22T08:28:43Z","read":null}}}'
)
_numbers = itertools.count(1)


async def measure(stage: Stage) -> list[Finding]:
    """Requests a second at 32 connections; one at a time; 2,000 a second on time."""
    async with stage.redis(), _servers(stage) as servers:
        rates = await interleaved(
            ROUNDS, {kind: _closed(stage, servers[kind], CONNECTIONS) for kind in KINDS}
        )
        single = {kind: await _single(stage, servers[kind]) for kind in ("floor", "real")}
        steady = await open_loop(
            servers["real"].port,
            connections=CONNECTIONS,
            rate=RATE,
            seconds=stage.seconds(10),
            request=_request,
        )
    ours = median(rates["real"])
    rows = [
        _against(ours, rates[kind], kind, goal) for kind, goal in (("without_redis", 0.85), ("floor", 0.5))
    ]
    added = (median(single["real"].seconds) - median(single["floor"].seconds)) * 1000
    return [*rows, _alone(single, added), _steady(steady)]


def _against(ours: float, other: list[float], kind: str, goal: float) -> Finding:
    beside = {"without_redis": "the same route without Redis", "floor": "a route that reads the body"}[kind]
    rate = median(other)
    return Finding(
        "ingest",
        f"webhooks, 32 connections, beside {beside}",
        "a second",
        ours,
        rate,
        beside,
        judged=ours / rate,
        goal=at_least(goal),
    )


def _alone(single: dict[str, Answers], added: float) -> Finding:
    real, floor = (median(single[kind].seconds) * 1000 for kind in ("real", "floor"))
    return Finding(
        "ingest",
        "one at a time, p50; the goal is what it adds",
        "ms",
        real,
        floor,
        "a route that reads the body",
        judged=added,
        goal=at_most(0.5),
    )


def _steady(answers: Answers) -> Finding:
    slow = percentile(answers.seconds, 0.99) * 1000
    what = f"open loop at {RATE:,} a second, p99 ({answers.refused} refused)"
    return Finding("ingest", what, "ms", slow, judged=slow, goal=at_most(5))


@asynccontextmanager
async def _servers(stage: Stage) -> AsyncIterator[dict[str, Server]]:
    url, folder = stage.engines.redis_url, str(stage.folder / "spools")
    module = "bench.ingest_server"
    async with (
        stage.server(module, "floor", url, folder) as floor,
        stage.server(module, "without_redis", url, folder) as without,
        stage.server(module, "real", url, folder) as real,
    ):
        yield dict(zip(KINDS, (floor, without, real), strict=True))


def _closed(stage: Stage, server: Server, connections: int) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        seconds = stage.seconds(4)
        answers = await closed_loop(server.port, connections=connections, seconds=seconds, request=_request)
        if answers.refused:
            raise RuntimeError(f"{answers.refused} of {len(answers.seconds)} requests were refused")
        return len(answers.seconds) / seconds

    return once


async def _single(stage: Stage, server: Server) -> Answers:
    return await closed_loop(server.port, connections=1, seconds=stage.seconds(3), request=_request)


def _request() -> bytes:
    """About 1 KB, a message that was never seen, in one of 1,000 chats."""
    number = next(_numbers)
    body = (_BODY % {"n": number, "chat": number % 1000, "text": "Сколько стоит экран? " * 12}).encode()
    head = (
        f"POST /webhook/avito/default/{LAST_SEGMENT} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
