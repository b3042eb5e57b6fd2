"""What gathered messages cost Redis, and what a whole run costs the machine."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil

from bench.finding import Finding, at_most
from bench.messages import incoming
from bench.stage import Stage
from core.chats import Chats, Windows
from core.keys import Keys
from core.messages import IncomingMessage
from launcher.settings import environment

CHATS, EACH = 10_000, 3
_PORTS_FROM = "47600"
_START_SECONDS = 120.0
_MIB = 1024 * 1024


async def measure(stage: Stage) -> list[Finding]:
    """Live chats in Redis against their payload; every process of `eldoleado run` at rest."""
    return [await _live_chats(stage), *await _whole_run(stage)]


async def _live_chats(stage: Stage) -> Finding:
    async with stage.redis() as redis:
        chats = Chats(redis, Keys().incoming, windows=Windows(), lease_ms=300_000, model=IncomingMessage)
        before = int((await redis.info("memory"))["used_memory"])
        payload = 0
        for part in range(EACH):
            raws = [incoming(part, f"m{number}") for number in range(CHATS)]
            payload += sum(map(len, raws))
            for start in range(0, CHATS, 1000):
                await redis.rpush("queue:incoming", *raws[start : start + 1000])
            while (await chats.collect(time.time_ns() // 1_000_000)).more:
                pass
        used = int((await redis.info("memory"))["used_memory"]) - before
    return Finding(
        "memory",
        f"Redis, {CHATS:,} live chats of {EACH} messages",
        "MiB",
        used / _MIB,
        payload / _MIB,
        "the payload",
        judged=used / payload,
        goal=at_most(1.5),
    )


async def _whole_run(stage: Stage) -> list[Finding]:
    """`eldoleado run` on ports and a folder of its own, ended by its pid."""
    state = stage.folder / "run"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "launcher",
        "run",
        "--state",
        str(state),
        "--ports-from",
        _PORTS_FROM,
        stdout=asyncio.subprocess.PIPE,
        env=environment() | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    try:
        await _up(process)
        await asyncio.sleep(stage.seconds(20))
        sizes = _sizes(process.pid)
    finally:
        os.kill(process.pid, signal.SIGINT)
        await process.wait()
    services = {name: size for name, size in sizes.items() if name.startswith(("mcp_", "form", "orch"))}
    name, largest = max(services.items(), key=lambda pair: pair[1])
    whole = sum(sizes.values())
    return [
        Finding(
            "memory", f"largest service at rest ({name})", "MiB", largest, judged=largest, goal=at_most(100)
        ),
        Finding("memory", "all of `make run` at rest", "MiB", whole, judged=whole, goal=at_most(1229)),
    ]


async def _up(process: asyncio.subprocess.Process) -> None:
    """Until the run says that everything is up."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    async with asyncio.timeout(_START_SECONDS):
        while line := await process.stdout.readline():
            if b"everything is up" in line.lower():
                return
    raise RuntimeError("the run ended before it was up")


def _sizes(pid: int) -> dict[str, float]:
    """MiB of each process and what it shares, by its module's name."""
    root = psutil.Process(pid)
    sizes: dict[str, float] = {}
    for one in [root, *root.children(recursive=True)]:
        words = one.cmdline()
        name = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name if words else "?"
        sizes[name] = sizes.get(name, 0) + one.memory_full_info().pss / _MIB
    return sizes
