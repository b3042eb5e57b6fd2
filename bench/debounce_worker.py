"""Gathers for a while, then tells how late: `-m bench.debounce_worker DESIGN REDIS SILENCE SECONDS [DB]`.

engine: ours. turns: the whole orchestrator, until its turn can be read in PostgreSQL. polling: a small
polling design (a tick of 5 s that groups, one of 10 s that looks for silence). memory: timers in the process,
which a crash would lose.
Prints one line: {"lags_ms": [...], "late_ms": [...], "messages": n, "cpu_seconds": s}: lags since the silence
ended after the last push, lateness against the deadline that the engine had set.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import httpx
import uvloop
from pydantic import SecretStr
from redis.asyncio import Redis

from bench.messages import made_at_ms
from bench.quiet import be_quiet
from core.bell import Bell
from core.chats import Chats, Lease, Window, Windows
from core.clock import SystemClock
from core.collector import Collector
from core.dispatcher import Dispatcher
from core.keys import Keys
from core.messages import IncomingMessage
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import Pool, new_pool

GROUP_SECONDS, LOOK_SECONDS, WORKERS = 5.0, 10.0, 10
#: Transactions under way: their ids may be seen after later ones.
_UNDER_WAY = 100
_READY = """
SELECT t.id, max(m.due_at) AS due_at, array_agg(m.external_message_id) AS ids
  FROM turns t JOIN messages_history m ON m.turn_id = t.id
 WHERE t.id > $1
 GROUP BY t.id
