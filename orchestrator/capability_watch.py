"""Tells who watches of a channel that can do something else than before, as after an update of its server."""

import asyncio
from collections.abc import Collection

from core.alarm import Outage
from core.resource_bus import ResourceBus
from core.resource_uris import CAPABILITIES, filled
from orchestrator.manifests import KnowsManifests, Manifest

_EVERY_SECONDS = 30.0


class CapabilityWatch:
    """Every replica looks for itself, so a change may be told once by each."""

    def __init__(self, manifests: KnowsManifests, channels: Collection[str], bus: ResourceBus) -> None:
        self._manifests = manifests
        self._channels = channels
        self._bus = bus
        self._known: dict[str, Manifest] = {}
        self._outage = Outage("capabilities")

    async def run(self) -> None:
        """Look until cancelled; the channels themselves are asked as seldom as manifests.py says."""
        while True:
            await self._outage.survive(self.look)
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Tell of every channel that says something new."""
        for channel in self._channels:
            manifest = await self._manifests.of(channel)
            if manifest is None:
                continue
            before = self._known.get(channel)
            self._known[channel] = manifest
            if before is not None and before != manifest:
                await self._bus.changed(filled(CAPABILITIES, channel=channel))
