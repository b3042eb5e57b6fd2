"""A shop in one process: the webhooks of all messengers and of forms, the whole orchestrator, its MCP server.

Redis and PostgreSQL are real; the messengers' own sides are in memory. Nothing answers but the test.
"""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx
import structlog
from mcp import Client
from mcp.types import EmbeddedResource, TextContent, TextResourceContents
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.afterwards import Afterwards
from core.app import ServiceParts, build_app
from core.auth import KeyRing
from core.channel_operations import Account, ChannelOperations
from core.clock import SystemClock
from core.deadletters import DeadLetters
from core.ids import DEFAULT_ACCOUNT
from core.keys import Keys
from core.known_chats import KnownChats
from core.observability import configure_logging
from core.tools import answered
from core.webhook import webhook_routes
from form_api.forms import Quiz
from form_api.normalize import normalize
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import Pool, new_pool
from tests.contract.vendor_side import SIDES, VendorSide
from tests.injection.messengers import Messengers
from tests.injection.places import DOORS, Door
from tests.integration.intake_fixture import connect, open_inbox
from tests.servers import SEALS

KEYS = Keys()
_SILENCE = 1.0
#: Longer than all of it takes: the other one's turn stays with its agent.
_LEASE = 3600
#: How often is looked whether the system has come to rest; seconds.
_LOOK = 0.05
_PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Written:
    """Who has written, as they are called there; `again` lets them write once more."""

    who: str
    again: Callable[[], Awaitable[None]]


class Messenger:
    """The webhook of one messenger, and what our list of chats shows of it."""

    def __init__(self, redis: Redis, inbox: Any, channel: str) -> None:
        self._side: VendorSide = SIDES[channel]()
        self._name = channel
        known = KnownChats(redis, KEYS, channel)
        self.afterwards = Afterwards(known)
        accounts = {DEFAULT_ACCOUNT: self._side.channel}
        routes = webhook_routes(channel, accounts, inbox, DeadLetters(redis, KEYS), listener=self.afterwards)
        transport = httpx.ASGITransport(Starlette(routes=list(routes)))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://channel.test")
        nothing = cast(Any, None)  # nothing is sent here
        operations = ChannelOperations(
            channel,
            {DEFAULT_ACCOUNT: Account(self._side.channel, nothing)},
            self._side.channel.capabilities,
            nothing,
            remembered=known,
        )
        self._operations = {one.name: one for one in operations.all()}

    async def deliver(self, body: Any) -> None:
        """As the messenger does, with its signature."""
        request = self._side.webhook(json.dumps(body, ensure_ascii=False).encode(), authentic=True)
        secret = f"/{request.secret}" if request.secret else ""
        headers = {**request.headers, "content-type": "application/json"}
        path = f"/webhook/{self._name}/default{secret}"
        (await self.client.post(path, content=request.body, headers=headers)).raise_for_status()

    async def shown(self) -> list[Any]:
        """What list_chats shows a model, page by page; nothing where the messenger itself lists chats."""
        pages, cursor = [], ""
        while self._lists_by_ourselves:
            _, page = answered(await self._operations["list_chats"].call({"limit": 100, "cursor": cursor}))
            pages.append(page)
            cursor = page["next_cursor"]
            if not cursor:
                break
        return pages

    @property
    def _lists_by_ourselves(self) -> bool:
        return not hasattr(self._side.channel, "list_chats")


