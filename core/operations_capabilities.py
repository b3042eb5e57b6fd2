"""What a channel offers, as an answer: the same at the channel and at the hub."""

from pydantic import BaseModel, Field

from core.capabilities import Capabilities
from core.operations import Operation


class ChannelCapabilities(BaseModel):
    """What can be done on a channel, and within which limits."""

    channel: str
    accounts: list[str] = Field(description="default first")
    parts: list[str] = Field(
        description="what it can do beside sending texts, by its name in core/channel.py"
    )
    limits: Capabilities


class Offering:
    """What the channel of this server offers."""

    def __init__(self, title: str, offered: ChannelCapabilities) -> None:
        self._title = title
        self._offered = offered

    def operation(self) -> Operation:
        """For programs; models meet a limit when they come to it."""
        title, path = f"What {self._title} can do", "/api/capabilities"
        return Operation("channel_capabilities", title, "GET", path, self._tell, "status", tool=False)

    async def _tell(self) -> ChannelCapabilities:
        """Tell what can be sent and done on this messenger, and within which limits."""
        return self._offered
