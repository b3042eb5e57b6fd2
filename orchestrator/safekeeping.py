"""From a vendor's link to our store, ahead of a turn and within its bound.

A slow or endless file never holds up the text: what was not got in time stands in `media` as waiting, written
with the message, and the loop of any replica fetches it (orchestrator/media_loop.py).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg
import structlog

from core.errors import ChannelError
from core.messages import IncomingMessage
from orchestrator.batching import ChatContext
from orchestrator.content_store import ContentKey
from orchestrator.contents import Contents
from orchestrator.enrich import Enriches
from orchestrator.media_fetching import Fetching, Missed
from orchestrator.message_files import MessageFile, files_of
from orchestrator.transcripts import Transcripts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was got before a batch is resolved: {source: key}, and messages with what voice notes say."""

    messages: list[IncomingMessage]
    kept: dict[str, ContentKey]


class Safekeeping:
    """Fetches, stores and has heard. `seconds` bounds what is done ahead, 0: nothing is."""

    def __init__(
        self,
        fetching: Fetching,
        contents: Contents,
        transcripts: Transcripts,
        *,
        seconds: float,
        at_once: int,
    ) -> None:
        self.contents = contents
        self.transcripts = transcripts
        self._fetching = fetching
        self._seconds = seconds
        self._slots = asyncio.Semaphore(at_once)

    async def take(
        self, file: MessageFile, *, channel: str, account: str, has_words: bool
    ) -> ContentKey | Missed:
        """Fetch a file and store it; a voice note without words is wanted heard. Raises StorageDown."""
        got = await self._fetching.fetch(file, channel=channel, account=account)
        if isinstance(got, Missed):
            return got
        key = await self.contents.keep(got.content, got.media_type)
        if file.kind == "voice" and not has_words and got.media_type.startswith("audio/"):
            await self.transcripts.want(key)
        return key

    async def ahead(self, messages: Sequence[IncomingMessage]) -> Ahead:
        """Fetch and hear what can be had within the bound; never raises for what a file does."""
        wanted = {file.source: (file, one) for one in messages for file in files_of(one.media)}
        if not wanted or not self._seconds:
            return Ahead(list(messages), {})
        ends = asyncio.get_running_loop().time() + self._seconds
        found = await asyncio.gather(*(self._in_time(file, one, ends) for file, one in wanted.values()))
        kept = {source: key for source, key in zip(wanted, found, strict=True) if key}
        return Ahead([await self._with_words(one, kept, ends) for one in messages], kept)

    async def _in_time(self, file: MessageFile, message: IncomingMessage, ends: float) -> ContentKey | None:
        place = {"channel": message.channel, "account": message.account}
        try:
            async with asyncio.timeout_at(ends), self._slots:
                taken = await self.take(file, **place, has_words=bool(message.media.voice_transcribed_text))
        except TimeoutError:
            log.warning("file_not_in_time", **place, kind=file.kind)
        except (ChannelError, asyncpg.PostgresError, OSError):
            log.exception("file_not_kept", **place, kind=file.kind)
        else:
            if not isinstance(taken, Missed):
                return taken
            log.warning("file_missed", **place, kind=file.kind, state=taken.state, why=taken.reason)
        return None

    async def _with_words(
        self, message: IncomingMessage, kept: dict[str, ContentKey], ends: float
    ) -> IncomingMessage:
        voice = next((file for file in files_of(message.media) if file.kind == "voice"), None)
        key = kept.get(voice.source) if voice else None
        if key is None or message.media.voice_transcribed_text:
            return message
        text = await self.transcripts.within(key, ends - asyncio.get_running_loop().time())
        if not text:
            return message
        media = message.media.model_copy(update={"voice_transcribed_text": text})
        return message.model_copy(update={"media": media})


class FactsAndFiles:
    """What a batch is completed with before it is resolved: facts and links, then the files behind these."""

    def __init__(self, facts: Enriches, files: Safekeeping) -> None:
        self._facts = facts
        self._files = files

    async def enrich(
        self, messages: Sequence[IncomingMessage]
    ) -> tuple[list[IncomingMessage], ChatContext | None]:
        """Each of the two within its own bound."""
        linked, context = await self._facts.enrich(messages)
        ahead = await self._files.ahead(linked)
        if not ahead.kept:
            return linked, context
        return ahead.messages, replace(context or ChatContext(), kept=ahead.kept)
