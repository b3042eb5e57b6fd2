"""Opening a sandbox for a test: time and the outside world are fakes, everything else is real."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
from starlette.applications import Starlette

from sandbox.app import build_app
from sandbox.settings import SandboxSettings
from sandbox.vendor import Bench, Vendor
from tests.sandbox.world import FakeTime


class Opened(NamedTuple):
    """A running sandbox: a client of its pages and APIs, its time, the application itself."""

    web: httpx.AsyncClient
    time: FakeTime
    app: Starlette


@asynccontextmanager
async def opened_sandbox(
    settings: SandboxSettings, outside: Any, more: Sequence[Callable[[Bench], Vendor]] = ()
) -> AsyncIterator[Opened]:
    """Running while inside; `outside` answers what the sandbox asks of the world (httpx.MockTransport)."""
    time = FakeTime()
    async with httpx.AsyncClient(transport=httpx.MockTransport(outside)) as http:
        app = build_app(settings, clock=time.now, sleep=time.sleep, http=http, more=more)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
        ):
            yield Opened(web, time, app)
