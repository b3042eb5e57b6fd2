"""A channel as the service that customers' messengers and our orchestrator meet: real app, real Redis."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis

from core.app import build_app
from core.channel_service import ChannelService
from core.clock import SystemClock
from core.deadletters import DeadLetter, DeadLetters
from core.ids import AccountId
from core.keys import Keys
from core.operations import Operation
from core.pauses import Pauses, PauseState
from core.registry import CHANNELS
from core.settings import ServiceSettings
from core.vendor_settings import VendorSettings
from tests.contract.vendor_side import VendorSide
from tests.servers import own_operations

KEY, AGENT_KEY = "operator-key-0123456789abcdef", "agent-key-0123456789abcdef"


class Door:
    """What stands before the service, and what is behind it. `operations` are those that it serves."""

    def __init__(
        self,
        vendor: VendorSide,
        client: httpx.AsyncClient,
        redis: Redis,
        operations: Sequence[Operation],
    ) -> None:
        self._vendor = vendor
        self._redis = redis
        self.client = client
        self.operations = {one.name: one for one in operations}
        self.channel = str(vendor.channel.name)

    async def deliver(self, body: bytes, *, authentic: bool = True) -> httpx.Response:
        """As the vendor would: its headers, and its secret where the vendor has it in the path."""
        shown = self._vendor.webhook(body, authentic=authentic)
        path = f"/webhook/{self.channel}/{self._vendor.channel.account}"
        headers = {"content-type": "application/json", **shown.headers}
        url = f"{path}/{shown.secret}" if shown.secret else path
        return await self.client.post(url, content=shown.body, headers=headers)

    async def ask(self, method: str, path: str, *, key: str = KEY, **more: Any) -> httpx.Response:
        """A call of REST with the right account."""
        body = {"account": self._vendor.channel.account, **more}
        sent: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
        return await self.client.request(method, path, headers={"X-API-Key": key}, **sent)

    async def call(self, name: str, *, key: str = KEY, **given: Any) -> httpx.Response:
        """An operation by its name, over REST."""
        asked = self.operations[name]
        inside = {one: value for one, value in given.items() if f"{{{one}}}" in asked.path}
        path = asked.path.format(**{one: quote(value, safe="") for one, value in inside.items()})
        rest = {one: value for one, value in given.items() if one not in inside}
        return await self.ask(asked.method, path, key=key, **rest)

    async def pause(self, chat_id: str) -> None:
        """A person has the chat until they give it back, as the orchestrator tells channels."""
        state = PauseState(self.channel, self._vendor.channel.account, chat_id, version=1, until_ms=None)
        await Pauses(self._redis, Keys(), SystemClock()).tell(state)

    async def queued(self) -> list[dict[str, Any]]:
        """What stands on queue:incoming."""
        return [json.loads(one) for one in await self._redis.lrange("queue:incoming", 0, -1)]

    async def buried(self) -> list[DeadLetter]:
        """The dead letters of the webhook."""
        return await DeadLetters(self._redis, Keys()).list(f"webhook:{self.channel}")


@asynccontextmanager
async def served(vendor: VendorSide, redis_url: str, folder: Path) -> AsyncIterator[Door]:
    """The service of the vendor's channel, with its one account."""
    parts = _service(vendor, redis_url, folder).parts()
    app = build_app(parts)
    transport = httpx.ASGITransport(app)
    async with (
        Redis.from_url(redis_url) as redis,
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield Door(vendor, client, redis, parts.operations)


def _service(vendor: VendorSide, redis_url: str, folder: Path) -> ChannelService[Any, Any]:
    channel: Any = vendor.channel
    entry = next(one for one in CHANNELS if one.channel == channel.name)
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url),
        api_keys=SecretStr(f"operator={KEY},agent:agent:full={AGENT_KEY}"),
        spool_dir=str(folder),
        sweep_seconds=0,
    )
    accounts = {AccountId(channel.account): _Nothing(base_url="https://vendor.example.test")}
    return ChannelService(entry, settings, accounts, lambda *_: channel, own_operations(entry))


class _Nothing(VendorSettings):
    """The side has made its channel already."""
