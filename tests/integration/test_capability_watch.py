"""Who watches what a channel can do hears when its server begins to say something else."""

from typing import cast

import pytest
from mcp.server.subscriptions import ResourceUpdated

from core.errors import VendorDown
from core.resource_bus import ResourceBus
from orchestrator.capability_watch import CapabilityWatch
from orchestrator.manifests import REMEMBER_SECONDS, Manifests
from tests.integration.chats_fixture import SECOND, ManualClock
from tests.integration.intake_fixture import connect
from tests.integration.test_manifests import INFO, FakeServers


@pytest.mark.promise("changes")
async def test_a_manifest_that_changes_is_told_once(redis_url: str) -> None:
    servers, clock, heard = FakeServers(), ManualClock(), list[str]()
    async with connect(redis_url) as redis:
        bus = ResourceBus(redis, "changes:test")
        bus.subscribe(lambda event: heard.append(cast(ResourceUpdated, event).uri))
        watch = CapabilityWatch(Manifests(servers, clock), ("avito",), bus)
        for told in (INFO, INFO, VendorDown()):
            servers.info_told = told
            await watch.look()
            clock.move(round(REMEMBER_SECONDS + 1) * SECOND)
        before = [*heard]
        servers.info_told = {**INFO, "accounts": {"default": {}}}
        await watch.look()
        await watch.look()

    assert before == []
    assert heard == ["channel://avito/capabilities"]
