"""From queue:outgoing to a channel: the orchestrator beside a bare loop of httpx; a bulk beside replies."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis

from bench.finding import Finding, at_least, at_most
from bench.samples import interleaved, median, percentile
from bench.stage import Server, Stage
from core.bell import Bell
from core.clock import SystemClock
from core.keys import Keys
from core.messages import OutgoingMessage
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels, channels_client
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.outbound import insert_outbound
from orchestrator.store.pool import Pool, new_pool

MESSAGES, CONCURRENCY, ROUNDS = 1_500, 10, 3
BULK, REPLIES, REPLY_EVERY, VENDOR_SECONDS = 10_000, 60, 0.25, 0.02
_LONGEST = 120.0
_names = itertools.count()


async def measure(stage: Stage) -> list[Finding]:
    """Messages a second through the whole way; how late replies are while a bulk goes."""
    async with stage.server("bench.stub_channel", "0") as quick, _orchestrator(stage, quick) as out:
        count = stage.count(MESSAGES)
        rates = await interleaved(
            ROUNDS, {"ours": _through(out.redis, quick, count), "bare": _bare(quick, count)}
        )
    alone, beside = await _replies(stage, 0), await _replies(stage, stage.count(BULK))
    ours, bare = median(rates["ours"]), median(rates["bare"])
    late, added = percentile(beside, 0.99), percentile(beside, 0.99) - percentile(alone, 0.99)
    return [
        Finding(
            "outbound",
            "queue:outgoing to the channel, 10 at a time",
            "a second",
            ours,
            bare,
            "a bare loop of httpx",
            judged=ours / bare,
            goal=at_least(0.8),
        ),
        Finding(
            "outbound",
            f"other chats' messages while a bulk of {BULK:,} goes, p99; the goal is what it adds",
            "ms",
            late,
            percentile(alone, 0.99),
            "without the bulk",
            judged=max(added, 0.1),
            goal=at_most(1_000),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Out:
    """The two doors to the outbox: the list, and the hub's transaction."""

    redis: Redis
    pool: Pool

    async def say(self, text: str) -> None:
        """As the hub takes a message of an agent, and rings."""
        message = OutgoingMessage.model_validate(_message(text))
        await insert_outbound(self.pool, message, origin="tool", now=datetime.now(UTC))
        await Bell(self.redis, Keys().bell("outbox")).ring()


@asynccontextmanager
async def _orchestrator(stage: Stage, channel: Server) -> AsyncIterator[Out]:
    """The orchestrator's loops in this process, before one channel."""
    async with stage.redis() as redis, stage.database() as url, channels_client("bench") as http:
        settings = OrchestratorSettings(
            database_url=SecretStr(url),
            channel_api_key=SecretStr("bench"),
            delivery_workers=CONCURRENCY,
            channels="avito",
        )
        async with new_pool(url, connections=CONCURRENCY) as pool:
            made = Orchestrator(
                settings,
                redis=redis,
                pool=pool,
                channels=Channels({"avito": f"http://127.0.0.1:{channel.port}"}, http),
                clock=SystemClock(),
                keys=Keys(),
            )
            async with made.running():
                yield Out(redis, pool)


def _through(redis: Redis, channel: Server, count: int) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        texts = [f"out {next(_names)}" for _ in range(count)]
        began = time.perf_counter()
        await _push(redis, texts)
        await _until_taken(channel, texts)
        return count / (time.perf_counter() - began)

    return once


def _bare(channel: Server, count: int) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        url = f"http://127.0.0.1:{channel.port}/api/messages/send"
        left = iter(range(count))
        async with httpx.AsyncClient() as http:

            async def keep_sending() -> None:
                for number in left:
                    body = {"chat_id": f"c{number}", "account": "default", "text": f"bare {number}"}
                    (await http.post(url, json=body)).raise_for_status()

            began = time.perf_counter()
            await asyncio.gather(*(keep_sending() for _ in range(CONCURRENCY)))
            return count / (time.perf_counter() - began)

    return once


async def _replies(stage: Stage, bulk: int) -> list[float]:
    """How long each message to a chat of its own took, ms, while `bulk` messages were on the list."""
    async with (
        stage.server("bench.stub_channel", str(VENDOR_SECONDS)) as vendor,
        _orchestrator(stage, vendor) as out,
    ):
        if bulk:
            await _push(out.redis, [f"bulk {number}" for number in range(bulk)])
            await asyncio.sleep(1)
        pushed: dict[str, float] = {}
        for number in range(stage.count(REPLIES)):
            text = f"reply {number}"
            pushed[text] = time.time() * 1000
            await out.say(text)
            await asyncio.sleep(REPLY_EVERY)
        taken = await _until_taken(vendor, list(pushed))
    return [taken[text] - at for text, at in pushed.items()]


async def _push(redis: Redis, texts: Sequence[str]) -> None:
    await redis.rpush("queue:outgoing", *(json.dumps(_message(text)) for text in texts))


def _message(text: str) -> dict[str, str]:
    """Each text to a chat of its own."""
    return {"channel": "avito", "external_chat_id": f"chat of {text}", "text": text}


async def _until_taken(channel: Server, texts: Sequence[str]) -> dict[str, float]:
    url = f"http://127.0.0.1:{channel.port}/taken"
    async with asyncio.timeout(_LONGEST), httpx.AsyncClient() as http:
        while True:
            taken: dict[str, float] = (await http.get(url)).json()
            if taken.keys() >= set(texts):
                return taken
            await asyncio.sleep(0.02)
