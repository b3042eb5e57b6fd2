"""A fresh simulated Telegram for every test."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.telegram.world import World, opened


@pytest.fixture
async def telegram() -> AsyncIterator[World]:
    async with opened() as world:
        yield world
