"""A simulated MAX on a port: webhooks may go to loopback, nobody waits for rates or processing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.vendor import MaxVendor
from tests.sdk.serving import Served, served

TOKEN = "the-max-token"
SECRET = "hook_secret-1"
BOT_ID = 70_700_001


@asynccontextmanager
async def served_max(**changes: Any) -> AsyncIterator[Served]:
    usual: dict[str, Any] = {
        "calls_per_second": 1000,
        "messages_per_second": 1000,
        "polls_per_second": 1000,
        "processing": 0,
        "plain_webhook_hosts": ("*",),
    }
    settings = MaxSandboxSettings(token=SecretStr(TOKEN), **(usual | changes))
    async with served("max", lambda bench: MaxVendor(settings, bench)) as max_:
        yield max_


async def dialog_with(max_: Served, customer: str = "Анна") -> int:
    """The id of the customer's dialog, which is opened by writing."""
    return int((await max_.write(customer, text="ау"))["chat_id"])
