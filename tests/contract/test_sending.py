"""Long texts and lost answers through the real Sender: in order, within the vendor's own limit, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from core.attempts import Attempts
from core.capabilities import Unit
from core.channel import KeepsHistory
from core.echoes import Echoes
from core.errors import OutcomeUnknown, OutcomeUntraceable
from core.ids import ChatId
from core.keys import Keys
from core.sending import GRACE_MS, Sender
from tests.contract.vendor_side import VendorSide
from tests.integration.chats_fixture import ManualClock

UNITS = {
    "Russian": "Добрый день, мастер свободен завтра. ",
    "Latin": "The screen is in stock today. ",
    "emoji": "👩🏽‍🔧🇷🇺 ",
    "one long word": "ы",
    "paragraphs": "Цена: 7 900 ₽\n\nСрок: час.\n",
}


def _width(text: str, unit: Unit) -> int:
    if unit == "bytes":
        return len(text.encode())
    return len(text.encode("utf-16-le")) // 2 if unit == "utf16" else len(text)


@asynccontextmanager
async def _sender(vendor: VendorSide, redis_url: str, clock: ManualClock) -> AsyncIterator[Sender]:
    async with Redis.from_url(redis_url) as redis:
        keys = Keys()
        yield Sender(vendor.channel, Attempts(redis, keys, clock), Echoes(redis, keys))


@pytest.mark.parametrize("kind", UNITS)
async def test_a_long_text_arrives_in_order_within_the_vendors_limit(
    vendor: VendorSide, redis_url: str, kind: str
) -> None:
    limits = vendor.channel.capabilities
    piece = UNITS[kind]
    text = piece * (limits.text_limit * 5 // (2 * _width(piece, limits.text_unit)) + 1)
    async with _sender(vendor, redis_url, ManualClock()) as sender:
        sent = await sender.send_text(ChatId(vendor.chats[0]), text)

    pieces = [one for _, one in vendor.taken]
    assert len(pieces) == len(sent.message_ids) >= 3
    assert all(_width(one, limits.text_unit) <= limits.text_limit for one in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("fill", ["x", "ы", "👍"])
async def test_a_text_of_exactly_the_limit_is_one_message(
    vendor: VendorSide, redis_url: str, fill: str
) -> None:
    limits = vendor.channel.capabilities
    text = fill * (limits.text_limit // _width(fill, limits.text_unit))
    async with _sender(vendor, redis_url, ManualClock()) as sender:
        await sender.send_text(ChatId(vendor.chats[0]), text)

    assert vendor.taken == [(vendor.chats[0], text)]


@pytest.mark.parametrize("how", ["timeout", "reset", "502"])
async def test_a_send_in_doubt_is_never_blindly_repeated(
    vendor: VendorSide, redis_url: str, how: str
) -> None:
    """It is looked up, or repeated under the vendor's own idempotency key, or stays unknown."""
    clock = ManualClock(round(vendor.time.now * 1000))
    limits = vendor.channel.capabilities
    chat = ChatId(vendor.chats[0])
    async with _sender(vendor, redis_url, clock) as sender:
        vendor.lose_answers(how)
        with pytest.raises(OutcomeUnknown):
            await sender.send_text(chat, "Ровно один раз", "key-1")
        vendor.lose_answers("")
        clock.move(GRACE_MS + 1)
        if isinstance(vendor.channel, KeepsHistory) or limits.repeat_window_seconds:
            assert len((await sender.send_text(chat, "Ровно один раз", "key-1")).message_ids) == 1
        else:
            with pytest.raises(OutcomeUntraceable):
                await sender.send_text(chat, "Ровно один раз", "key-1")

    assert vendor.taken == [(chat, "Ровно один раз")]


async def test_a_repeated_key_sends_nothing(vendor: VendorSide, redis_url: str) -> None:
    chat = ChatId(vendor.chats[0])
    async with _sender(vendor, redis_url, ManualClock()) as sender:
        first = await sender.send_text(chat, "Готово", "key-1")
        second = await sender.send_text(chat, "Готово", "key-1")

    assert (first.message_ids, first.duplicate) == (second.message_ids, False)
    assert second.duplicate
    assert len(vendor.taken) == 1
