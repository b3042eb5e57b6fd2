"""Every server of ours as it is put together for production, to be looked at: nothing is opened."""

import importlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from core.app import ServiceParts
from core.auth import KeyRing
from core.channel_service import ChannelService
from core.clock import SystemClock
from core.connections import redis_client
from core.ids import DEFAULT_ACCOUNT
from core.keys import Keys
from core.operations import Operation
from core.registry import CHANNELS, Service
from core.settings import ServiceSettings
from core.vendor_settings import VendorSettings
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import new_pool
from tests.contract.vendor_side import SIDES

KEY = "operator-key-0123456789"
#: What a service seals with.
SEALS = [b"a seal of thirty-two characters!"]
NOWHERE = "127.0.0.1:1"


def hub() -> ServiceParts:
    """To be called while an event loop runs."""
    database, redis = f"postgresql://{NOWHERE}/none", redis_client(_settings())
    own = OrchestratorSettings.model_validate({"database_url": database, "channel_api_key": "none"})
    channels = Channels({one.channel: f"http://{NOWHERE}" for one in CHANNELS}, httpx.AsyncClient())
    made = Orchestrator(
        own, redis=redis, pool=new_pool(database), channels=channels, clock=SystemClock(), keys=Keys()
    )
    return made.parts(KeyRing.parse(SecretStr(f"operator={KEY}")), state_keys=SEALS)


def channel(service: Service) -> ServiceParts:
    """With its vendor in memory."""
    made: ChannelService[VendorSettings, Any] = ChannelService(
        service,
        _settings(),
        {DEFAULT_ACCOUNT: VendorSettings(base_url="https://vendor.example")},
        lambda *_: SIDES[service.channel]().channel,
        own_operations(service),
    )
    return made.parts()


def own_operations(service: Service) -> Callable[[Any], Sequence[Operation]]:
    """What makes the operations that only this channel has, of its accounts."""
    module = importlib.import_module(f"{service.package}.tools")
    made: Callable[[Any], Sequence[Operation]] = getattr(module, f"{service.channel}_operations")
    return made


SERVERS: dict[str, Callable[[], ServiceParts]] = {
    "hub": hub,
    **{one.channel: partial(channel, one) for one in CHANNELS},
}


def _settings() -> ServiceSettings:
    return ServiceSettings(
        redis_url=SecretStr(f"redis://{NOWHERE}/0"),
        api_keys=SecretStr(f"operator={KEY}"),
        spool_dir=str(Path(tempfile.gettempdir()) / "never-opened"),
        sweep_seconds=0,
    )
