"""What is sent fits the channel: a quote is left out where none can be shown, media it lacks is refused."""

from typing import Protocol

from core.errors import Rejected, VendorDown
from core.messages import OutgoingMessage
from orchestrator.deliver import SendsMessages
from orchestrator.manifests import KnowsManifests, Manifest


class ServedChannels(SendsMessages, Protocol):
    """The part of the channels' client that is used here (orchestrator/channels.py)."""

    @property
    def names(self) -> frozenset[str]: ...


class Fitting:
    """Stands before the channels; a plain text passes unasked, and so does what goes to no server."""

    def __init__(self, channels: ServedChannels, manifests: KnowsManifests) -> None:
        self._channels = channels
        self._manifests = manifests

    async def send(self, message: OutgoingMessage) -> list[str]:
        """Send what the channel can carry of it."""
        particular = message.reply_to or message.image_url or message.file_url
        if particular and message.channel in self._channels.names:
            message = fitted(message, await self._manifests.of(message.channel))
        return await self._channels.send(message)


def fitted(message: OutgoingMessage, manifest: Manifest | None) -> OutgoingMessage:
    """Pure: the message as the channel takes it; the same each time, for a repeat has to say the same.

    Raises Rejected for media that the channel cannot send, VendorDown when nobody knows what it can.
    """
    if manifest is None:
        raise VendorDown(f"The {message.channel} server does not tell what it can.", channel=message.channel)
    if lacking := manifest.lacks(image=bool(message.image_url), file_kind=message.file_kind or ""):
        raise Rejected(f"{message.channel} carries no {lacking}.", channel=message.channel)
    if message.reply_to and not manifest.has("SendsReplies"):
        return message.model_copy(update={"reply_to": None})
    return message
