"""A fresh MAX for every test; a test changes its settings with `max_settings`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.vendor import MaxVendor
from sandbox.settings import SandboxSettings
from tests.sandbox.max.world import TOKEN, MaxWorld
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.world import Receiver


class Opens(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[MaxWorld]: ...


@pytest.fixture
def open_max(settings: SandboxSettings) -> Opens:
    """MAX with settings of the test's own."""

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[MaxWorld]:
        own = MaxSandboxSettings(token=SecretStr(TOKEN), **given)
        receiver = Receiver()
        async with opened_sandbox(settings, receiver, [lambda bench: MaxVendor(own, bench)]) as sandbox:
            yield MaxWorld(sandbox.web, sandbox.time, receiver)

    return opened


@pytest.fixture
async def max_(open_max: Opens) -> AsyncIterator[MaxWorld]:
    async with open_max() as world:
        yield world
