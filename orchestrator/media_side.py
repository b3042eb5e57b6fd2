"""Everything about the files of messages, made from the settings and opened and closed with the process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from starlette.routing import Route

from core.clock import Clock
from core.media_fetch import MediaFetcher
from core.observability import Metrics
from orchestrator.content_choice import content_store
from orchestrator.contents import Contents
from orchestrator.enrich import Enriches
from orchestrator.manifests import KnowsManifests
from orchestrator.media_fetching import Fetching, FetchLimits, LinksFiles
from orchestrator.media_links import MediaLinks, media_routes
from orchestrator.media_loop import Care, MediaLoop
from orchestrator.media_settings import listed
from orchestrator.safekeeping import FactsAndFiles, Safekeeping
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import Pool
from orchestrator.transcriber import Hearing, OpenAITranscriber, Transcriber
from orchestrator.transcripts import Transcripts

_PORTS = {"http": 80, "https": 443}


class MediaSide:
    """`links` for who shows messages, `complete` for who resolves them, `loop` beside the other loops."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        *,
        pool: Pool,
        channels: LinksFiles,
        manifests: KnowsManifests,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._files = httpx.AsyncClient(trust_env=False)
        self._hearing = httpx.AsyncClient(follow_redirects=False)
        self.contents = Contents(pool, content_store(settings), clock)
        self.links = MediaLinks(settings.channel_api_key, settings.public_url)
        self._transcripts = Transcripts(
            pool, self.contents, self._transcriber(settings), metrics, seconds=settings.transcribe_seconds
        )
        self._keeping = Safekeeping(
            self._fetching(settings, channels, manifests),
            self.contents,
            self._transcripts,
            seconds=settings.media_wait_seconds,
            at_once=settings.media_workers,
        )
        self.loop = MediaLoop(pool, self._keeping, _care(settings), clock=clock, metrics=metrics)

    def complete(self, facts: Enriches) -> FactsAndFiles:
        """The facts of a batch, and then its files."""
        return FactsAndFiles(facts, self._keeping)

    def routes(self) -> Sequence[Route]:
        """Where our links open."""
        return media_routes(self.links, self.contents, self._pool)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Around every loop that fetches or hears."""
        async with self._files, self._hearing, self._transcripts.running():
            yield

    def _fetching(
        self, settings: OrchestratorSettings, channels: LinksFiles, manifests: KnowsManifests
    ) -> Fetching:
        limits = FetchLimits(
            settings.media_max_bytes, settings.media_fetch_seconds, listed(settings.media_types)
        )
        ours = frozenset(filter(None, map(_host_and_port, channels.urls.values())))
        return Fetching(
            MediaFetcher(self._files, {}, allow_hosts=listed(settings.media_allow_hosts)),
            MediaFetcher(self._files, {}, allow_hosts=ours),
            channels,
            manifests,
            limits,
        )

    def _transcriber(self, settings: OrchestratorSettings) -> Transcriber | None:
        if not settings.transcribe_url:
            return None
        hearing = Hearing(
            settings.transcribe_url,
            settings.transcribe_model,
            settings.transcribe_key,
            settings.transcribe_language,
            settings.transcribe_seconds,
            settings.transcribe_max_bytes,
        )
        return OpenAITranscriber(self._hearing, hearing)


def _care(settings: OrchestratorSettings) -> Care:
    return Care(
        fetch_seconds=settings.media_fetch_seconds,
        attempts=settings.media_attempts,
        workers=settings.media_workers,
        keep_days=settings.media_keep_days,
        store_bytes=settings.content_store_bytes,
    )


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""
