"""What each channel can do, as its `/info` tells: asked once in a while; nothing is called that it lacks."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.capabilities import Capabilities
from core.clock import Clock
from core.errors import ChannelError
from core.ids import DEFAULT_ACCOUNT
from orchestrator.recent import Recent

REMEMBER_SECONDS = 300.0
#: A channel that gave no answer is not asked again before.
_PAUSE_SECONDS = 10.0

#: Which part of core/channel.py sends a file.
_SENDS = {"voice": "SendsVoice", "video": "SendsVideos", "document": "SendsDocuments"}


class Manifest(BaseModel):
    """What is read of a channel's `/info`; `parts` are names of the optional parts in core/channel.py."""

    model_config = ConfigDict(frozen=True)

    parts: frozenset[str] = frozenset()
    accounts: tuple[str, ...] = Field(default=(), description="default first")
    reply_window_seconds: int | None = None
    limits: Capabilities | None = Field(default=None, description="None: it does not say all of them")

    def has(self, *parts: str) -> bool:
        """Whether it has one of these."""
        return not self.parts.isdisjoint(parts)

    def lacks(self, *, image: bool, file_kind: str) -> str:
        """What this channel cannot carry of a message, in words; "" when it can be sent."""
        if image and not self.has("SendsImages"):
            return "pictures"
        if file_kind and not self.has(_SENDS[file_kind]):
            return f"files of the kind {file_kind}"
        return ""


class TellsItself(Protocol):
    """The part of the channels' client that is asked here (orchestrator/channels.py)."""

    async def info(self, channel: str) -> Mapping[str, Any]: ...


class KnowsManifests(Protocol):
    """Tells what a channel can do."""

    async def of(self, channel: str) -> Manifest | None: ...


class Manifests:
    """The manifest of each channel; the last one known while its server is away."""

    def __init__(self, channels: TellsItself, clock: Clock) -> None:
        self._channels = channels
        self._known: Recent[str, Manifest] = Recent(clock, seconds=REMEMBER_SECONDS)
        self._away: Recent[str, bool] = Recent(clock, seconds=_PAUSE_SECONDS)
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, channel: str) -> Manifest | None:
        """What it can do; None when nobody has told yet."""
        async with self._asking[channel]:
            if not self._known.get(channel) and not self._away.get(channel):
                await self._ask(channel)
        return self._known.stale(channel)

    async def _ask(self, channel: str) -> None:
        try:
            told = manifest_of(await self._channels.info(channel))
        except (ChannelError, ValidationError) as error:
            self._away.keep(channel, True)
            reason = getattr(error, "code", "unreadable")
            structlog.get_logger().warning("manifest_unknown", channel=channel, reason=reason)
        else:
            self._known.keep(channel, told)


def manifest_of(info: Mapping[str, Any]) -> Manifest:
    """Pure: an answer of /info as a manifest. Raises ValidationError for what is none."""
    capabilities, accounts = info.get("capabilities"), info.get("accounts") or ()
    told = capabilities if isinstance(capabilities, Mapping) else {}
    names = sorted(accounts, key=lambda name: (name != DEFAULT_ACCOUNT, str(name)))
    return Manifest(
        parts=told.get("parts", "nothing said"),
        accounts=tuple(names),
        reply_window_seconds=told.get("reply_window_seconds"),
        limits=_limits(told),
    )


def _limits(told: Mapping[str, Any]) -> Capabilities | None:
    try:
        return Capabilities.model_validate(told)
    except ValidationError:  # a server of another version: what we go by ourselves is read above
        return None
