"""A fresh MAX for every test; a test changes its settings with `max_settings`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import httpx
import pytest
from pydantic import SecretStr

from sandbox.app import build_app
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.vendor import MaxVendor
from sandbox.settings import SandboxSettings
from tests.sandbox.max.world import TOKEN, MaxWorld
from tests.sandbox.world import FakeTime, Receiver


class Opens(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[MaxWorld]: ...


@pytest.fixture
def open_max(settings: SandboxSettings) -> Opens:
    """MAX with settings of the test's own."""

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[MaxWorld]:
        own = MaxSandboxSettings(token=SecretStr(TOKEN), **given)
        time, receiver = FakeTime(), Receiver()
        async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as http:
            app = build_app(
                settings,
                clock=time.now,
                sleep=time.sleep,
                http=http,
                more=[lambda bench: MaxVendor(own, bench)],
            )
            transport = httpx.ASGITransport(app=app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
            ):
                yield MaxWorld(web, time, receiver)

    return opened


@pytest.fixture
async def max_(open_max: Opens) -> AsyncIterator[MaxWorld]:
    async with open_max() as world:
        yield world
