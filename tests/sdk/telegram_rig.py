"""A simulated Telegram on a port, without its rates: the clock is real and nobody here wants to wait."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.vendor import TelegramVendor
from tests.sdk.serving import Served, served

TOKEN = "7000000001:AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
BOT_ID = 7_000_000_001
SECRET = "hook-secret_1"
BUSINESS, GROUP = 2, 3


@asynccontextmanager
async def served_telegram(**changes: Any) -> AsyncIterator[Served]:
    unhurried = {"chat_per_second": 1000, "chat_burst": 1000, "group_per_minute": 6000, "album_spread": 0}
    settings = TelegramSandboxSettings(token=SecretStr(TOKEN), **(unhurried | changes))
    async with served("telegram", lambda bench: TelegramVendor(settings, bench)) as telegram:
        yield telegram


async def chat_with(telegram: Served, customer: str = "Анна") -> int:
    """The id of the customer's chat with the bot, which is started."""
    return int((await telegram.write(customer, text="ау"))["chat_id"])
