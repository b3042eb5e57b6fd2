"""Files of messages on a real database and folder, with vendors that do as told; it holds no test."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.capabilities import MediaKind
from core.channel import MediaLink
from core.errors import ChannelError
from core.media_fetch import Fetched, Unfetched
from core.messages import IncomingMessage
from core.observability import Metrics
from orchestrator.batching import ChatContext
from orchestrator.content_folder import FolderStore
from orchestrator.contents import Contents
from orchestrator.history import MessageView, messages_of_turn
from orchestrator.manifests import Manifest
from orchestrator.media_fetching import Fetching, FetchLimits
from orchestrator.media_links import MediaLinks
from orchestrator.media_loop import Care, MediaLoop
from orchestrator.media_settings import MediaSettings, listed
from orchestrator.safekeeping import FactsAndFiles, Safekeeping
from orchestrator.store.resolve import ResolvedBatch
from orchestrator.transcriber import Transcriber
from orchestrator.transcripts import Transcripts
from tests.integration.chats_fixture import ManualClock
from tests.integration.test_resolve_scene import Scene, message, scene

JPEG = b"\xff\xd8\xff\xe0 a picture"
PDF = b"%PDF-1.4 a price list"
ORIGIN = "https://hub.example"
WAIT = 0.3
Answer = bytes | Unfetched


def wav(seconds: float = 0.1, *, tone: int = 0) -> bytes:
    """A sound file that every player opens."""
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes([tone, 0]) * int(16_000 * seconds))
    return written.getvalue()


class FakeWeb:
    """Addresses and what they give; `silent` ones never answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []

    async def fetch(self, url: str, kind: MediaKind, *, max_bytes: int, seconds: float) -> Fetched:
        self.asked.append(url)
        if url in self.silent:
            await asyncio.Event().wait()
        answer = self.answers.get(url, Unfetched("answered 404", "gone"))
        if isinstance(answer, Unfetched):
            raise answer
        if len(answer) > max_bytes:
            raise Unfetched("larger", "too_large")
        return Fetched(answer)


class FakeLinks:
    """A channel that links files by their ids, and tells what it can."""

    def __init__(self) -> None:
        self.names = frozenset({"avito"})
        self.urls = {"avito": "http://mcp_avito:8765"}
        self.links: dict[str, str | ChannelError] = {}
        self.parts = frozenset({"ResolvesMedia"})
        self.asked: list[str] = []

    async def of(self, channel: str) -> Manifest | None:
        return Manifest(parts=self.parts)

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        self.asked.append(file_id)
        link = self.links.get(file_id, f"https://fresh/{file_id}")
        if isinstance(link, ChannelError):
            raise link
        return MediaLink(url=link, expires_in=3600)


class FakeTranscriber:
    """Hears everything at once, unless told otherwise; counts what it was asked."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.text = "сколько стоит экран?"
        self.error: ChannelError | None = None
        self.held = asyncio.Event()
        self.held.set()

    async def transcribe(self, content: bytes, media_type: str) -> str:
        self.heard.append(content)
        await self.held.wait()
        if self.error is not None:
            raise self.error
        return self.text


class NoFacts:
    """Messages as they came."""

    async def enrich(self, messages: Any) -> tuple[list[IncomingMessage], ChatContext | None]:
        return list(messages), None


class Files:
    """The parts of the orchestrator that care for files, on one database."""

    def __init__(
        self, here: Scene, folder: Path, *, transcriber: Transcriber | None, **settings: Any
    ) -> None:
        self.here = here
        self.folder = folder
        self.clock = ManualClock(round(here.now.timestamp() * 1000))
        self.web = FakeWeb()
        self.inside = FakeWeb()
        self.channel = FakeLinks()
        self.metrics = Metrics()
        self.settings = MediaSettings(**{"media_wait_seconds": WAIT, "media_fetch_seconds": 5} | settings)
        self.store = FolderStore(folder)
        self.contents = Contents(here.pool, self.store, self.clock)
        self.transcripts = Transcripts(here.pool, self.contents, transcriber, self.metrics, seconds=60)
        self.links = MediaLinks(SecretStr("a-key-of-tests-0123456789"), ORIGIN)
        self.keeping = self._keeping()
        self.loop = self.replica()

    def _keeping(self) -> Safekeeping:
        own = self.settings
        limits = FetchLimits(own.media_max_bytes, own.media_fetch_seconds, listed(own.media_types))
        return Safekeeping(
            Fetching(self.web, self.inside, self.channel, self.channel, limits),
            self.contents,
            self.transcripts,
            seconds=own.media_wait_seconds,
            at_once=own.media_workers,
        )

    def replica(self) -> MediaLoop:
        own = self.settings
        care = Care(
            fetch_seconds=own.media_fetch_seconds,
            attempts=own.media_attempts,
            workers=own.media_workers,
            keep_days=own.media_keep_days,
            store_bytes=own.content_store_bytes,
        )
        return MediaLoop(self.here.pool, self.keeping, care, clock=self.clock, metrics=self.metrics)

    def pass_time(self, seconds: float) -> None:
        self.here.pass_time(seconds)
        self.clock.move(round(seconds * 1000))

    async def arrive(self, *messages: IncomingMessage) -> ResolvedBatch:
        """A due batch, as the debouncer works on it."""
        completed, context = await FactsAndFiles(NoFacts(), self.keeping).enrich(messages)
        return await self.here.resolve(*completed, context=context)

    async def missed(self, *messages: IncomingMessage) -> ResolvedBatch:
        """A batch whose files could not be had ahead."""
        return await self.here.resolve(*messages)

    async def states(self) -> list[str]:
        return [state for (state,) in await self.here.rows("SELECT state FROM media ORDER BY id")]

    async def shown(self, batch: ResolvedBatch) -> list[MessageView]:
        assert batch.turn_id is not None
        return await messages_of_turn(self.here.pool, batch.turn_id)

    async def voice_text(self) -> Any:
        return await self.here.value("SELECT media ->> 'voice_transcribed_text' FROM messages_history")

    def counted(self, name: str, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"eldoleado_{name}_total", {"outcome": outcome})

    def lying(self) -> list[bytes]:
        """Whatever lies in the folder."""
        return [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]


@asynccontextmanager
async def files(
    database_url: str, folder: Path, *, transcriber: Transcriber | None = None, **settings: Any
) -> AsyncIterator[Files]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(scene(database_url))
        made = Files(here, folder / "media", transcriber=transcriber, **settings)
        await stack.enter_async_context(made.transcripts.running())
        yield made


def photo(number: str, url: str = "https://cdn/1.jpg", **more: Any) -> IncomingMessage:
    return message(number, media={"has_images": True, "images": [{"url": url}]}, **more)


def voice(number: str, url: str = "https://cdn/v.wav", **media: Any) -> IncomingMessage:
    given = {"has_voice": True, "voice_url": url} | media
    return message(number, " ", media={name: value for name, value in given.items() if value})
