"""What the channels of all vendors have alike: whose they are, what they can do, and their connections."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from core.capabilities import Capabilities
from core.errors import ChannelError, RateLimited
from core.ids import AccountId, ChannelName

#: A health check waits no longer.
SHORT_WAIT_SECONDS = 3.0


class Closes(Protocol):
    """A client that holds connections."""

    async def aclose(self) -> None: ...


class AccountChannel:
    """One account of one vendor; each channel adds the parts of core/channel.py that its vendor can do."""

    def __init__(
        self, name: ChannelName, account: AccountId, capabilities: Capabilities, client: Closes
    ) -> None:
        self._name = name
        self._account = account
        self._capabilities = capabilities
        self._connections = client

    @property
    def name(self) -> ChannelName:
        """The messenger."""
        return self._name

    @property
    def account(self) -> AccountId:
        """Which account of it."""
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        """The manifest."""
        return self._capabilities

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._connections.aclose()


async def answers(question: Awaitable[object]) -> bool:
    """Whether the vendor answers a short question with our credentials; "too many" is an answer, too."""
    try:
        async with asyncio.timeout(SHORT_WAIT_SECONDS):
            await question
    except RateLimited:
        return True
    except (ChannelError, TimeoutError):
        return False
    return True
