"""A webhook's dead letters, read once more by their channel after a fix of the code or an edit."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.channel import Normalized
from core.deadletters import DeadLetters, Found
from core.errors import NotFound, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.inbox import Inbox
from core.letter_replays import LetterReplays, Replayed
from core.masking import MASK
from core.testing import FakeChannel
from core.webhook import Deaf, webhook_routes
from tests.integration.intake_fixture import KEYS, connect, open_inbox

SECRET = "our-own-path-secret"
SHOP = AccountId("shop")
BROKEN = {"break": True, "id": "m1", "chat": "c1", "text": "Цена?"}


class Mendable(FakeChannel):
    """A channel whose code breaks on some bodies until it is mended."""

    mended = False

    def normalize(self, body: Any) -> Normalized:
        if self.mended and isinstance(body, dict):
            body = {key: value for key, value in body.items() if key != "break"}
        return super().normalize(body)


class Service:
    """The webhook of a channel with two accounts, and the replay of its letters."""

    def __init__(self, redis: Redis, inbox: Inbox) -> None:
        self.redis = redis
        self.accounts = {
            DEFAULT_ACCOUNT: Mendable(secret=SECRET),
            SHOP: Mendable(secret=SECRET, account=SHOP),
        }
        self.dead = DeadLetters(redis, KEYS, secrets=[SECRET])
        self.replays = LetterReplays(self.accounts, inbox, self.dead, Deaf())
        app = Starlette(routes=webhook_routes("avito", self.accounts, inbox, self.dead))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    async def buried(self, body: Any, account: str = "default") -> str:
        """A body that came and could not be read; the id of its letter."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self._client.post(f"/webhook/avito/{account}/{SECRET}", content=content)
        assert answer.status_code == 200
        return (await self.dead.list("webhook:avito"))[0].id

    async def replay(self, letter_id: str) -> Replayed:
        return await self.replays.replay(letter_id, "anna")

    def mend(self) -> None:
        for channel in self.accounts.values():
            channel.mended = True

    async def queued(self) -> list[tuple[str, str]]:
        rows = [json.loads(row) for row in await self.redis.lrange(KEYS.incoming.source, 0, -1)]
        return [(row["account"], row["text"]) for row in rows]

    async def letter(self, letter_id: str) -> Found:
        found = await self.dead.find(letter_id)
        assert found is not None
        return found


@asynccontextmanager
async def serving(redis_url: str, folder: Path) -> AsyncIterator[Service]:
    async with open_inbox(redis_url, folder) as inbox, connect(redis_url) as redis:
        yield Service(redis, inbox)


@pytest.mark.promise("letters-once")
async def test_after_a_fix_the_letter_becomes_the_message_of_its_account(
    redis_url: str, tmp_path: Path
) -> None:
    """And of no other account, although its body names none."""
    async with serving(redis_url, tmp_path) as service:
        letter_id = await service.buried(BROKEN, "shop")
        before = await service.replay(letter_id)
        service.mend()
        after = await service.replay(letter_id)
        again = await service.replay(letter_id)

        assert (before.status, before.why) == ("kept", "normalize_failed: RuntimeError")
        assert (after.status, after.queued) == ("replayed", 1)
        assert again.status == "already"
        assert await service.queued() == [("shop", "Цена?")]
        assert (await service.letter(letter_id)).letter.replayed_by == "anna"


@pytest.mark.promise("letters-once")
async def test_a_replay_that_died_before_it_was_noted_makes_one_message(
    redis_url: str, tmp_path: Path
) -> None:
    """The message was queued, the letter still waits: the next replay recognises it."""
    async with serving(redis_url, tmp_path) as service:
        letter_id = await service.buried(BROKEN)
        service.mend()
        for channel in list(service.accounts.values())[:1]:
            await service.replays._inbox.put(channel.normalize(BROKEN).arrivals)

        answer = await service.replay(letter_id)
        assert (answer.status, answer.queued, answer.repeated) == ("replayed", 0, 1)
        assert await service.queued() == [("default", "Цена?")]


async def test_a_body_that_was_mended_by_hand_is_read(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        letter_id = await service.buried(b'{"id": "m1", "chat": "c1", "text": "cut o')
        assert (await service.replay(letter_id)).status == "kept"
        found = await service.letter(letter_id)
        await service.dead.edit(found, b'{"id": "m1", "chat": "c1", "text": "whole"}', by="anna")

        assert (await service.replay(letter_id)).status == "replayed"
        assert await service.queued() == [("default", "whole")]


async def test_what_is_still_unknown_waits_on(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        letter_id = await service.buried({"type": "typing"})
        answer = await service.replay(letter_id)
        assert (answer.status, answer.why) == ("kept", "not a message")
        assert (await service.letter(letter_id)).state == "waiting"


async def test_letters_of_other_doors_and_accounts_are_refused(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        elsewhere = await service.dead.bury("webhook:vk", "r", "", b"{}")
        for letter_id in (elsewhere, "nothing"):
            with pytest.raises(NotFound):
                await service.replay(letter_id)
        nameless = await service.dead.bury("webhook:avito", "r", "", b"{}")
        with pytest.raises(Rejected, match="not served here"):
            await service.replay(nameless)


@pytest.mark.promise("no-secrets")
async def test_our_own_secret_in_a_body_is_not_kept(redis_url: str, tmp_path: Path) -> None:
    """VK writes it into every body; the letter is shown to operators and models."""
    async with serving(redis_url, tmp_path) as service:
        letter_id = await service.buried({"type": "odd", "secret": SECRET, "text": "слово"})
        raw = (await service.letter(letter_id)).letter.raw
        assert json.loads(raw) == {"type": "odd", "secret": MASK, "text": "слово"}
