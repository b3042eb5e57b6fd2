"""One address for all accounts of an app: Instagram's deliveries through the whole door, onto real Redis."""

import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.deadletters import DeadLetter, DeadLetters
from core.ids import AccountId
from core.inbox import Inbox
from core.webhook import webhook_routes
from mcp_instagram.channel import InstagramChannel
from mcp_instagram.client import InstagramClient
from tests.contract.instagram_side import ME, OLGA, SECRET, SETTINGS
from tests.integration.intake_fixture import KEYS, connect, open_inbox

SECOND, REMOVED = "17841400000000002", "17841400000000003"
#: The account `other` belongs to another app, which signs with another secret.
OTHER, OTHER_SECRET, NOBODYS = "17841400000000004", "another-secret-0123456789", "nobodys-secret-012345"
ACCOUNTS = {"shop": (ME, SECRET), "second": (SECOND, SECRET), "other": (OTHER, OTHER_SECRET)}


class Service:
    """The webhook of Instagram with several accounts."""

    def __init__(self, redis: Redis, inbox: Inbox) -> None:
        self._redis = redis
        self._dead = DeadLetters(redis, KEYS)
        accounts = {AccountId(name): _channel(name, *said) for name, said in ACCOUNTS.items()}
        app = Starlette(routes=webhook_routes("instagram", accounts, inbox, self._dead))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    async def deliver(self, *items: Mapping[str, Any], secret: str = SECRET) -> int:
        entries = [{"id": one["recipient"]["id"], "time": 1, "messaging": [one]} for one in items]
        return await self.post({"object": "instagram", "entry": entries}, secret=secret)

    async def post(self, body: Any, path: str = "/webhook/instagram", *, secret: str = SECRET) -> int:
        content = json.dumps(body).encode()
        proof = hmac.digest(secret.encode(), content, "sha256").hex()
        signed = {"x-hub-signature-256": f"sha256={proof}"}
        return (await self._client.post(path, content=content, headers=signed)).status_code

    async def queued(self) -> list[tuple[str, str]]:
        """Account and text of what waits."""
        rows = [json.loads(row) for row in await self._redis.lrange(KEYS.incoming.source, 0, -1)]
        return [(row["account"], row["text"]) for row in rows]

    async def letters(self) -> list[DeadLetter]:
        return await self._dead.list("webhook:instagram")


def _channel(name: str, user_id: str, secret: str) -> InstagramChannel:
    given = {"user_id": user_id, "app_secret": SecretStr(secret), "app_secret_2": None}
    settings = SETTINGS.model_copy(update=given)
    return InstagramChannel(InstagramClient(settings), settings, account=AccountId(name))


@asynccontextmanager
async def serving(redis_url: str, folder: Path) -> AsyncIterator[Service]:
    async with open_inbox(redis_url, folder) as inbox, connect(redis_url) as redis:
        yield Service(redis, inbox)


def to(account: str, text: str, **more: Any) -> dict[str, Any]:
    message = {"mid": f"mid of {text}", "text": text}
    parties = {"sender": {"id": OLGA}, "recipient": {"id": account}}
    return {**parties, "timestamp": 1_795_363_200_998, "message": message, **more}


async def test_each_account_takes_its_own_out_of_a_batch_and_nothing_is_buried(
    redis_url: str, tmp_path: Path
) -> None:
    async with serving(redis_url, tmp_path) as service:
        batch = [to(ME, "раз"), to(SECOND, "два"), to(ME, "три")]
        for _ in range(3):
            assert await service.deliver(*batch) == 200

        assert sorted(await service.queued()) == [("second", "два"), ("shop", "раз"), ("shop", "три")]
        assert await service.letters() == []


async def test_what_belongs_to_a_removed_account_is_kept_and_answered_by_nobody(
    redis_url: str, tmp_path: Path
) -> None:
    async with serving(redis_url, tmp_path) as service:
        assert await service.deliver(to(ME, "нам"), to(REMOVED, "не нам")) == 200

        assert await service.queued() == [("shop", "нам")]
        [letter] = await service.letters()
        assert (letter.reason, letter.detail) == ("other_account", REMOVED)


async def test_an_operators_edit_in_a_removed_account_names_the_account(
    redis_url: str, tmp_path: Path
) -> None:
    """By the entry: an edit of the business's own has no is_echo, and its recipient is the customer."""
    parties = {"sender": {"id": REMOVED}, "recipient": {"id": OLGA}}
    edit = {**parties, "timestamp": 1_795_363_200_998, "message_edit": {"mid": "m", "text": "x"}}
    async with serving(redis_url, tmp_path) as service:
        await service.post({"object": "instagram", "entry": [{"id": REMOVED, "messaging": [edit]}]})

        assert [letter.detail for letter in await service.letters()] == [REMOVED]


async def test_what_no_account_can_read_is_kept_once(redis_url: str, tmp_path: Path) -> None:
    """Each account of the app is asked: one letter says it all."""
    entries = [{"id": ME, "messaging": [to(ME, "нам")]}, {"id": ME, "holograms": [{}]}]
    async with serving(redis_url, tmp_path) as service:
        await service.post({"object": "instagram", "entry": entries})

        assert await service.queued() == [("shop", "нам")]
        [letter] = await service.letters()
        assert (letter.reason, "holograms" in letter.detail) == ("unknown_payload", True)


async def test_an_app_speaks_for_its_own_accounts_only(redis_url: str, tmp_path: Path) -> None:
    """A secret of one app must not bring words into the account of another."""
    async with serving(redis_url, tmp_path) as service:
        assert await service.deliver(to(OTHER, "чужой подписью"), secret=SECRET) == 200
        assert await service.deliver(to(OTHER, "своей"), secret=OTHER_SECRET) == 200
        assert await service.deliver(to(OTHER, "ничьей"), secret=NOBODYS) == 401

        assert await service.queued() == [("other", "своей")]


@pytest.mark.parametrize("path", ["/webhook/instagram/removed", "/webhook/instagram/removed/secret"])
async def test_an_address_of_a_removed_account_is_not_served(
    redis_url: str, tmp_path: Path, path: str
) -> None:
    async with serving(redis_url, tmp_path) as service:
        assert await service.post({"object": "instagram"}, path) == 401
        assert await service.letters() == []