"""


@dataclass(slots=True)
class Score:
    """What was delivered, and how late against the end of its silence."""

    silence: float
    lags_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    messages: int = 0

    def note(self, messages: list[IncomingMessage], due_at: float | None = None) -> None:
        self.note_ids([message.external_message_id for message in messages], due_at)

    def note_ids(self, ids: Sequence[str], due_at: float | None = None) -> None:
        due, now = max(map(made_at_ms, ids)) + self.silence * 1000, time.time() * 1000
        self.lags_ms.append(now - due)
        self.late_ms.append(now - (due if due_at is None else due_at))
        self.messages += len(ids)


Design = Callable[[Redis, Score], Awaitable[None]]


def _engine(redis: Redis, silence: float) -> Chats[IncomingMessage]:
    windows = Windows(Window(silence, 300))
    return Chats(redis, Keys().incoming, windows=windows, lease_ms=300_000, model=IncomingMessage)


async def _serve(chats: Chats[IncomingMessage], work: Callable[[Lease], Awaitable[None]]) -> None:
    clock = SystemClock()
    dispatcher = Dispatcher(chats, work, clock=clock, workers=WORKERS)
    collector = Collector(chats, clock=clock, notify=dispatcher.notify, pause=0.02)
    async with asyncio.TaskGroup() as group:
        group.create_task(collector.run())
        group.create_task(dispatcher.run())


async def engine(redis: Redis, score: Score) -> None:
    """Ours, before PostgreSQL."""
    chats = _engine(redis, score.silence)

    async def work(lease: Lease) -> None:
        read = chats.read(lease, time.time_ns() // 1_000_000)
        score.note(list(read.messages), lease.due_at)
        await chats.ack(lease, len(lease.items), time.time_ns() // 1_000_000)

    await _serve(chats, work)


async def turns(redis: Redis, score: Score) -> None:
    """Ours, whole: until somebody who waits for the bell can read the turn in PostgreSQL."""
    url, keys = sys.argv[5], Keys()
    settings = OrchestratorSettings(
        database_url=SecretStr(url), channel_api_key=SecretStr("bench"), silence_seconds=score.silence
    )
    async with new_pool(url, connections=WORKERS) as pool, httpx.AsyncClient() as http:
        channels, clock = Channels({}, http), SystemClock()
        hub = Orchestrator(settings, redis=redis, pool=pool, channels=channels, clock=clock, keys=keys)
        bell = Bell(redis, keys.bell("turns"))
        async with hub.running(), bell.listening():
            await _watch_turns(pool, bell, score)


async def _watch_turns(pool: Pool, bell: Bell, score: Score) -> None:
    seen: set[int] = set()
    while True:
        ticket = bell.ticket
        for row in await pool.fetch(_READY, max(seen, default=0) - _UNDER_WAY):
            if row["id"] not in seen:
                seen.add(row["id"])
                score.note_ids(row["ids"], row["due_at"].timestamp() * 1000)
        await bell.wait(ticket, 1)


async def polling(redis: Redis, score: Score) -> None:
    """Every few seconds: group what came; look at every chat whether it is silent; lock, read, delete."""
    await asyncio.gather(_group(redis), _look(redis, score))


async def _group(redis: Redis) -> None:
    while True:
        while raw := await cast("Awaitable[bytes | None]", redis.lpop("queue:incoming")):
            chat = IncomingMessage.model_validate_json(raw).external_chat_id
            await redis.rpush(f"poll:batch:{chat}", raw)
            await redis.set(f"poll:last:{chat}", time.time())
            await redis.sadd("poll:chats", chat)
        await asyncio.sleep(GROUP_SECONDS)


async def _look(redis: Redis, score: Score) -> None:
    while True:
        for chat in await cast("Awaitable[set[bytes]]", redis.smembers("poll:chats")):
            last = await redis.get(b"poll:last:" + chat)
            if last and time.time() - float(last) >= score.silence:
                await _deliver(redis, score, chat)
        await asyncio.sleep(LOOK_SECONDS)


async def _deliver(redis: Redis, score: Score, chat: bytes) -> None:
    if not await redis.set(b"poll:lock:" + chat, 1, nx=True, ex=300):
        return
    raws = await cast("Awaitable[list[bytes]]", redis.lrange(b"poll:batch:" + chat, 0, -1))
    if raws:
        score.note([IncomingMessage.model_validate_json(raw) for raw in raws])
    await redis.delete(b"poll:batch:" + chat, b"poll:lock:" + chat)
    await redis.srem("poll:chats", chat)


async def memory(redis: Redis, score: Score) -> None:
    """The floor: a timer of the process for each chat."""
    loop = asyncio.get_running_loop()
    waiting: dict[str, tuple[asyncio.TimerHandle, list[IncomingMessage]]] = {}

    def close(chat: str) -> None:
        score.note(waiting.pop(chat)[1])

    while True:
        popped = cast(
            "list[list[bytes]] | None",
            await redis.blmpop(1, 1, "queue:incoming", direction="LEFT", count=500),
        )
        for raw in popped[1] if popped else []:
            message = IncomingMessage.model_validate_json(raw)
            chat = str(message.external_chat_id)
            timer, messages = waiting.get(chat, (None, []))
            if timer:
                timer.cancel()
            wait = made_at_ms(message.external_message_id) / 1000 + score.silence - time.time()
            waiting[chat] = (loop.call_later(max(0, wait), close, chat), [*messages, message])


DESIGNS: dict[str, Design] = {"engine": engine, "turns": turns, "polling": polling, "memory": memory}


async def _run(design: str, url: str, silence: float, seconds: float) -> Score:
    score = Score(silence)
    async with Redis.from_url(url, socket_timeout=30) as redis:
        try:
            async with asyncio.timeout(seconds):
                await DESIGNS[design](redis, score)
        except TimeoutError:
            return score
    return score


def main() -> None:
    """Work for the given time, then tell."""
    be_quiet()
    design, url, silence, seconds = sys.argv[1:5]
    imported = time.process_time()
    score = uvloop.run(_run(design, url, float(silence), float(seconds)))
    told = {
        "lags_ms": [round(lag, 3) for lag in score.lags_ms],
        "late_ms": [round(late, 3) for late in score.late_ms],
        "messages": score.messages,
        "cpu_seconds": time.process_time() - imported,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
