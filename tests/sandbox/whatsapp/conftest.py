"""A fresh simulated Wappi account for every test."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from sandbox.settings import SandboxSettings
from sandbox.whatsapp.settings import Number, WhatsAppSandboxSettings
from sandbox.whatsapp.vendor import WhatsAppVendor
from tests.sandbox.opening import opened_sandbox
from tests.sandbox.whatsapp.shop import PHONE, PROFILE, TOKEN, Outside, Shop


@pytest.fixture
def whatsapp_settings() -> WhatsAppSandboxSettings:
    return WhatsAppSandboxSettings(token=SecretStr(TOKEN), profiles=(Number(PROFILE, PHONE),))


@pytest.fixture
async def shop(settings: SandboxSettings, whatsapp_settings: WhatsAppSandboxSettings) -> AsyncIterator[Shop]:
    outside = Outside()
    more = [lambda bench: WhatsAppVendor(whatsapp_settings, bench)]
    async with opened_sandbox(settings, outside, more) as sandbox:
        yield Shop(sandbox.web, sandbox.time, outside)
