"""The sandbox on a real port of loopback, with a real clock, and a mailbox that takes its webhooks."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from sandbox.app import build_app
from sandbox.settings import SandboxSettings
from sandbox.vendor import Bench, Vendor

PATIENCE = 5.0
CLIENT_ID, CLIENT_SECRET = "the-id", "the-secret"


class Delivery(NamedTuple):
    """One webhook as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def _ok(_: Delivery) -> str:
    return "ok"


@dataclass
class Mailbox:
    """Where webhooks are sent; `answer` says what a delivery is answered with."""

    url: str
    answer: Callable[[Delivery], str] = _ok
    _taken: asyncio.Queue[Delivery] = field(default_factory=asyncio.Queue)

    async def __call__(self, request: Request) -> Response:
        """GET is Meta's question whether the address is ours."""
        if request.method == "GET":
            return Response(request.query_params.get("hub.challenge", ""))
        delivery = Delivery(dict(request.headers), await request.body())
        await self._taken.put(delivery)
        return Response(self.answer(delivery), media_type="text/plain")

    def empty(self) -> None:
        self._taken, self.answer = asyncio.Queue(), _ok

    async def take(self) -> Delivery:
        """The next delivery."""
        async with asyncio.timeout(PATIENCE):
            return await self._taken.get()


@dataclass(frozen=True)
class Served:
    """The simulated `vendor` at `url`, and the hands of its customers."""

    vendor: str
    address: str
    web: httpx.AsyncClient
    mailbox: Mailbox

    @property
    def url(self) -> str:
        return f"{self.address}/{self.vendor}"

    async def renewed(self) -> "Served":
        """As if just opened."""
        await self.web.post(f"/control/{self.vendor}/reset", params={"everything": True})
        self.mailbox.empty()
        return self

    async def control(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = await self.web.request(method, f"/control/{self.vendor}{path}", **options)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        return await self.control("POST", f"/customers/{customer}/messages", json=letter)

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        return list((await self.control("GET", f"/customers/{customer}/messages"))["messages"])

    async def fault(self, **switches: Any) -> None:
        await self.control("POST", "/faults", json=switches)


@asynccontextmanager
async def served(vendor: str, *more: Callable[[Bench], Vendor]) -> AsyncIterator[Served]:
    """The sandbox and the mailbox behind one server."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        settings = SandboxSettings(
            avito_client_id=CLIENT_ID, avito_client_secret=SecretStr(CLIENT_SECRET), public_url=address
        )
        sandbox, mailbox = build_app(settings, more=more), Mailbox(f"{address}/mailbox")
        routes = [Route("/mailbox", mailbox.__call__, methods=["GET", "POST"]), Mount("/", sandbox)]
        app = Starlette(routes=routes)
        async with (
            sandbox.router.lifespan_context(sandbox),
            _running(app, sock),
            httpx.AsyncClient(base_url=address, trust_env=False) as web,
        ):
            yield Served(vendor, address, web, mailbox)


@asynccontextmanager
async def _running(app: Starlette, sock: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started and not task.done():  # noqa: ASYNC110  # uvicorn has only a flag
                await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
