"""A fresh sandbox for every test."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from sandbox.settings import SandboxSettings
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.world import Receiver, World


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
    receiver = Receiver()
    async with opened_sandbox(settings, receiver) as sandbox:
        world = World(sandbox.web, sandbox.time, receiver)
        await world.log_in()
        yield world
