"""Wild input: what can be read goes on, the rest is kept whole as dead letters, nothing crashes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from core.chats import MAX_BYTES, member_name
from core.messages import OutgoingMessage
from tests.integration.chats_fixture import (
    SECOND,
    Line,
    as_bytes,
    canonical,
    incoming,
    incoming_line,
    outgoing_line,
    texts,
)


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[Line]:
    async with incoming_line(redis_url) as opened:
        yield opened


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in incoming("x").items() if name != field}


UNPLACEABLE: list[Any] = [
    b"",
    b" ",
    b"not json",
    b"\xff\xfe\x00",
    b"null",
    b"42",
    b'"text"',
    b"[]",
    b"[" * 100_000,
    b'{"channel": "avito", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b"{}",
    b'{"channel": ["avito"], "external_chat_id": "1"}',
    incoming("x", channel="icq"),
    incoming("x", channel="default"),
    incoming("x", chat=""),
    incoming("x", chat=None),
    incoming("x", chat=True),
    incoming("x", chat={"id": 1}),
    incoming("x", chat="\x00"),
    incoming("x", chat="x" * 513 * 4),
    incoming("x", account="Магазин"),
    incoming("x", account="a" * 33),
    incoming("x", account=7),
    canonical(incoming("x")).replace(b"avito", b"icq"),
    canonical(incoming("x")).replace(b"default", b"-default"),
    canonical(incoming("x", chat="??")).replace(b"??", b"\xd0\xd0"),
    as_bytes(incoming("x", chat="??")).replace(b"??", b"\xd0\xd0"),
    as_bytes(incoming("x", chat="??")).replace(b"??", b"\xe1\xc2\x80\x80\x80"),
    as_bytes(incoming("x", chat="??")).replace(b"??", b"\xed\xa0\x80"),
    as_bytes(incoming("x", chat="??")).replace(b"??", b"\xc0\x80"),
    incoming("x" * (MAX_BYTES + 1)),
]


@pytest.mark.parametrize("wild", UNPLACEABLE, ids=lambda wild: repr(wild)[:40])
async def test_what_belongs_to_no_chat_becomes_a_letter_and_holds_nobody_up(line: Line, wild: Any) -> None:
    await line.push(incoming("before"), wild, wild, incoming("after"))
    assert await line.arrive() == 2
    letters = await line.letters()
    assert [letter.raw for letter in letters] == [as_bytes(wild)] * 2
    assert all(letter.door == "incoming" and letter.reason and letter.detail for letter in letters)
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["before", "after"]


UNREADABLE: list[Any] = [
    without("external_user_id"),
    without("external_message_id"),
    without("timestamp"),
    incoming("x", timestamp="yesterday"),
    incoming("x", event="dance"),
    incoming("x", media=[]),
    canonical(incoming("x")) + b"}",
    as_bytes(incoming("??")).replace(b'"??"', b'"\xd0"'),
    as_bytes(incoming("??")).replace(b'"??"', b"NaN"),
]


@pytest.mark.parametrize("wild", UNREADABLE, ids=lambda wild: repr(wild)[-40:])
async def test_what_the_worker_cannot_read_becomes_a_letter_with_the_ack(line: Line, wild: Any) -> None:
    await line.arrive(incoming("before"), wild, incoming("after"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    read = line.chats.read(lease, line.now)
    assert [message.text for message in read.messages] == ["before", "after"]
    assert await line.letters() == []
    assert await line.chats.ack(lease, 3, line.now, letters=read.letters)
    (letter,) = await line.letters()
    assert (letter.raw, letter.reason) == (as_bytes(wild), "unreadable")


async def test_a_lost_lease_buries_nothing(line: Line) -> None:
    await line.arrive(without("timestamp"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.chats.retry(lease, line.now, due_at=line.now)
    letters = line.chats.read(lease, line.now).letters
    assert not await line.chats.ack(lease, 1, line.now, letters=letters)
    assert await line.letters() == []


MENDED = [
    (incoming("x", chat=-100123), "avito:-100123"),
    (incoming("x", chat=10**30), f"avito:{10**30}"),
    (incoming("x", account=None), "avito:u2i-1"),
    (as_bytes(incoming("??")).replace(b"??", b"\\ud83d"), "avito:u2i-1"),
    (as_bytes(incoming("x", chat="??")).replace(b"??", b"\\udc00"), "avito:�"),
    (incoming("x", chat="a\x00b"), "avito:ab"),
    (incoming("x", account=""), "avito:u2i-1"),
    (incoming("x", rubbish="x" * MAX_BYTES), "avito:u2i-1"),
]


@pytest.mark.parametrize(("message", "member"), MENDED, ids=[member for _, member in MENDED])
async def test_what_is_meant_well_is_mended(line: Line, message: Any, member: str) -> None:
    await line.push(message, message)
    assert await line.arrive() == 2
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    assert lease.member == member
    assert len(line.chats.read(lease, line.now).messages) == 2
    assert await line.letters() == []


@pytest.mark.parametrize("account", ["default", "acc-2_b"])
@pytest.mark.parametrize("chat", ["u2i-1", 'quote" \\ { } , : \n', "Чат 🙂", "x" * 512])
async def test_what_our_producers_write_reaches_the_same_chat_as_what_others_write(
    line: Line, account: str, chat: str
) -> None:
    message = incoming("x", chat=chat, account=account)
    reordered = dict(reversed(message.items()))
    await line.arrive(message, reordered, canonical(message), canonical(message | {"event": "edit"}))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    assert (lease.member, len(lease.items)) == (member_name("avito", account, chat), 4)


async def test_mending_keeps_the_order(line: Line) -> None:
    mixed = [incoming(f"{i}", chat=7 if i % 3 else "7") for i in range(250)]
    await line.arrive(*(each for message in mixed for each in (message, b"junk")))
    while await line.arrive():
        pass
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == [f"{i}" for i in range(250)]
    assert len(await line.letters()) == 100


@pytest.mark.parametrize("text", ["\x00", "x" * 100_000, "🙂" * 1000, "", '"\\/\b\f\n\r\t\x7f'], ids=range(5))
async def test_any_text_travels_unchanged(line: Line, text: str) -> None:
    await line.arrive(incoming(text), json.dumps(incoming(text)).encode())
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == [text, text]


async def test_ten_megabytes_are_kept_as_a_letter(line: Line) -> None:
    huge = as_bytes(incoming("x" * 10_000_000))
    await line.push(*[huge] * 3, incoming("small"))
    assert await line.arrive() == 1
    assert [letter.raw == huge for letter in await line.letters()] == [True] * 3


async def test_a_mended_head_that_another_collector_has_replaced_is_left_alone(redis_url: str) -> None:
    async with incoming_line(redis_url) as one, incoming_line(redis_url) as two:
        await one.push(*(incoming(f"{i}", chat=5) for i in range(300)))
        await asyncio.gather(*(line.chats.collect(line.now) for line in (one, two, one, two)))
        while await one.arrive():
            pass
        await one.pass_time(20 * SECOND)
        assert texts(await one.take_one()) == [f"{i}" for i in range(300)]


async def test_a_chat_whose_key_is_no_list_costs_only_its_own_messages(line: Line) -> None:
    await line.redis.set("queue:batch:avito:broken", "by hand")
    await line.arrive(incoming("good"), incoming("bad", chat="broken"), incoming("fine"))
    assert [letter.reason for letter in await line.letters()] == ["refused"]
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["good", "fine"]
    assert await line.redis.llen(line.keys.taken) == 0


async def test_a_chat_whose_key_was_replaced_holds_nobody_up(line: Line) -> None:
    await line.arrive(incoming("gone", chat="broken"), incoming("good"))
    await line.redis.set("queue:batch:avito:broken", "by hand")
    await line.redis.delete("last_seen:avito:u2i-1")
    await line.redis.hset("last_seen:avito:u2i-1", "by", "hand")
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["good"]


async def test_an_outgoing_message_without_an_id_gets_one_that_stays(redis_url: str) -> None:
    async with outgoing_line(redis_url) as line:
        await line.arrive({"channel": "avito", "external_chat_id": "1", "text": "hello"})
        lease = await line.take_one()
        stored = OutgoingMessage.model_validate_json(lease.items[0])
        assert line.chats.read(lease, line.now).messages == (stored,)
        assert stored.text == "hello"


@pytest.mark.parametrize("given", ["", None, "6F9619FF8B86D011B42D00CF4FC964FF"])
async def test_an_outgoing_id_that_can_be_understood_is_written_down_once(
    redis_url: str, given: str | None
) -> None:
    async with outgoing_line(redis_url) as line:
        await line.arrive({"channel": "avito", "external_chat_id": "1", "text": "hello", "id": given})
        lease = await line.take_one()
        assert line.chats.read(lease, line.now) == line.chats.read(lease, line.now)


async def test_an_idempotency_key_names_the_same_delivery_again(redis_url: str) -> None:
    message = {"channel": "avito", "external_chat_id": "1", "text": "hello", "idempotency_key": "k"}
    async with outgoing_line(redis_url) as line:
        await line.arrive(message, message)
        first, second = line.chats.read(await line.take_one(), line.now).messages
        assert first.id == second.id


async def test_an_empty_outgoing_message_is_a_letter(redis_url: str) -> None:
    async with outgoing_line(redis_url) as line:
        await line.arrive({"channel": "avito", "external_chat_id": "1", "text": " "})
        (letter,) = await line.letters()
        assert (letter.door, letter.reason) == ("outgoing", "unreadable")


async def test_a_full_redis_moves_nothing_and_loses_nothing(line: Line) -> None:
    await line.push(incoming("x"))
    await line.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(OutOfMemoryError):
            await line.chats.collect(line.now)
    finally:
        await line.redis.config_set("maxmemory", "0")
    assert await line.redis.llen(line.keys.source) == 1
    assert await line.arrive() == 1


async def test_a_letter_repeats_no_words_of_the_customer_in_its_explanation(line: Line) -> None:
    await line.arrive(incoming("секрет", chat={"a": "секрет"}, event="секрет"))
    (letter,) = await line.letters()
    assert "секрет" not in letter.detail
    assert "external_chat_id" in letter.detail


async def test_the_scripts_are_loaded_again_after_redis_forgot_them(line: Line, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await line.arrive(incoming("x"))
        await redis.script_flush()
        assert await line.arrive(incoming("y")) == 1
