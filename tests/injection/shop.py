"""A shop in one process: the webhooks of all messengers and of forms, the whole orchestrator, its MCP server.

Redis and PostgreSQL are real; the messengers' own sides are in memory. Nothing answers but the test.
"""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import structlog
from mcp import Client
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
from tests.injection.places import DOORS, Door
from tests.integration.intake_fixture import connect, open_inbox

KEYS = Keys()
_SILENCE = 1.0
#: Longer than all of it takes: the other one's turn stays with its agent.
_LEASE = 3600


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
        self, redis: Redis, pool: Pool, agent: Client, parts: ServiceParts, messengers: dict[str, Messenger]
    ) -> None:
        self.redis = redis
        self.pool = pool
        self.agent = agent
        self.messengers = messengers
        self._operations = {one.name: one for one in parts.operations}
        self._forms = 0

    async def burst(self, door: Door, words: str) -> str:
        """One customer writes it in every place of a messenger; who they are there."""
        customer, bodies = door.burst(words)
        for body in bodies:
            await self.messengers[door.channel].deliver(body)
        return customer

    async def form(self, words: str) -> str:
        """The same in every field of a quiz."""
        self._forms += 1
        phone = f"+7901{self._forms:07d}"
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
        message = normalize(quiz, message_id=f"form-{self._forms}", received=now, raw=given)
        await self.redis.rpush(KEYS.incoming.source, message.model_dump_json())
        return phone

    async def producer(self, words: str) -> str:
        """A program of somebody else's puts it on the queue, in every field that has words."""
        self._forms += 1
        name = f"stranger-{self._forms}"
        message = {
            "channel": "telegram",
            "external_user_id": name,
            "external_chat_id": name,
            "external_message_id": name,
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
        return name

    async def ask(self, tool: str, **arguments: Any) -> Any:
        """The structured answer, which tells the same as the text."""
        result = await self.agent.call_tool(tool, arguments)
        text = "".join(part.text for part in result.content if part.type == "text")
        assert not result.is_error, f"{tool}: {text}"
        assert json.loads(text) == result.structured_content
        return result.structured_content

    async def look(self, operation: str, **arguments: Any) -> Any:
        """What a model would be shown of it, without the way there."""
        return answered(await self._operations[operation].call(arguments))[1]

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.pool.fetch(query, *arguments)]


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
async def opened(redis_url: str, database_url: str, folder: Path) -> AsyncIterator[Shop]:
    """Ready for customers."""
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
        http = await stack.enter_async_context(httpx.AsyncClient())
        inbox = await stack.enter_async_context(open_inbox(redis_url, folder))
        made = Orchestrator(
            own, redis=redis, pool=pool, channels=Channels({}, http), clock=SystemClock(), keys=KEYS
        )
        parts = made.parts(KeyRing.parse(SecretStr("operator=operator-key-0123456789")))
        app = build_app(parts)
        messengers = {door.channel: Messenger(redis, inbox, door.channel) for door in DOORS}
        await stack.enter_async_context(app.router.lifespan_context(app))
        for one in messengers.values():
            await stack.enter_async_context(one.client)
            await stack.enter_async_context(one.afterwards.run())
        agent = await stack.enter_async_context(Client(app.state.mcp))
        yield Shop(redis, pool, agent, parts, messengers)


def lines_of(stream: io.StringIO) -> Sequence[str]:
    """The lines of a log, as any reader of it splits them."""
    return stream.getvalue().splitlines()
