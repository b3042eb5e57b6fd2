"""A simulated VK community on a port, without its rate of calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.vendor import VkVendor
from tests.sdk.serving import Served, served

TOKEN = "vk1.a.the-token"
SECRET = "s3cr3t"
GROUP = 2_200_033
CHAT = 2_000_000_001
FLAGS = (
    "message_new",
    "message_reply",
    "message_edit",
    "message_allow",
    "message_deny",
    "message_typing_state",
    "message_read",
    "message_event",
    "message_reaction_event",
    "group_join",
)


@asynccontextmanager
async def served_vk(**changes: Any) -> AsyncIterator[Served]:
    unhurried = {"calls_per_second": 1000, "transcript_after": 0}
    settings = VkSandboxSettings(access_token=SecretStr(TOKEN), **(unhurried | changes))
    async with served("vk", lambda bench: VkVendor(settings, bench)) as vk:
        yield vk


async def peer_of(vk: Served, customer: str = "Анна") -> int:
    """The id of a customer who has written."""
    return int((await vk.write(customer, text="ау"))["customer_id"])
