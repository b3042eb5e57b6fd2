"""From the end of a chat's silence to its batch: ours beside polling and beside timers in memory."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from bench.finding import Finding, at_most
from bench.messages import incoming
from bench.samples import percentile
from bench.stage import Stage

SILENCE, WATCHED, GAP = 20.0, 20.0, 1.0
BURST = 2
SIZES = (100, 1_000, 10_000)
#: Importing and connecting, before the worker takes the first message.
_AHEAD = 3.0
_TICK = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """One design with that many live chats."""

    lags_ms: list[float]
    late_ms: list[float]
    messages: int
    cpu_us: float
    commands: float
    split: float


async def measure(stage: Stage) -> list[Finding]:
    """Bursts of two messages a second apart, as many chats as keep that number alive."""
    findings: list[Finding] = []
    for live in SIZES:
        ours = await _run(stage, "engine", live)
        polling = await _run(stage, "polling", live)
        floor = await _run(stage, "memory", live)
        findings += _rows(f"{live:,} live chats", ours, polling, floor)
    turns = await _run(stage, "turns", 1_000)
    return [*findings, *_turn_rows(turns)]


def _rows(chats: str, ours: Run, polling: Run, floor: Run) -> list[Finding]:
    return [
        *(_lag(chats, share, ours, polling) for share in (0.5, 0.99)),
        *(_late(chats, ours.late_ms, share, goal) for share, goal in ((0.5, 2), (0.99, 10))),
        Finding(
            "debounce",
            f"{chats}: CPU a message",
            "us",
            ours.cpu_us,
            floor.cpu_us,
            "timers in memory",
            judged=ours.cpu_us / floor.cpu_us,
            goal=at_most(1.5),
        ),
        Finding(
            "debounce",
            f"{chats}: Redis commands a message",
            "",
            ours.commands,
            polling.commands,
            "polling",
            judged=ours.commands,
            goal=at_most(10),
        ),
        Finding(
            "debounce",
            f"{chats}: bursts split",
            "%",
            ours.split,
            polling.split,
            "polling",
            judged=ours.split,
            goal=at_most(0),
        ),
    ]


def _lag(chats: str, share: float, ours: Run, polling: Run) -> Finding:
    pair = percentile(ours.lags_ms, share), percentile(polling.lags_ms, share)
    return Finding("debounce", f"{chats}: lag after the silence, p{share * 100:.0f}", "ms", *pair, "polling")


def _late(chats: str, late_ms: list[float], share: float, goal: float) -> Finding:
    late = percentile(late_ms, share)
    what = f"{chats}: later than the deadline, p{share * 100:.0f}"
    return Finding("debounce", what, "ms", late, judged=late, goal=at_most(goal))


def _turn_rows(run: Run) -> list[Finding]:
    chats = "turn in PostgreSQL, by the whole orchestrator, 1,000 live chats"
    return [_late(chats, run.late_ms, share, goal) for share, goal in ((0.5, 5), (0.99, 25))]


async def _run(stage: Stage, design: str, live: int) -> Run:
    live, silence, watched = stage.count(live), stage.seconds(SILENCE), stage.seconds(WATCHED)
    writing = silence + watched
    working = _AHEAD + writing + silence + (12 if design == "polling" else 5)
    async with stage.redis() as redis, stage.database() as database:
        url = stage.engines.redis_url
        worker = asyncio.create_task(
            stage.worker("bench.debounce_worker", design, url, str(silence), str(working), database)
        )
        await asyncio.sleep(_AHEAD)
        before = await _commands(redis)
        pushed, pushes = await _write(redis, live, silence, writing)
        told = await worker
        commands = await _commands(redis) - before - pushes
    _refuse_losses(design, told, pushed)
    bursts = pushed / BURST
    return Run(
        told["lags_ms"],
        told["late_ms"],
        told["messages"],
        cpu_us=told["cpu_seconds"] / told["messages"] * 1e6,
        commands=commands / told["messages"],
        split=max(0.0, (len(told["lags_ms"]) - bursts) / bursts * 100),
    )


def _refuse_losses(design: str, told: dict[str, Any], pushed: int) -> None:
    """What polling has not delivered in time it may still have: only ours must have all."""
    if design in ("engine", "turns") and told["messages"] != pushed:
        raise RuntimeError(f"{design}: {told['messages']} of {pushed} messages were delivered")


async def _write(redis: Redis, live: int, silence: float, seconds: float) -> tuple[int, int]:
    """Push bursts at an even pace for that long; -> messages, calls of RPUSH."""
    rate = live / (silence + GAP)
    began, started, number, calls = time.perf_counter(), 0, 0, 0
    second: list[tuple[float, str]] = []
    while (now := time.perf_counter() - began) < seconds or second:
        due = [f"b{burst}" for burst in range(started, round(min(now, seconds) * rate))]
        started += len(due)
        again = [chat for at, chat in second if at <= now]
        second = [*((at, chat) for at, chat in second if at > now), *((now + GAP, chat) for chat in due)]
        raws = [incoming(number + place, chat) for place, chat in enumerate([*due, *again])]
        if raws:
            await redis.rpush("queue:incoming", *raws)
            number, calls = number + len(raws), calls + 1
        await asyncio.sleep(_TICK)
    return number, calls


async def _commands(redis: Redis) -> int:
    return int((await redis.info("stats"))["total_commands_processed"])
