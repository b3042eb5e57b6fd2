"""A fresh sandbox for every test."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from sandbox.app import build_app
from sandbox.settings import SandboxSettings
from tests.sandbox.world import FakeTime, Receiver, World


@pytest.fixture
def settings() -> SandboxSettings:
    return SandboxSettings(
        avito_client_id="the-id",
        avito_client_secret=SecretStr("the-secret"),
        public_url="http://sandbox.test",
        webhook_timeout=10,
    )


@pytest.fixture
async def world(settings: SandboxSettings) -> AsyncIterator[World]:
    time, receiver = FakeTime(), Receiver()
    async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as http:
        app = build_app(settings, clock=time.now, sleep=time.sleep, http=http)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
        ):
            world = World(web, time, receiver)
            await world.log_in()
            yield world
