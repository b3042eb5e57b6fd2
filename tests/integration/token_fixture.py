"""A hub with two customers on two channels, whose cases A and B are worked on."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.app import ServiceParts, build_app
from core.auth import KeyRing
from core.clock import SystemClock
from core.keys import Keys
from orchestrator.app import Orchestrator
from orchestrator.channels import Channels
from orchestrator.settings import OrchestratorSettings
from orchestrator.store.pool import Pool, new_pool
from tests.integration.intake_fixture import connect

OPERATOR, AGENT, LOOKER = (f"{name}-key-0123456789" for name in ("operator", "agent", "looker"))
RING = f"operator={OPERATOR},agent:agent:full={AGENT},looker:agent:read_only:read={LOOKER}"
STATE_KEY = b"a state key of thirty-two bytes!"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@dataclass(frozen=True, slots=True)
class Side:
    """A customer and what is kept of them: every argument that may name something of theirs."""

    names: dict[str, Any]
    words: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def shows_in(self, text: str) -> list[str]:
        """Which of their words stand in an answer."""
        return [word for word in self.words if word in text]


class Hub:
    """Over ASGI with real Redis and PostgreSQL."""

    def __init__(self, app: Starlette, parts: ServiceParts, redis: Redis, pool: Pool) -> None:
        self.app = app
        self.parts = parts
        self.redis = redis
        self.pool = pool
        self._numbers = 0
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60)

    async def ask(self, path: str, key: str = OPERATOR, method: str = "POST", **given: Any) -> httpx.Response:
        told: dict[str, Any] = {"json": given} if method == "POST" else {"params": given}
        return await self._client.request(method, path, headers={"X-API-Key": key}, **told)

    async def told(self, path: str, key: str = OPERATOR, method: str = "POST", **given: Any) -> Any:
        """The answer, which is no refusal."""
        answer = await self.ask(path, key, method, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def call(self, name: str, given: dict[str, Any], key: str) -> httpx.Response:
        """An operation by its name; what stands in its path is taken from the arguments."""
        one = next(one for one in self.parts.operations if one.name == name)
        inside = {key: value for key, value in given.items() if f"{{{key}}}" in one.path}
        rest = {key: value for key, value in given.items() if key not in inside}
        return await self.ask(one.path.format(**inside), key, one.method, **rest)

    async def writes(self, channel: str, chat: str, name: str, *texts: str) -> None:
        """A customer writes; their turn is there soon."""
        for text in texts:
            self._numbers += 1
            message = {
                "channel": channel,
                "external_user_id": f"user-{chat}",
                "external_chat_id": chat,
                "external_message_id": f"{chat}-{self._numbers}",
                "text": text,
                "timestamp": datetime.now(UTC).isoformat(),
                "client_name": name,
            }
            await self.redis.rpush(Keys().incoming.source, json.dumps(message))

    async def token(self, appeal_id: str, key: str = AGENT, **asked: Any) -> str:
        made = await self.told(f"/api/appeals/{appeal_id}/token", key, **asked)
        return str(made["token"])

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    async def dump(self) -> dict[str, list[str]]:
        """Every row of every table."""
        tables = [row["tablename"] for row in await self.pool.fetch(_TABLES)]
        rows = "SELECT to_jsonb(t)::text AS row FROM {} AS t ORDER BY 1"
        return {table: [row["row"] for row in await self.pool.fetch(rows.format(table))] for table in tables}


async def side(hub: Hub, channel: str, chat: str, name: str) -> Side:
    """A customer with an answered turn, a note, and a turn that is being worked on by somebody else."""
    said = f"тайна {name}"
    await hub.writes(channel, chat, name, said)
    first = await hub.told("/api/turns/wait", wait_seconds=50)
    await hub.told(f"/api/appeals/{first['appeal_id']}/notes", text=f"заметка {name}")
    lease = {"lease_token": first["lease_token"], "text": f"ответ {name}"}
    replied = await hub.told(f"/api/turns/{first['turn_id']}/reply", **lease)
    await hub.writes(channel, chat, name, f"ещё {said}")
    second = await hub.told("/api/turns/wait", wait_seconds=50)
    names = {
        "appeal_id": first["appeal_id"],
        "client_id": first["client_id"],
        "channel": channel,
        "account": "default",
        "chat_id": chat,
        "turn_id": second["turn_id"],
        "lease_token": second["lease_token"],
        "delivery_id": replied["delivery_id"],
        "message_id": second["messages"][0]["message_id"],
        "reply_to": second["messages"][0]["message_id"],
    }
    return Side(names, (name, chat, names["delivery_id"]))


@asynccontextmanager
async def hub_with(redis_url: str, database_url: str, *, loops: bool) -> AsyncIterator[Hub]:
    """Without its loops only callers change anything."""
    own = OrchestratorSettings.model_validate(
        {"database_url": database_url, "channel_api_key": "none", "silence_seconds": 0.1}
    )
    async with connect(redis_url) as redis, new_pool(database_url) as pool, httpx.AsyncClient() as http:
        urls = dict.fromkeys(("telegram", "avito"), "http://127.0.0.1:1")
        made = Orchestrator(
            own, redis=redis, pool=pool, channels=Channels(urls, http), clock=SystemClock(), keys=Keys()
        )
        parts = made.parts(KeyRing.parse(SecretStr(RING)), state_keys=[STATE_KEY])
        parts = parts if loops else replace(parts, lifespan=made.answering)
        app = build_app(parts, mcp=False)
        async with app.router.lifespan_context(app):
            yield Hub(app, parts, redis, pool)
