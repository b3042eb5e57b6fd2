"""A fresh community for every test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest
from pydantic import SecretStr

from sandbox.settings import SandboxSettings
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.vendor import VkVendor
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.vk.world import TOKEN, VkReceiver, VkWorld

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[VkWorld]]


@pytest.fixture
def open_vk(settings: SandboxSettings) -> Open:
    """Opens a world; what is given joins the settings of the community."""

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[VkWorld]:
        vk = VkSandboxSettings(
            **{"access_token": SecretStr(TOKEN), "calls_per_second": 1000, **given},
        )
        receiver = VkReceiver()
        async with opened_sandbox(settings, receiver, [lambda bench: VkVendor(vk, bench)]) as sandbox:
            yield VkWorld(sandbox.web, sandbox.time, receiver)

    return opened


@pytest.fixture
async def vk(open_vk: Open) -> AsyncIterator[VkWorld]:
    async with open_vk() as world:
        yield world
