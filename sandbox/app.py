"""The application: every vendor under its prefix, the control API, media and the phone page."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.answers import RefusedError, refused
from sandbox.avito.vendor import AvitoVendor
from sandbox.control import control_routes
from sandbox.courier import Policy
from sandbox.media import MediaShelf
from sandbox.settings import SandboxSettings
from sandbox.timing import Clock, Sleep, Timing
from sandbox.vendor import Bench, Vendor

PAGE = Path(__file__).parent / "page"
#: More than all vendors have deliveries under way: the couriers' own limits are what things wait for.
_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=100)
PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:",
    "cache-control": "no-cache",
}


def build_app(
    settings: SandboxSettings,
    *,
    clock: Clock | None = None,
    sleep: Sleep | None = None,
    http: httpx.AsyncClient | None = None,
    more: Sequence[Callable[[Bench], Vendor]] = (),
) -> Starlette:
    """Wire the sandbox: Avito, and what `more` builds. `http` carries the webhooks, its giver closes it."""
    timing = Timing(clock or Timing().now, sleep or Timing().sleep)
    client = http or httpx.AsyncClient(trust_env=False, timeout=settings.webhook_timeout, limits=_LIMITS)
    shelf = MediaShelf(settings.address, timing.now)
    bench = Bench(timing, client, Policy(settings.webhook_timeout, settings.webhook_retries), shelf)
    vendors = {
        vendor.name: vendor for vendor in [AvitoVendor(settings, bench), *(make(bench) for make in more)]
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if http is None:
                await stack.enter_async_context(client)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [tasks.create_task(vendor.courier.run()) for vendor in vendors.values()]
            yield
            for task in running:
                task.cancel()

    return Starlette(
        routes=_routes(vendors, shelf),
        lifespan=lifespan,
        exception_handlers={RefusedError: refused, HTTPException: _plain_error},
    )


def _routes(vendors: dict[str, Vendor], shelf: MediaShelf) -> list[BaseRoute]:
    return [
        Route("/", _page),
        Route("/health", _health),
        *control_routes(vendors),
        *shelf.routes(),
        Mount("/page", StaticFiles(directory=PAGE)),
        *(Mount(f"/{name}", app=vendor.api()) for name, vendor in vendors.items()),
    ]


async def _page(_: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers=PAGE_HEADERS)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _plain_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
