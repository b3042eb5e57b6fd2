"""A fresh simulated Wappi account for every test."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from sandbox.app import build_app
from sandbox.settings import SandboxSettings
from sandbox.whatsapp.settings import Number, WhatsAppSandboxSettings
from sandbox.whatsapp.vendor import WhatsAppVendor
from tests.sandbox.whatsapp.shop import PHONE, PROFILE, TOKEN, Outside, Shop
from tests.sandbox.world import FakeTime


@pytest.fixture
def whatsapp_settings() -> WhatsAppSandboxSettings:
    return WhatsAppSandboxSettings(token=SecretStr(TOKEN), profiles=(Number(PROFILE, PHONE),))


@pytest.fixture
async def shop(settings: SandboxSettings, whatsapp_settings: WhatsAppSandboxSettings) -> AsyncIterator[Shop]:
    time, outside = FakeTime(), Outside()
    async with httpx.AsyncClient(transport=httpx.MockTransport(outside)) as http:
        more = [lambda bench: WhatsAppVendor(whatsapp_settings, bench)]
        app = build_app(settings, clock=time.now, sleep=time.sleep, http=http, more=more)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
        ):
            yield Shop(web, time, outside)
