"""One file of a message, fetched from where it may be fetched: public addresses, and our own channels.

A link is opened only at addresses that the whole internet may reach, and after each redirect again (core/
media_fetch.py); a vendor's file_id is asked of its channel, whose own signed address is opened inside.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from core.capabilities import MediaKind
from core.channel import MediaLink
from core.errors import ChannelError
from core.files import files_path
from core.media_fetch import Fetched, Unfetched
from orchestrator.manifests import KnowsManifests
from orchestrator.media_rows import Refusal
from orchestrator.media_types import is_kept, type_by_bytes
from orchestrator.message_files import MessageFile

_OWN_FILE = re.compile(r"/in/[A-Za-z0-9._-]+")
_REFUSALS: Mapping[str, Refusal] = {
    "address": "refused_address",
    "too_large": "too_large",
    "gone": "expired",
    "away": "failed",
}


class Fetches(Protocol):
    """core.media_fetch.MediaFetcher, for anything that a message names, or for our channels."""

    async def fetch(self, url: str, kind: MediaKind, *, max_bytes: int, seconds: float) -> Fetched: ...


class LinksFiles(Protocol):
    """The part of the channels' client that is asked here (orchestrator/channels.py)."""

    @property
    def urls(self) -> Mapping[str, str]: ...

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink: ...


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What is taken; `types` are patterns such as image/*."""

    max_bytes: int
    seconds: float
    types: Collection[str]


@dataclass(frozen=True, slots=True)
class Got:
    """The bytes, and the type that they tell."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Missed:
    """No bytes. `final`: asking again does not help; else `retry_after` (seconds) may say when it may."""

    state: Refusal
    reason: str
    final: bool
    retry_after: float = 0.0


class Fetching:
    """Opens the link of a file, else asks its channel for a fresh one and opens that."""

    def __init__(
        self,
        outside: Fetches,
        inside: Fetches,
        channels: LinksFiles,
        manifests: KnowsManifests,
        limits: FetchLimits,
    ) -> None:
        self._outside = outside
        self._inside = inside
        self._channels = channels
        self._manifests = manifests
        self._limits = limits

    async def fetch(self, file: MessageFile, *, channel: str, account: str) -> Got | Missed:
        """The file within the limits, or why not. Raises nothing that a vendor can cause."""
        missed: Missed | None = None
        if file.url:
            found = await self._open(file.url, file.kind, channel)
            if isinstance(found, Got) or not await self._may_ask(file, channel, found):
                return found
            missed = found
        if not await self._can_link(channel):
            return missed or Missed("failed", "the channel cannot link it now", final=False)
        try:
            link = await self._channels.media_link(channel, account, file.file_id)
        except ChannelError as error:
            final = not error.retryable and error.code in ("not_found", "rejected")
            state: Refusal = "expired" if error.code == "not_found" else "failed"
            return Missed(state, error.code, final=final, retry_after=error.retry_after or 0.0)
        return await self._open(link.url, file.kind, channel)

    async def _may_ask(self, file: MessageFile, channel: str, missed: Missed) -> bool:
        """Whether a fresh link may lead further than the one that failed."""
        return bool(file.file_id) and missed.state in ("expired", "failed") and await self._can_link(channel)

    async def _can_link(self, channel: str) -> bool:
        if channel not in self._channels.urls:
            return False
        manifest = await self._manifests.of(channel)
        return manifest is not None and manifest.has("ResolvesMedia", "OpensFiles")

    async def _open(self, url: str, kind: MediaKind, channel: str) -> Got | Missed:
        own = self._own(url, channel)
        fetcher = self._inside if own else self._outside
        limits = self._limits
        try:
            found = await fetcher.fetch(own or url, kind, max_bytes=limits.max_bytes, seconds=limits.seconds)
        except Unfetched as error:
            final = error.why in ("address", "too_large")
            return Missed(_REFUSALS[error.why], error.detail, final=final)
        media_type = type_by_bytes(found.content, kind)
        if not found.content:
            return Missed("failed", "it is empty", final=False)
        if not is_kept(media_type, limits.types):
            return Missed("refused_type", media_type, final=True)
        return Got(found.content, media_type)

    def _own(self, url: str, channel: str) -> str:
        """Where our channel serves this file inside, when the link is one of its signed addresses."""
        base, path = self._channels.urls.get(channel, ""), urlsplit(url).path
        prefix = files_path(channel)
        is_own = path.startswith(prefix) and _OWN_FILE.fullmatch(path.removeprefix(prefix))
        return f"{base.rstrip('/')}{path}" if base and is_own else ""
