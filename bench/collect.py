"""From queue:incoming into the chats' batches: our script beside one message at a time."""

import time
from collections.abc import Awaitable, Callable
from typing import cast

from redis.asyncio import Redis

from bench.finding import Finding, at_least, at_most
from bench.messages import incoming
from bench.samples import interleaved, median
from bench.stage import Stage
from core.chats import Chats, Windows
from core.keys import Keys
from core.messages import IncomingMessage

MESSAGES, CHATS, ROUNDS, ONE_BY_ONE = 50_000, 1_000, 3, 3_000
_PUSHED_AT_ONCE = 1_000


async def measure(stage: Stage) -> list[Finding]:
    """Messages a second of one worker, and the CPU of its process for each."""
    async with stage.redis() as redis:
        chats = Chats(redis, Keys().incoming, windows=Windows(), lease_ms=300_000, model=IncomingMessage)
        cpu: list[float] = []
        rates = await interleaved(
            ROUNDS,
            {
                "ours": _in_batches(stage, redis, chats, cpu),
                "single": _one_by_one(stage, redis),
            },
        )
    ours, single = median(rates["ours"]), median(rates["single"])
    each = median(cpu)
    return [
        Finding(
            "collect",
            "messages of 1 KB into 1,000 chats",
            "a second",
            ours,
            single,
            "BLMOVE, RPUSH, LREM one by one",
            judged=ours,
            goal=at_least(100_000),
        ),
        Finding("collect", "CPU of the worker a message", "us", each, judged=each, goal=at_most(10)),
    ]


def _in_batches(
    stage: Stage, redis: Redis, chats: Chats[IncomingMessage], cpu: list[float]
) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        count = stage.count(MESSAGES)
        await _fill(redis, count)
        began, used = time.perf_counter(), time.process_time()
        moved, more = 0, True
        while more:
            collected = await chats.collect(time.time_ns() // 1_000_000)
            moved, more = moved + collected.moved, collected.more
        if moved != count:
            raise RuntimeError(f"{moved} of {count} were collected")
        cpu.append((time.process_time() - used) / count * 1e6)
        return count / (time.perf_counter() - began)

    return once


def _one_by_one(stage: Stage, redis: Redis) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        count = stage.count(ONE_BY_ONE)
        await _fill(redis, count)
        began = time.perf_counter()
        for _ in range(count):
            raw = cast("bytes", await redis.blmove("queue:incoming", "queue:incoming:single", 1))
            chat = IncomingMessage.model_validate_json(raw).external_chat_id
            await redis.rpush(f"single:{chat}", raw)
            await redis.lrem("queue:incoming:single", 1, raw)  # type: ignore[arg-type]  # the stub says str
        return count / (time.perf_counter() - began)

    return once


async def _fill(redis: Redis, count: int) -> None:
    await redis.flushall()
    raws = [incoming(number, f"c{number % CHATS}") for number in range(count)]
    for start in range(0, count, _PUSHED_AT_ONCE):
        await redis.rpush("queue:incoming", *raws[start : start + _PUSHED_AT_ONCE])
