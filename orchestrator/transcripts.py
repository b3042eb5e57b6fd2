"""Voice notes heard: once per content, by one worker at a time, and never in the way of a turn.

none -- want --> waiting -- settle --> done, failed
                   |  ^---- postpone (a try failed; a lease ended)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from core.errors import ChannelError, Rejected, StorageDown
from core.observability import Metrics
from orchestrator.clients import chat_key
from orchestrator.content_store import ContentKey
from orchestrator.contents import Contents
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql
from orchestrator.transcriber import Transcriber

#: After so many tries, over about an hour, nobody hears it any more.
MOST_TRIES = 6
_PAUSES = (10, 60, 300, 900, 1800)
#: Longer than a transcription may take with all its tries.
_LEASE_MORE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Heard:
    """How far a voice note is."""

    state: str
    text: str = ""


class Transcripts:
    """Hears contents while `running()` is entered; without a transcriber it wants none."""

    def __init__(
        self,
        pool: Pool,
        contents: Contents,
        transcriber: Transcriber | None,
        metrics: Metrics,
        *,
        seconds: float,
    ) -> None:
        self._pool = pool
        self._contents = contents
        self._transcriber = transcriber
        self._metrics = metrics
        self._lease = timedelta(seconds=seconds) + _LEASE_MORE
        self._tasks: asyncio.TaskGroup | None = None
        self._under_way: dict[ContentKey, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own the transcriptions under way; what is not done at the end is begun again by another process."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                for task in self._under_way.values():
                    task.cancel()

    async def want(self, key: ContentKey) -> None:
        """Have this voice note heard, now or by whoever looks for work."""
        if self._transcriber is None:
            return
        await self._pool.execute(sql("want_transcript"), key, self._contents.now())
        self._start(key)

    async def within(self, key: ContentKey, seconds: float) -> str:
        """What it says, if that is known in time; "" else. The hearing goes on after that."""
        task = self._under_way.get(key)
        if task is not None:
            await asyncio.wait({task}, timeout=max(0.0, seconds))
        heard = await self.of(key)
        return heard.text if heard.state == "done" else ""

    async def of(self, key: ContentKey) -> Heard:
        """How far it is."""
        row = await self._pool.fetchrow(sql("transcript_of"), key)
        return Heard(row["transcript_state"], row["transcript"]) if row else Heard("none")

    async def tell(self, key: ContentKey) -> None:
        """Add the words to the messages that stand in the history without them."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(sql("chats_of_content"), key)
            chats = [tuple(row) for row in rows]
            if chats:
                await connection.execute(sql("lock_keys"), [chat_key(*chat) for chat in chats])
                await connection.execute(
                    sql("apply_late_transcripts"), key, *map(list, zip(*chats, strict=True))
                )

    async def hear_due(self, most: int) -> int:
        """Hear up to `most` that wait, such as those whose process died; how many there were."""
        if self._transcriber is None:
            return 0
        rows = await self._pool.fetch(sql("due_transcripts"), self._contents.now(), most)
        for row in rows:
            self._start(ContentKey(row["hash"]))
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()))
        return len(rows)

    def _start(self, key: ContentKey) -> None:
        if self._tasks is None or key in self._under_way:
            return
        task = self._tasks.create_task(self._survive(key))
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))

    async def _survive(self, key: ContentKey) -> None:
        try:
            await self._hear(key)
        except Exception:  # noqa: BLE001  # top of a task: it costs this voice note a while, nothing else
            structlog.get_logger().exception("transcription_failed", content=key)

    async def _hear(self, key: ContentKey) -> None:
        now = self._contents.now()
        claimed = await self._pool.fetchrow(sql("claim_transcript"), key, now, now + self._lease)
        if claimed is None or self._transcriber is None:
            return
        try:
            content = await self._contents.read(key)
            if content is None:
                raise Rejected("The voice note is not in the store any more.")
            text = await self._transcriber.transcribe(content, claimed["media_type"])
        except StorageDown as error:
            await self._later(key, 1, error)
        except ChannelError as error:
            tries = claimed["transcript_attempts"]
            if isinstance(error, Rejected) or tries >= MOST_TRIES:
                await self._settle(key, "failed", reason=error.detail)
            else:
                await self._later(key, tries, error)
        else:
            await self._settle(key, "done", text=text)

    async def _settle(self, key: ContentKey, state: str, *, text: str = "", reason: str = "") -> None:
        """First the content, then the messages: one that is written meanwhile looks at the content itself."""
        await self._pool.execute(sql("settle_transcript"), key, state, text, reason)
        await self.tell(key)
        self._metrics.transcriptions.labels(state).inc()
        structlog.get_logger().info("voice_note_heard", content=key, state=state, reason=reason)

    async def _later(self, key: ContentKey, tries: int, error: ChannelError) -> None:
        pause = max(error.retry_after or 0.0, _PAUSES[min(tries, len(_PAUSES)) - 1])
        due = self._contents.now() + timedelta(seconds=pause)
        await self._pool.execute(sql("postpone_transcript"), key, due, error.detail)
        self._metrics.transcriptions.labels("later").inc()
        structlog.get_logger().warning("voice_note_not_heard", content=key, code=error.code, tries=tries)
