"""What is known of a chat is asked once in a while, not once per batch."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from core.channel import ChatInfo, MediaLink, Profile
from core.keys import Keys
from orchestrator.remembered import REMEMBER_SECONDS, RememberedFacts
from tests.integration.chats_fixture import SECOND, ManualClock

KEYS = Keys()


class Vendor:
    """Counts who asks."""

    names = frozenset({"avito"})

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo:
        self.asked.append(f"{channel}/{account}/{chat_id}")
        return ChatInfo(chat_id=chat_id, client_name_untrusted="Анна", ad_title_untrusted="Экран")

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        self.asked.append(file_id)
        return MediaLink(url=f"https://media.example.test/{len(self.asked)}")

    async def profile(self, channel: str, account: str, user_id: str) -> Profile:
        self.asked.append(f"{channel}/{account}/{user_id}")
        return Profile(user_id=user_id, name_untrusted="Анна")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_a_chat_is_asked_about_once_in_a_while(redis: Redis) -> None:
    vendor = Vendor()
    facts = RememberedFacts(vendor, redis, KEYS, ManualClock())

    first = await facts.chat("avito", "default", "u2i-1")
    second = await facts.chat("avito", "default", "u2i-1")

    assert first == second
    assert vendor.asked == ["avito/default/u2i-1"]
    assert 0 < await redis.ttl(KEYS.chat_facts("avito", "default", "u2i-1")) <= REMEMBER_SECONDS


async def test_chats_and_accounts_are_told_apart(redis: Redis) -> None:
    vendor = Vendor()
    facts = RememberedFacts(vendor, redis, KEYS, ManualClock())

    for account, chat in (("default", "1"), ("second", "1"), ("default", "2")):
        await facts.chat("avito", account, chat)

    assert len(vendor.asked) == 3


async def test_a_media_link_is_always_fresh(redis: Redis) -> None:
    """It lives an hour; a remembered one may be dead."""
    facts = RememberedFacts(Vendor(), redis, KEYS, ManualClock())

    links = [(await facts.media_link("avito", "default", "v1")).url for _ in range(2)]

    assert links[0] != links[1]


async def test_without_redis_the_vendor_is_asked() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as away:
        facts = RememberedFacts(Vendor(), away, KEYS, ManualClock())

        assert (await facts.chat("avito", "default", "1")).ad_title_untrusted == "Экран"


async def test_what_nobody_can_read_is_asked_again(redis: Redis) -> None:
    await redis.set(KEYS.chat_facts("avito", "default", "1"), b"{")

    assert (
        await RememberedFacts(Vendor(), redis, KEYS, ManualClock()).chat("avito", "default", "1")
    ).chat_id == "1"


async def test_a_profile_is_asked_for_once_in_a_while(redis: Redis) -> None:
    vendor, clock = Vendor(), ManualClock()
    facts = RememberedFacts(vendor, redis, KEYS, clock)

    for account, user in (("default", "1"), ("default", "1"), ("second", "1"), ("default", "2")):
        await facts.profile("avito", account, user)
    assert vendor.asked == ["avito/default/1", "avito/second/1", "avito/default/2"]

    clock.move(REMEMBER_SECONDS * SECOND)
    assert (await facts.profile("avito", "default", "1")).name_untrusted == "Анна"
    assert len(vendor.asked) == 4
