"""The whole orchestrator in this process, served over HTTP: as many replicas as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr
from starlette.applications import Starlette

from core.app import build_app
from core.auth import KeyRing
from core.clock import SystemClock
from core.keys import Keys
from core.serve import _Server
from core.state_keys import state_keys
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import new_pool
from tests.integration.intake_fixture import connect
from tests.system import _free_port

KEY, AGENT_KEY = "operator-key-0123456789", "agent-key-0123456789"
#: A person whose key asks for a yes, and a service of ours.
CAREFUL_KEY, SERVICE_KEY = "careful-key-0123456789", "service-key-0123456789"
RING = f"operator={KEY},bot={AGENT_KEY},olga:operator:guarded={CAREFUL_KEY},orchestrator={SERVICE_KEY}"


class _Here(_Server):
    """Beside a test that has signal handlers of its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: Starlette, port: int = 0) -> AsyncIterator[str]:
    """An application over real HTTP; its address. It stops as a service of ours does."""
    port = port or _free_port()
    config = uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=10)
    server = _Here(config, app)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "it did not start"
        await _tick()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.let_go()  # not handle_exit: sse-starlette would take it for the end of every server here
        server.should_exit = True
        await serving


async def _tick() -> None:
    """uvicorn has no event for having started."""
    await asyncio.sleep(0.005)


@asynccontextmanager
async def replica(
    redis_url: str, database_url: str, *, away: str = "", **settings: object
) -> AsyncIterator[str]:
    """A hub with its loops on these engines, whose database is migrated; its address.

    `away`: a channel that it serves and that does not answer.
    """
    given = {"database_url": database_url, "channel_api_key": "none", **settings}
    own = OrchestratorSettings.model_validate(given)
    async with connect(redis_url) as redis, new_pool(database_url) as pool, httpx.AsyncClient() as http:
        channels = {away: "http://127.0.0.1:1"} if away else {}
        hub = Orchestrator(
            own,
            redis=redis,
            pool=pool,
            channels=Channels(channels, http),
            clock=SystemClock(),
            keys=Keys(),
        )
        seals = state_keys(SecretStr(""), SecretStr(KEY))
        parts = hub.parts(KeyRing.parse(SecretStr(RING)), state_keys=seals)
        async with served(build_app(parts)) as url:
            yield url


@asynccontextmanager
async def agent_of(url: str, *, age: str = "auto", key: str = KEY, **more: Any) -> AsyncIterator[Client]:
    """An MCP client of this age."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=age, **more) as client,
    ):
        yield client


@asynccontextmanager
async def rest_of(url: str, key: str = KEY) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the REST routes."""
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=60) as http:
        yield http
