"""Dead letters: kept whole, listed newest first, replayed once."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from core.deadletters import DeadLetters
from core.keys import Keys
from tests.integration.chats_fixture import ManualClock


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def letters(redis: Redis, clock: ManualClock) -> DeadLetters:
    return DeadLetters(redis, Keys(), clock)


@pytest.mark.parametrize("payload", [b"", b"{}", "привет\x00".encode(), b"\xff\x00\xfe", bytes(range(256))])
async def test_any_payload_comes_back_as_it_was(letters: DeadLetters, payload: bytes) -> None:
    letter_id = await letters.bury("webhook:avito", "unknown event", "no payload.type", payload)
    letter = await letters.get("webhook:avito", letter_id)
    assert letter is not None
    assert letter.raw == payload
    assert (letter.reason, letter.detail) == ("unknown event", "no payload.type")
    assert letter.at == "2027-01-15T08:00:00+00:00"


async def test_the_newest_letters_come_first(letters: DeadLetters, clock: ManualClock) -> None:
    for payload in (b"1", b"2", b"3"):
        await letters.bury("incoming", "r", "", payload)
        clock.move(1)
    assert [letter.raw for letter in await letters.list("incoming", 2)] == [b"3", b"2"]
    assert await letters.count("incoming") == 3


async def test_doors_are_apart(letters: DeadLetters) -> None:
    letter_id = await letters.bury("incoming", "r", "", b"")
    assert await letters.list("outgoing") == []
    assert await letters.get("outgoing", letter_id) is None


async def test_a_letter_is_replayed_once(letters: DeadLetters, redis: Redis) -> None:
    letter_id = await letters.bury("incoming", "r", "", b"\xff{")
    assert await letters.replay("incoming", letter_id, Keys().incoming.source)
    assert not await letters.replay("incoming", letter_id, Keys().incoming.source)
    assert await redis.lrange(Keys().incoming.source, 0, -1) == [b"\xff{"]
    assert await letters.count("incoming") == 0


async def test_a_letter_can_be_purged(letters: DeadLetters) -> None:
    letter_id = await letters.bury("incoming", "r", "", b"")
    assert await letters.purge(letter_id)
    assert not await letters.purge(letter_id)
    assert await letters.find(letter_id) is None
