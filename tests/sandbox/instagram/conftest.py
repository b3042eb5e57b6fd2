"""A fresh Instagram for every test; a test changes its settings with `open_instagram`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.vendor import InstagramVendor
from sandbox.settings import SandboxSettings
from tests.sandbox.instagram.world import HOOK, SECRET, TOKEN, VERIFY, Callback, InstagramWorld
from tests.sandbox.opening import opened_sandbox


class Opens(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[InstagramWorld]: ...


@pytest.fixture
def open_instagram(settings: SandboxSettings) -> Opens:
    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[InstagramWorld]:
        keys = {"access_token": TOKEN, "app_secret": SECRET, "verify_token": VERIFY}
        secrets = {name: SecretStr(value) for name, value in keys.items()}
        own = InstagramSandboxSettings(**{**secrets, "callback_url": HOOK, **given})
        callback = Callback()
        async with opened_sandbox(settings, callback, [lambda bench: InstagramVendor(own, bench)]) as sandbox:
            yield InstagramWorld(sandbox.web, sandbox.time, callback, sandbox.app)

    return opened


@pytest.fixture
async def instagram(open_instagram: Opens) -> AsyncIterator[InstagramWorld]:
    async with open_instagram() as world:
        yield world
