"""A balancer without sticky sessions: every request goes to the next replica, on a connection of its own.

It shows our key where the caller has none, because the suite cannot. Values of headers stay as they are.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

_END = b"\r\n\r\n"
_LONGEST_HEAD = 64 * 1024


class Balancer:
    """In front of `ports` on this machine. `taken` counts the requests of each."""

    def __init__(self, ports: Sequence[int], *, key: str = "") -> None:
        self.taken = dict.fromkeys(ports, 0)
        self._turns = itertools.cycle(ports)
        self._key = key

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Its address."""
        async with asyncio.TaskGroup() as group:
            serving: set[asyncio.Task[None]] = set()

            def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = group.create_task(self._serve(reader, writer))
                serving.add(task)
                task.add_done_callback(serving.discard)

            server = await asyncio.start_server(meet, "127.0.0.1", 0, limit=_LONGEST_HEAD)
            async with server:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                for task in serving:
                    task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(_END)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        port = next(self._turns)
        self.taken[port] += 1
        behind, ahead = await asyncio.open_connection("127.0.0.1", port)
        ahead.write(self._told(head))
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_pass_on(reader, ahead))
            ways.create_task(_pass_on(behind, writer))

    def _told(self, head: bytes) -> bytes:
        """The head as the replica hears it: one request, then the connection ends."""
        lines = [line for line in head.removesuffix(_END).split(b"\r\n") if not _named(line, b"connection")]
        if self._key and not any(_named(line, b"authorization", b"x-api-key") for line in lines):
            lines.append(b"X-API-Key: " + self._key.encode())
        return b"\r\n".join([*lines, b"Connection: close"]) + _END


def _named(line: bytes, *names: bytes) -> bool:
    return line.partition(b":")[0].strip().lower() in names


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one of both has gone; the other hears of it."""
    try:
        while piece := await reader.read(_LONGEST_HEAD):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
