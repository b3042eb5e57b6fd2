"""A fresh community for every test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import httpx
import pytest
from pydantic import SecretStr

from sandbox.app import build_app
from sandbox.settings import SandboxSettings
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.vendor import VkVendor
from tests.sandbox.vk.world import TOKEN, VkReceiver, VkWorld
from tests.sandbox.world import FakeTime

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[VkWorld]]


@pytest.fixture
def open_vk(settings: SandboxSettings) -> Open:
    """Opens a world; what is given joins the settings of the community."""

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[VkWorld]:
        vk = VkSandboxSettings(
            **{"access_token": SecretStr(TOKEN), "calls_per_second": 1000, **given},
        )
        time, receiver = FakeTime(), VkReceiver()
        async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as http:
            app = build_app(
                settings,
                clock=time.now,
                sleep=time.sleep,
                http=http,
                more=[lambda bench: VkVendor(vk, bench)],
            )
            transport = httpx.ASGITransport(app=app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
            ):
                yield VkWorld(web, time, receiver)

    return opened


@pytest.fixture
async def vk(open_vk: Open) -> AsyncIterator[VkWorld]:
    async with open_vk() as world:
        yield world