class Shop:
    """Customers write in bursts; the test is the agent."""

    def __init__(
        self, redis: Redis, pool: Pool, parts: ServiceParts, agent: Client, messengers: dict[str, Messenger]
    ) -> None:
        self.redis = redis
        self.agent = agent
        self.messengers = messengers
        self._pool = pool
        self._info = parts.info
        self._operations = {one.name: one for one in parts.operations}
        self._numbers = count(1)

    async def burst(self, door: Door, words: str) -> Written:
        """One customer writes it in every place of a messenger; later in one place once more."""
        messenger, (number, who) = self.messengers[door.channel], door.someone()
        for body in door.burst(number, words):
            await messenger.deliver(body)

        async def again() -> None:
            await messenger.deliver(door.filled(door.bodies[0], words, number))

        return Written(who, again)

    async def form(self, words: str) -> Written:
        """The same in every field of a quiz."""
        phone = f"+7901{next(self._numbers):07d}"
        await self._fill_in(phone, words)
        return Written(phone, lambda: self._fill_in(phone, words))

    async def producer(self, words: str) -> Written:
        """A program of somebody else's puts it on the queue, in every field that has words."""
        name = f"stranger-{next(self._numbers)}"
        await self._produce(name, words)
        return Written(name, lambda: self._produce(name, words))

    async def _fill_in(self, phone: str, words: str) -> None:
        given = {
            "phone": phone,
            "name": words[:200],
            "form_id": words[:100],
            "message": words[:10_000],
            "page_url": words[:2_000],
            "quiz_answers": [{"question": words[:500], "answer": words[:2_000]}],
            "Ваш вопрос": words,
        }
        quiz, now = Quiz.model_validate(given), datetime.now(UTC)
        message = normalize(quiz, message_id=f"form-{next(self._numbers)}", received=now, raw=given)
        await self.redis.rpush(KEYS.incoming.source, message.model_dump_json())

    async def _produce(self, name: str, words: str) -> None:
        message = {
            "channel": "telegram",
            "external_user_id": name,
            "external_chat_id": name,
            "external_message_id": f"{name}-{next(self._numbers)}",
            "text": words,
            "timestamp": datetime.now(UTC).isoformat(),
            "client_name": words,
            "client_username": words,
            "client_email": words,
            "client_phone": words,
            "media": {
                "has_voice": True,
                "voice_url": "https://files.example.test/v.ogg",
                "voice_transcribed_text": words,
                "images": [{"url": "https://files.example.test/p.jpg", "caption": words}],
                "documents": [{"url": "https://files.example.test/d", "name": words, "kind": words}],
                "locations": [{"latitude": 1.5, "longitude": 2.5, "title": words}],
                "contacts": [{"name": words, "phone": words}],
            },
            "meta": {"ad_title": words, "ad_price": words, "ad_url": words, "raw": {"x": words}},
        }
        await self.redis.rpush(KEYS.incoming.source, json.dumps(message))

    async def ask(self, tool: str, **arguments: Any) -> Any:
        """The structured answer, which tells the same as the text."""
        answer = await self.tried(tool, **arguments)
        assert "refused" not in answer, f"{tool}: {answer}"
        return answer

    async def tried(self, tool: str, **arguments: Any) -> Any:
        """The same, or {refused: what the tool says instead}."""
        result = await self.agent.call_tool(tool, arguments)
        text = "".join(part.text for part in result.content if part.type == "text")
        if result.is_error:
            return {"refused": text}
        assert json.loads(text) == result.structured_content
        return result.structured_content

    async def read(self, uri: str) -> Any:
        """What stands under it."""
        [shown] = (await self.agent.read_resource(uri)).contents
        assert isinstance(shown, TextResourceContents)
        return json.loads(shown.text)

    async def prompt(self, name: str, **arguments: str) -> Any:
        """{task: our words, case: what is put beside them}."""
        task, case = (one.content for one in (await self.agent.get_prompt(name, arguments)).messages)
        assert isinstance(task, TextContent)
        assert isinstance(case, EmbeddedResource)
        assert isinstance(case.resource, TextResourceContents)
        return {"task": task.text, "case": json.loads(case.resource.text)}

    async def gathered(self) -> None:
        """Once nothing that anybody wrote waits to be part of a turn."""
        async with asyncio.timeout(_PATIENCE):
            while await self._gathering():  # noqa: ASYNC110  # there is no event for "nothing is left"
                await asyncio.sleep(_LOOK)

    async def _gathering(self) -> bool:
        waits = (await self._info())["queues"]["incoming"]
        return any(waits[name] for name in ("source", "taken", "pending", "live_chats"))

    async def departed(self) -> None:
        """Once nothing that we say waits to leave."""
        unsent = "SELECT count(*) FROM outbound WHERE state IN ('queued', 'sending')"
        async with asyncio.timeout(_PATIENCE):
            while (await self.rows(unsent))[0][0]:  # noqa: ASYNC110  # the same
                await asyncio.sleep(_LOOK)

    async def look(self, operation: str, **arguments: Any) -> Any:
        """What a model would be shown of it, without the way there."""
        return answered(await self._operations[operation].call(arguments))[1]

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._pool.fetch(query, *arguments)]


@contextmanager
def listened() -> Iterator[io.StringIO]:
    """What the process logs, with logging restored afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("shop", level="INFO", console=False, stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()


@asynccontextmanager
async def opened(redis_url: str, database_url: str, folder: Path) -> AsyncIterator[tuple[Shop, Messengers]]:
    """Ready for customers, and what these would see of us."""
    own = OrchestratorSettings.model_validate(
        {
            "database_url": database_url,
            "channel_api_key": "none",
            "silence_seconds": _SILENCE,
            "turn_lease_seconds": _LEASE,
        }
    )
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(redis_url))
        pool = await stack.enter_async_context(new_pool(database_url))
        outside = Messengers()
        http = await stack.enter_async_context(outside.client())
        inbox = await stack.enter_async_context(open_inbox(redis_url, folder))
        channels = Channels(outside.urls(*(door.channel for door in DOORS)), http)
        made = Orchestrator(own, redis=redis, pool=pool, channels=channels, clock=SystemClock(), keys=KEYS)
        parts = made.parts(KeyRing.parse(SecretStr("operator=operator-key-0123456789")), state_keys=SEALS)
        app = build_app(parts)
        messengers = {door.channel: Messenger(redis, inbox, door.channel) for door in DOORS}
        await stack.enter_async_context(app.router.lifespan_context(app))
        for one in messengers.values():
            await stack.enter_async_context(one.client)
            await stack.enter_async_context(one.afterwards.run())
        agent = await stack.enter_async_context(Client(app.state.mcp))
        yield Shop(redis, pool, parts, agent, messengers), outside


def lines_of(stream: io.StringIO) -> Sequence[str]:
    """The lines of a log, as any reader of it splits them."""
    return stream.getvalue().splitlines()
