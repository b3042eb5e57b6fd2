"""A fresh Instagram for every test; a test changes its settings with `open_instagram`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import httpx
import pytest
from pydantic import SecretStr

from sandbox.app import build_app
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.vendor import InstagramVendor
from sandbox.settings import SandboxSettings
from tests.sandbox.instagram.world import HOOK, SECRET, TOKEN, VERIFY, Callback, InstagramWorld
from tests.sandbox.world import FakeTime


class Opens(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[InstagramWorld]: ...


@pytest.fixture
def open_instagram(settings: SandboxSettings) -> Opens:
    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[InstagramWorld]:
        keys = {"access_token": TOKEN, "app_secret": SECRET, "verify_token": VERIFY}
        secrets = {name: SecretStr(value) for name, value in keys.items()}
        own = InstagramSandboxSettings(**{**secrets, "callback_url": HOOK, **given})
        time, callback = FakeTime(), Callback()
        async with httpx.AsyncClient(transport=httpx.MockTransport(callback)) as http:
            app = build_app(
                settings,
                clock=time.now,
                sleep=time.sleep,
                http=http,
                more=[lambda bench: InstagramVendor(own, bench)],
            )
            transport = httpx.ASGITransport(app=app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
            ):
                yield InstagramWorld(web, time, callback, app)

    return opened


@pytest.fixture
async def instagram(open_instagram: Opens) -> AsyncIterator[InstagramWorld]:
    async with open_instagram() as world:
        yield world
