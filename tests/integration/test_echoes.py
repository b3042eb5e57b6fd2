"""Our own messages come back through the webhook: dropped once each; what a person typed is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from core.echoes import PENDING_SECONDS, Echoes, fingerprint
from core.errors import OutcomeUnknown, StorageDown, VendorDown
from core.ids import ChatId, MessageId
from core.inbox import Inbox
from core.testing import FakeChannel
from tests.integration.intake_fixture import KEYS, connect, open_inbox

CHANNEL = FakeChannel()
CHAT = ChatId("c")


class Desk:
    """An inbox and the echoes beside it."""

    def __init__(self, redis: Redis, inbox: Inbox) -> None:
        self.redis = redis
        self.echoes = Echoes(redis, KEYS)
        self._inbox = inbox

    async def pushed_back(self, message_id: str, text: str) -> str:
        [outcome] = await self._inbox.put([CHANNEL.arrival(message_id, CHAT, text, own=True)])
        return outcome

    async def pending(self) -> object:
        return await self.redis.hgetall(KEYS.sending("avito", "default", CHAT))


@asynccontextmanager
async def desk(redis_url: str, folder: Path) -> AsyncIterator[Desk]:
    async with open_inbox(redis_url, folder) as inbox, connect(redis_url) as redis:
        yield Desk(redis, inbox)


async def test_an_echo_after_the_answer_is_known_by_its_id(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")) as expected:
            await expected.sent(MessageId("m1"))

        assert await here.pushed_back("m1", "Да") == "echo"
        assert await here.pushed_back("m1", "Да") == "repeated"
        assert await here.pushed_back("typed", "Да") == "queued"
        assert await here.pending() == {}


async def test_an_echo_before_the_answer_is_known_by_its_words(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да, завтра")) as expected:
            assert await here.pushed_back("m1", " Да,\n завтра ") == "echo"
            assert await here.pushed_back("typed", "Да, завтра") == "queued"
            await expected.sent(MessageId("m1"))

        assert await here.pending() == {}


async def test_one_early_echo_does_not_use_up_two_sends(redis_url: str, tmp_path: Path) -> None:
    """The same words twice at once: each send has exactly one echo, whichever comes first."""
    mark = fingerprint("Да")
    async with desk(redis_url, tmp_path) as here:
        async with here.echoes.expecting(CHANNEL, CHAT, mark) as second:
            async with here.echoes.expecting(CHANNEL, CHAT, mark) as first:
                assert await here.pushed_back("m1", "Да") == "echo"
                await first.sent(MessageId("m1"))
            assert await here.pushed_back("m2", "Да") == "echo"
            await second.sent(MessageId("m2"))

        assert await here.pushed_back("typed", "Да") == "queued"
        assert await here.pending() == {}


async def test_a_send_that_failed_expects_nothing(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        with pytest.raises(VendorDown):
            async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")):
                raise VendorDown

        assert await here.pushed_back("typed", "Да") == "queued"


async def test_a_send_of_unknown_outcome_still_expects_its_echo(redis_url: str, tmp_path: Path) -> None:
    async with desk(redis_url, tmp_path) as here:
        with pytest.raises(OutcomeUnknown):
            async with here.echoes.expecting(CHANNEL, CHAT, fingerprint("Да")):
                raise OutcomeUnknown

        time_left = await here.redis.ttl(KEYS.sending("avito", "default", CHAT))
        assert PENDING_SECONDS - 5 < time_left <= PENDING_SECONDS
        assert await here.pushed_back("m1", "Да") == "echo"
        assert await here.redis.ttl(KEYS.sending("avito", "default", CHAT)) > 0
        assert await here.pushed_back("typed", "Да") == "queued"


async def test_the_sender_of_a_message_is_remembered(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        echoes = Echoes(redis, KEYS)
        await echoes.remember(CHANNEL, MessageId("m1"), by="key#0")

        assert await echoes.senders_of(CHANNEL, [MessageId("m1"), MessageId("m2")]) == ["key#0", ""]
        assert await echoes.senders_of(CHANNEL, []) == []


async def test_without_redis_the_vendor_is_not_called() -> None:
    async with connect("redis://127.0.0.1:1/0") as redis:
        with pytest.raises(StorageDown):
            async with Echoes(redis, KEYS).expecting(CHANNEL, CHAT, "mark"):
                pytest.fail("inside without a registered mark")
