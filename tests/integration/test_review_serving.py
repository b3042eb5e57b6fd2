"""A service ends when its loops are dead, and keeps no more of a request than it must."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.serve import LONGEST_HEAD, _config, _Server
from core.settings import ServiceSettings

ROOT = Path(__file__).parents[2]

#: A service with one loop, which dies as soon as the service has begun to listen.
SERVICE = """
import asyncio
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from core.serve import serve
from core.settings import ServiceSettings

@asynccontextmanager
async def running(_):
    async with asyncio.TaskGroup() as loops:
        async def dies():
            await asyncio.sleep(0)
            raise RuntimeError("a loop died")
        loops.create_task(dies())
        yield

serve(lambda: Starlette(lifespan=running), ServiceSettings(), port=0)
"""


def test_a_service_whose_loop_died_ends_with_an_error() -> None:
    """Before, it went on to answer /health while nobody worked on any chat."""
    environment = {"REDIS_URL": "redis://127.0.0.1:9", "API_KEYS": "operator=0123456789abcdef"}
    ended = subprocess.run(
        [sys.executable, "-c", SERVICE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server of ours that reads a body and says how long it was."""

    async def count(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    app = Starlette(routes=[Route("/", count, methods=["POST"])])
    settings = ServiceSettings.model_construct(host="127.0.0.1", port=0, shutdown_seconds=1)
    server = _Server(_config(app, settings, 0), app)
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    yield listening.getsockname()[1]
    server.should_exit = True
    await task


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.mark.promise("bad-input")
@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (HEAD, b"X-More: " + b"a" * 8_000 + b"\r\n"),
        (HEAD + b"X-One: ", b"a" * 8_000),
        (CHUNKED + b"0\r\n", b"X-Trailer: " + b"a" * 8_000 + b"\r\n"),
    ],
    ids=["many headers", "one header", "trailers"],
)
async def test_headers_without_end_are_refused(port: int, begun: bytes, piece: bytes) -> None:
    """300 MB of them, sent to any door without a key, were kept in memory."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    async with asyncio.timeout(30):
        with pytest.raises(OSError, match=r"reset|lost|pipe"):
            await _pour(writer, piece, 100 * LONGEST_HEAD // len(piece))
    writer.close()


async def _pour(writer: asyncio.StreamWriter, piece: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(piece)
        await writer.drain()


@pytest.mark.parametrize("body", [b"a" * 3 * LONGEST_HEAD, b""])
async def test_a_long_body_is_no_long_head(port: int, body: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 8_192):
            yield body[start : start + 8_192]

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for content in (body, pieces(), body):
            assert (await client.post("/", content=content)).text == str(len(body))
