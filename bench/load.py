"""A small HTTP/1.1 client: it asks as fast as it is answered, or at a steady rate whatever comes back."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast


@dataclass(slots=True)
class Answers:
    """How many came, how many were not 200, and how long each took, s."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0


class _Line(asyncio.Protocol):
    """One connection; answers are short and have a content-length."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._buffer = b""
        self._asked: list[float] = []
        self._heard = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP; uvloop's is of no common base

    @property
    def waiting(self) -> int:
        return len(self._asked)

    def ask(self, request: bytes, since: float) -> None:
        """Send it; its time counts from `since`, on time.perf_counter."""
        assert self._transport is not None  # noqa: S101 - connected
        self._asked.append(since)
        self._transport.write(request)

    async def answered(self) -> None:
        """Until nothing is waited for."""
        while self._asked:
            self._heard.clear()
            await self._heard.wait()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (size := _whole(self._buffer)) is not None:
            self._answers.seconds.append(time.perf_counter() - self._asked.pop(0))
            self._answers.refused += not self._buffer.startswith(b"HTTP/1.1 200")
            self._buffer = self._buffer[size:]
        self._heard.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def closed_loop(
    port: int, *, connections: int, seconds: float, request: Callable[[], bytes]
) -> Answers:
    """Every connection asks again as soon as it is answered."""
    answers = Answers()
    lines = await _connected(port, connections, answers)
    ends = time.perf_counter() + seconds

    async def keep_asking(line: _Line) -> None:
        while (now := time.perf_counter()) < ends:
            line.ask(request(), now)
            await line.answered()

    await asyncio.gather(*(keep_asking(line) for line in lines))
    _close(lines)
    return answers


async def open_loop(
    port: int, *, connections: int, rate: float, seconds: float, request: Callable[[], bytes]
) -> Answers:
    """`rate` a second, on time: a request that found its line busy has waited since it was due."""
    answers = Answers()
    lines = await _connected(port, connections, answers)
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        while sent < now * rate:
            min(lines, key=lambda line: line.waiting).ask(request(), began + sent / rate)
            sent += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*(line.answered() for line in lines))
    _close(lines)
    return answers


async def _connected(port: int, connections: int, answers: Answers) -> list[_Line]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Line(answers), "127.0.0.1", port) for _ in range(connections)
    ]
    return [line for _, line in made]


def _close(lines: list[_Line]) -> None:
    for line in lines:
        line.close()


def _whole(buffer: bytes) -> int | None:
    """The length of the first answer, when it is there whole."""
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return None
    found = buffer.lower().find(b"content-length:", 0, head)
    length = int(buffer[found + 15 : buffer.find(b"\r", found)])
    size = head + 4 + length
    return size if len(buffer) >= size else None
