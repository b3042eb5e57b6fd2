"""Running one service: uvicorn with a clean stop, or its tools over stdio."""

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
import uvloop
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import ListenHandler
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.app import ServiceParts, build_server
from core.auth import Caller, current_caller
from core.old_subscriptions import OldSubscriptions
from core.settings import ServiceSettings

#: Headers, trailers and the framing of chunks; the routes cap the bodies.
LONGEST_HEAD = 512 * 1024


class _Connection(HttpToolsProtocol):
    """httptools keeps every header that is sent: without a limit, one connection could fill the memory."""

    _beside_body = 0

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        self._beside_body = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        super().on_body(body)


class _Server(uvicorn.Server):
    """Ends listen streams first: one connected listener would keep the process alive for ever.

    Ends itself when the lifespan has: a service whose loops are dead must not go on answering /health.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._mcp = getattr(app.state, "mcp", None)
        self._on_stop = getattr(app.state, "on_stop", None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.let_go()
        super().handle_exit(sig, frame)

    def let_go(self) -> None:
        """Nobody who waits or listens is kept any longer."""
        if self._on_stop is not None:
            self._on_stop()
        if self._mcp is not None:
            entry = self._mcp._lowlevel_server.get_request_handler("subscriptions/listen")  # noqa: SLF001  # no public way in mcp 2.3
            handler = getattr(entry, "handler", entry)
            if isinstance(handler, ListenHandler):
                handler.close()

    @property
    def has_died(self) -> bool:
        """Whether the lifespan ended before it was asked to."""
        return bool(self.lifespan.error_occurred)

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; whether to stop."""
        return await super().on_tick(counter) or self.has_died


def serve(make_app: Callable[[], Starlette], settings: ServiceSettings, *, port: int) -> None:
    """Serve until SIGTERM or SIGINT. uvloop and httptools where they are; no access log on the hot path.

    `make_app` is called inside the event loop: a pool of asyncpg belongs to the loop in which it is made.
    """

    async def run() -> None:
        app = make_app()
        server = _Server(_config(app, settings, port), app)
        await server.serve()
        if server.has_died:
            raise SystemExit(1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _config(app: Starlette, settings: ServiceSettings, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port or port,
        http=_Connection,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # form_api believes the proxies of its settings only
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def stdio_wanted(package: str) -> bool:
    """Whether --stdio was given, by a client that starts the process."""
    arguments = argparse.ArgumentParser(prog=f"python -m {package}")
    arguments.add_argument("--stdio", action="store_true", help="serve the tools on stdin and stdout")
    return bool(arguments.parse_args().stdio)


def serve_stdio(make_parts: Callable[[], ServiceParts], settings: ServiceSettings) -> None:
    """Serve the tools of a service over stdin and stdout, until stdin ends or SIGTERM comes.

    `make_parts` is called inside the event loop, as in `serve`. Whoever started us needs no key.
    """

    async def run() -> None:
        current_caller.set(Caller("stdio", mode=settings.mcp_stdio_mode))
        parts = make_parts()
        server = build_server(parts)
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        async with parts.lifespan(), _old_subscriptions(server, parts):
            serving = asyncio.create_task(server.run_stdio_async())
            telling = asyncio.create_task(told.wait())
            await asyncio.wait((serving, telling), return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
        if not serving.done():
            os._exit(0)  # a thread reads stdin and cannot be called back: it would hold the process up
        await serving

    asyncio.run(run())


@asynccontextmanager
async def _old_subscriptions(server: MCPServer, parts: ServiceParts) -> AsyncIterator[None]:
    if parts.resource_bus is None:
        yield
        return
    watched = OldSubscriptions(parts.resource_bus)
    watched.add_to(server)
    async with watched.telling():
        yield
