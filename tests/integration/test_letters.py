"""Dead letters as a product, on real engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from core.deadletters import About, DeadLetters
from core.keys import Keys
from core.letter_search import LetterSearch, Sought
from core.observability import Metrics
from orchestrator.letter_gauges import LetterGauges, dead_letters
from tests.integration.chats_fixture import SECOND, T0, ManualClock

HOUR = 3600 * SECOND


class Box:
    """Letters of every door, and what a page of them holds."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.clock = ManualClock()
        self.letters = DeadLetters(redis, Keys(), self.clock)
        self.search = LetterSearch(redis, Keys())

    async def bury(
        self, payload: bytes, door: str = "incoming", reason: str = "unreadable", **about: Any
    ) -> str:
        self.clock.move(SECOND)
        known = About(**about) if about else None
        return await self.letters.bury(door, reason, "", payload, known)

    async def found(self, *, limit: int = 100, cursor: str = "", **sought: Any) -> list[str]:
        page = await self.search.page(Sought(**sought), limit=limit, cursor=cursor)
        return [head.letter.id for head in page.heads]


@asynccontextmanager
async def opened(redis_url: str) -> AsyncIterator[Box]:
    async with Redis.from_url(redis_url) as redis:
        yield Box(redis)


async def test_letters_are_found_by_door_reason_channel_and_age(redis_url: str) -> None:
    async with opened(redis_url) as box:
        avito = b'{"channel":"avito","external_chat_id":"c","external_message_id":"m"}'
        first = await box.bury(avito)
        second = await box.bury(avito, "outgoing", "rejected")
        third = await box.bury(b"<xml>", "webhook:vk", "unreadable_json", channel="vk")

        assert await box.found() == [third, second, first]
        assert await box.found(door="outgoing") == [second]
        assert await box.found(reason="unreadable_json") == [third]
        assert await box.found(channel="avito") == [second, first]
        assert await box.found(written_before=T0 + 2 * SECOND) == [first]
        assert await box.found(state="replayed") == []


async def test_pages_follow_each_other_without_gap_or_repeat(redis_url: str) -> None:
    """Also when letters of another reason lie between, and when a letter comes in meanwhile."""
    async with opened(redis_url) as box:
        reasons = ["rejected", "unreadable"] * 35
        ids = [await box.bury(b"{}", reason=reason) for reason in reasons]
        sought = Sought(reason="rejected")
        seen: list[str] = []
        page = await box.search.page(sought, limit=10)
        while True:
            seen += [head.letter.id for head in page.heads]
            if not page.next_cursor:
                break
            await box.bury(b"{}", reason="rejected")
            page = await box.search.page(sought, limit=10, cursor=page.next_cursor)
        assert seen == ids[::2][::-1]


async def test_a_list_reads_no_payload_and_tells_its_size(redis_url: str) -> None:
    """A body of 64 MB must not travel because somebody looks at a list."""
    async with opened(redis_url) as box:
        tricky = b'{"channel":"avito","text":"\\",\\"payload\\":\\"" }'
        await box.bury(tricky + b" " * 5_000_000, chat='c","payload":"', channel="avito")
        page = await box.search.page(Sought(), limit=10)
        [head] = page.heads
        assert head.letter.payload is None
        assert head.letter.chat == 'c","payload":"'
        assert head.size > 5_000_000


@pytest.mark.parametrize(
    ("payload", "about"),
    [
        (b'{"channel":"vk","account":"shop","external_chat_id":7,"external_message_id":"m"}', "vk shop 7 m"),
        (b'{"channel":"vk","id":"d-1","text":"x"}', "vk default  d-1"),
        (b'{"channel":["vk"]}', " default  "),
        (b"[]", "   "),
        (b"\xff", "   "),
        (b"[" * 100_000, "   "),
    ],
)
async def test_a_letter_says_what_it_is_about(redis_url: str, payload: bytes, about: str) -> None:
    async with opened(redis_url) as box:
        letter = await box.letters.get("incoming", await box.bury(payload))
        assert letter is not None
        assert " ".join((letter.channel, letter.account, letter.chat, letter.message)) == about


@pytest.mark.promise("letters-counted")
async def test_count_age_and_bytes_of_every_door_are_measured(redis_url: str) -> None:
    async with opened(redis_url) as box:
        metrics = Metrics()
        gauges = LetterGauges(metrics, box.search, box.clock)
        for payload in (b"x" * 1000, b"y"):
            await box.bury(payload, "outgoing")
        moved = await box.letters.find(await box.bury(b"z", "outgoing"))
        assert moved is not None
        await box.letters.replayed(moved, by="anna")
        box.clock.move(HOUR)
        await gauges.measure()

        def value(name: str, **labels: str) -> float | None:
            return metrics.registry.get_sample_value(f"eldoleado_letters{name}", labels)

        assert value("", door="outgoing", state="waiting") == 2
        assert value("", door="outgoing", state="replayed") == 1
        assert value("", door="webhook:vk", state="waiting") == 0
        assert value("_oldest_seconds", door="outgoing") == 3602
        assert value("_oldest_seconds", door="incoming") == 0
        size = value("_bytes", door="outgoing", state="waiting")
        assert size is not None
        assert 1000 < size < 2000
        told = await dead_letters(box.search, box.clock)
        assert (told["waiting"], told["oldest_seconds"]) == (2, 3602)
        assert told["bytes"] > size


@pytest.mark.promise("letters-counted")
async def test_the_gauges_fall_again(redis_url: str) -> None:
    async with opened(redis_url) as box:
        metrics = Metrics()
        gauges = LetterGauges(metrics, box.search, box.clock)
        letter_id = await box.bury(b"x")
        await gauges.measure()
        await box.letters.purge(letter_id)
        await gauges.measure()
        labels = {"door": "incoming", "state": "waiting"}
        assert metrics.registry.get_sample_value("eldoleado_letters", labels) == 0
