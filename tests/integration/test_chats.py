"""The engine in order: gathering, leasing, acknowledging."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from core.chats import Chats, Window, Windows, member_name
from core.keys import Keys
from core.messages import IncomingMessage
from tests.integration.chats_fixture import (
    LEASE_MS,
    SECOND,
    T0,
    Line,
    as_text,
    incoming,
    incoming_line,
    outgoing_line,
    texts,
)


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[Line]:
    async with incoming_line(redis_url) as opened:
        yield opened


async def test_a_burst_becomes_one_lease_after_the_silence(line: Line) -> None:
    for text in ("Здравствуйте", "это", "iPhone 13?"):
        await line.arrive(incoming(text))
        await line.pass_time(19 * SECOND)
        assert await line.take() == []

    await line.pass_time(1 * SECOND)
    lease = await line.take_one()

    assert texts(lease) == ["Здравствуйте", "это", "iPhone 13?"]
    assert (lease.member, lease.channel) == ("avito:u2i-1", "avito")
    assert (lease.opened, lease.last, lease.due_at) == (T0, T0 + 38 * SECOND, T0 + 58 * SECOND)


@pytest.mark.promise("bound")
async def test_the_longest_wait_closes_a_steady_stream(line: Line) -> None:
    for second in range(0, 300, 10):
        await line.arrive(incoming(f"{second}"))
        assert await line.take() == []
        await line.pass_time(10 * SECOND)

    assert len((await line.take_one()).items) == 30


async def test_a_channel_may_have_its_own_window(line: Line) -> None:
    await line.arrive(incoming("slow"), incoming("quick", channel="vk"))
    await line.pass_time(5 * SECOND)
    assert texts(await line.take_one()) == ["quick"]


async def test_many_messages_close_a_chat_at_once(redis_url: str) -> None:
    async with incoming_line(redis_url, Window(max_count=3)) as line:
        await line.arrive(incoming("1"), incoming("2"))
        assert await line.take() == []
        await line.arrive(incoming("3"))
        lease = await line.take_one()
        await line.arrive(*map(incoming, "4567"))
        await line.chats.ack(lease, 3, line.now)
        assert texts(await line.take_one()) == ["4", "5", "6", "7"]


async def test_redis_agrees_with_the_pure_rule_about_the_deadline(line: Line) -> None:
    window, last = Window(), T0
    for step in (0, 7, 150, 130, 12):
        await line.pass_time(step * SECOND)
        last = line.now
        await line.arrive(incoming("x"))
        assert await line.chats.next_due() == window.closes_at(T0, last)


async def test_the_channel_of_a_window_is_looked_up_and_has_a_default() -> None:
    windows = Windows(Window(1), {"vk": Window(2)})
    assert (windows.of("vk").silence, windows.of("max").silence) == (2, 1)


async def test_what_comes_during_a_lease_is_due_by_its_own_silence_after_the_ack(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.pass_time(3 * SECOND)
    await line.arrive(incoming("second"))
    await line.pass_time(2 * SECOND)

    assert await line.ack_all(lease)
    assert await line.chats.next_due() == T0 + 43 * SECOND
    await line.pass_time(17 * SECOND)
    assert await line.take() == []
    await line.pass_time(1 * SECOND)
    assert texts(await line.take_one()) == ["second"]


async def test_nothing_is_stranded_between_the_last_read_and_the_ack(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.arrive(incoming("second"))
    assert await line.ack_all(lease)
    assert await line.homeless() == set()
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["second"]


async def test_a_due_chat_that_is_in_work_waits_for_the_lease_and_is_not_lost(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.arrive(incoming("second"))
    await line.pass_time(30 * SECOND)
    assert await line.take() == []
    assert await line.chats.next_due() == pytest.approx(T0 + 20 * SECOND + LEASE_MS, abs=2 * SECOND)
    assert await line.ack_all(lease)
    assert texts(await line.take_one()) == ["second"]


async def test_a_chat_is_forgotten_when_all_is_done(line: Line) -> None:
    await line.arrive(incoming("only"))
    await line.pass_time(20 * SECOND)
    await line.ack_all(await line.take_one())
    left = {as_text(key) for key in await line.redis.keys("*")}
    assert left == {"last_seen:avito:u2i-1", "queue:debounce:fence"}
    assert await line.redis.pttl("last_seen:avito:u2i-1") > 6 * 24 * 3600 * SECOND


async def test_an_ack_of_some_leaves_the_rest_due_at_once(line: Line) -> None:
    await line.arrive(*map(incoming, "abc"))
    await line.pass_time(20 * SECOND)
    assert await line.chats.ack(await line.take_one(), 1, line.now)
    assert texts(await line.take_one()) == ["b", "c"]


async def test_a_lease_holds_as_many_messages_as_allowed_and_the_rest_follow(redis_url: str) -> None:
    async with incoming_line(redis_url, max_items=2) as line:
        await line.arrive(*map(incoming, "abc"))
        await line.pass_time(20 * SECOND)
        lease = await line.take_one()
        assert texts(lease) == ["a", "b"]
        await line.ack_all(lease)
        assert texts(await line.take_one()) == ["c"]


async def test_a_worker_may_keep_the_chat_while_it_settles_one_message_after_another(redis_url: str) -> None:
    async with outgoing_line(redis_url) as line:
        await line.arrive(*({"channel": "avito", "external_chat_id": "1", "text": t} for t in "ab"))
        lease = await line.take_one()
        assert await line.chats.ack(lease, 1, line.now, keep=True)
        assert await line.take() == []
        assert await line.chats.ack(lease, 1, line.now, keep=True)
        await line.arrive({"channel": "avito", "external_chat_id": "1", "text": "c"})
        assert await line.take() == []
        assert await line.chats.ack(lease, 0, line.now)
        assert texts(await line.take_one()) == ["c"]


async def test_a_stale_token_cannot_do_anything(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    dead = await line.take_one()
    await line.pass_time(LEASE_MS)
    alive = await line.take_one()

    assert alive.token > dead.token
    assert not await line.chats.ack(dead, 1, line.now)
    assert not await line.chats.ack(dead, 1, line.now, keep=True)
    assert not await line.chats.extend(dead, line.now)
    assert not await line.chats.retry(dead, line.now, due_at=line.now)
    assert await line.take() == []
    assert await line.ack_all(alive)


async def test_an_ack_after_the_lease_ended_is_refused_even_when_nobody_else_took_the_chat(
    line: Line,
) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    late = await line.take_one()
    await line.pass_time(LEASE_MS)
    assert not await line.ack_all(late)
    assert texts(await line.take_one()) == ["first"]


async def test_a_worker_that_dies_is_replaced_as_its_lease_ends(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    await line.take_one()
    assert await line.chats.next_due() == line.now + LEASE_MS
    await line.pass_time(LEASE_MS - SECOND)
    await line.arrive(incoming("second"))
    assert await line.take() == []
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["first", "second"]


async def test_an_extended_lease_lasts_longer(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.pass_time(LEASE_MS - SECOND)
    assert await line.chats.extend(lease, line.now)
    await line.pass_time(LEASE_MS - SECOND)
    assert await line.take() == []
    assert await line.ack_all(lease)


async def test_two_takers_never_share_a_chat(line: Line) -> None:
    await line.arrive(*(incoming("x", chat=f"c{i}") for i in range(100)))
    await line.pass_time(20 * SECOND)
    mine, yours = await line.take(60), await line.take(60)
    assert (len(mine), len(yours)) == (60, 40)
    assert {lease.member for lease in mine}.isdisjoint(lease.member for lease in yours)


async def test_a_taker_gets_no_more_than_it_asks_for_and_learns_that_more_is_due(line: Line) -> None:
    await line.arrive(*(incoming("x", chat=f"c{i}") for i in range(5)))
    await line.pass_time(20 * SECOND)
    taken = await line.chats.take(line.now, 2)
    assert len(taken.leases) == 2
    assert taken.next_due is not None
    assert taken.next_due <= line.now


async def test_the_chat_that_was_due_first_is_served_first(line: Line) -> None:
    for chat in "cab":
        await line.arrive(incoming("x", chat=chat))
        await line.pass_time(SECOND)
    await line.pass_time(20 * SECOND)
    assert [lease.member[-1] for lease in await line.take()] == ["c", "a", "b"]


async def test_a_chat_left_in_pending_by_others_is_found(line: Line) -> None:
    await line.arrive(incoming("x"))
    await line.redis.zrem(line.keys.deadlines, "avito:u2i-1")
    await line.redis.rpush(line.keys.pending, "avito:nobody", b"\xff", "avito:u2i-1", "avito:u2i-1")
    assert (await line.chats.take(line.now, 0)).next_due == line.now
    assert [lease.member for lease in await line.take()] == ["avito:u2i-1"]
    assert await line.redis.llen(line.keys.pending) == 0


async def test_a_chat_that_is_written_to_while_pending_begins_its_silence_anew(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.redis.rpush(line.keys.pending, "avito:u2i-1")
    await line.arrive(incoming("second"))
    assert await line.take() == []
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["first", "second"]


async def test_a_lock_without_an_end_is_given_one(line: Line) -> None:
    await line.arrive(incoming("x"))
    await line.redis.set("lock:batch:avito:u2i-1", "left by hand")
    await line.pass_time(20 * SECOND)
    await line.redis.set("lock:batch:avito:u2i-1", "left by hand")
    assert await line.take() == []
    await line.pass_time(LEASE_MS)
    assert texts(await line.take_one()) == ["x"]


async def test_a_retry_comes_back_whole_and_not_before_its_time_whatever_arrives(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    assert await line.chats.retry(await line.take_one(), line.now, due_at=line.now + 60 * SECOND)
    await line.arrive(incoming("second"))
    await line.pass_time(59 * SECOND)
    assert await line.take() == []
    await line.pass_time(1 * SECOND)
    lease = await line.take_one()
    assert texts(lease) == ["first", "second"]
    assert lease.opened == T0


async def test_a_retry_without_delay_is_due_now(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    assert await line.chats.retry(lease, line.now, due_at=line.now)
    assert not await line.ack_all(lease)
    assert texts(await line.take_one()) == ["first"]


async def test_a_retried_chat_still_counts_its_longest_wait_from_the_first_message(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    await line.chats.retry(await line.take_one(), line.now, due_at=line.now)
    await line.pass_time(270 * SECOND)
    await line.arrive(incoming("second"))
    assert await line.chats.next_due() == T0 + 300 * SECOND


async def test_a_chat_can_be_hastened_unless_it_is_empty_or_in_work(line: Line) -> None:
    assert not await line.chats.hasten("avito:u2i-1", line.now)
    await line.arrive(incoming("x"))
    assert await line.chats.hasten("avito:u2i-1", line.now)
    lease = await line.take_one()
    assert not await line.chats.hasten("avito:u2i-1", line.now)
    await line.chats.retry(lease, line.now, due_at=line.now + 60 * SECOND)
    assert await line.chats.hasten("avito:u2i-1", line.now)
    assert texts(await line.take_one()) == ["x"]


async def test_one_chat_can_be_leased_before_it_is_due(line: Line) -> None:
    assert await line.chats.close_member(line.now, "avito:u2i-1") is None
    await line.arrive(incoming("x"), incoming("y", chat="other"))
    lease = await line.chats.close_member(line.now, "avito:u2i-1")
    assert lease is not None
    assert texts(lease) == ["x"]
    assert await line.chats.close_member(line.now, "avito:u2i-1") is None
    assert await line.homeless() == set()
    assert await line.ack_all(lease)
    await line.pass_time(20 * SECOND)
    assert [left.member for left in await line.take()] == ["avito:other"]


async def test_a_retry_does_not_hide_a_chat_from_who_asks_for_it(line: Line) -> None:
    await line.arrive(incoming("x"))
    await line.pass_time(20 * SECOND)
    await line.chats.retry(await line.take_one(), line.now, due_at=line.now + 60 * SECOND)
    lease = await line.chats.close_member(line.now, "avito:u2i-1")
    assert lease is not None
    assert await line.ack_all(lease)


@pytest.mark.promise("no-mixing")
async def test_accounts_do_not_mix(line: Line) -> None:
    await line.arrive(
        incoming("mine"), incoming("yours", account="acc2"), incoming("named", account="default")
    )
    await line.pass_time(20 * SECOND)
    leases = {lease.member: texts(lease) for lease in await line.take()}
    assert leases == {"avito:u2i-1": ["mine", "named"], "avito:acc2@u2i-1": ["yours"]}
    assert set(leases) == {
        member_name("avito", "default", "u2i-1"),
        member_name("avito", "acc2", "u2i-1"),
    }


STRANGE_IDS = [
    "with space",
    "a/b\\c",
    "{brace}",
    "a:b:c",
    "79001234567@c.us",
    "Чат №1 🙂",
    "*[?]",
    "-100123",
    "new\nline",
    'quote"',
    "x" * 512,
]


async def test_strange_chat_ids_are_chats_like_others(line: Line) -> None:
    await line.arrive(*(incoming("x", chat=chat) for chat in STRANGE_IDS))
    await line.pass_time(20 * SECOND)
    leases = await line.take(50)
    assert {lease.member for lease in leases} == {f"avito:{chat}" for chat in STRANGE_IDS}
    assert [await line.ack_all(lease) for lease in leases] == [True] * len(STRANGE_IDS)
    assert await line.take(50) == []
    assert await line.letters() == []


@pytest.mark.promise("order")
async def test_order_is_kept_within_each_chat(line: Line) -> None:
    await line.push(*(incoming(f"{i}", chat=f"c{i % 7}") for i in range(1500)))
    while (await line.chats.collect(line.now, 137)).more:
        pass
    await line.pass_time(20 * SECOND)
    for lease in await line.take():
        first = int(texts(lease)[0])
        assert texts(lease) == [f"{i}" for i in range(first, 1500, 7)]


async def test_collect_moves_no_more_than_its_limit(line: Line) -> None:
    await line.push(*(incoming(f"{i}") for i in range(5)))
    collected = await line.chats.collect(line.now, 3)
    assert (collected.moved, collected.more) == (3, True)
    collected = await line.chats.collect(line.now, 3)
    assert (collected.moved, collected.more, collected.next_due) == (2, False, T0 + 20 * SECOND)


async def test_collecting_nothing_changes_nothing(line: Line) -> None:
    collected = await line.chats.collect(line.now)
    assert (collected.moved, collected.more, collected.next_due) == (0, False, None)
    assert await line.chats.next_due() is None
    assert await line.redis.dbsize() == 0


async def test_a_collector_that_dies_after_it_was_woken_loses_nothing(line: Line) -> None:
    await line.push(incoming("first"), incoming("second"))
    assert await line.chats.wait_source(1)
    assert await line.redis.llen(line.keys.taken) == 1
    assert await line.arrive(incoming("third")) == 3
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["first", "second", "third"]


async def test_waiting_in_vain_ends(line: Line) -> None:
    assert not await line.chats.wait_source(0)


async def test_waiting_longer_than_the_socket_timeout_is_no_error(redis_url: str) -> None:
    async with Redis.from_url(redis_url, socket_timeout=0.5) as redis:
        chats = Chats(redis, Keys().incoming, windows=Windows(), lease_ms=LEASE_MS, model=IncomingMessage)
        assert not await chats.wait_source(3600)


async def test_a_prefix_keeps_the_layout_in_one_slot(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        keys = Keys("{p7}:").incoming
        chats = Chats(redis, keys, windows=Windows(), lease_ms=LEASE_MS, model=IncomingMessage)
        line = Line(redis, keys, chats)
        await line.arrive(incoming("x"))
        await line.pass_time(20 * SECOND)
        assert texts(await line.take_one()) == ["x"]
        assert all(as_text(key).startswith("{p7}:") for key in await redis.keys("*"))


async def test_the_figures_for_metrics(line: Line) -> None:
    await line.arrive(incoming("x"), incoming("y", chat="other"), b"?")
    await line.push(incoming("z"))
    stats = await line.chats.stats()
    assert (stats.source, stats.taken, stats.pending, stats.live_chats, stats.dead) == (1, 0, 0, 2, 1)
    assert stats.oldest_deadline == T0 + 20 * SECOND


async def test_due_chats_beyond_the_free_workers_wait_in_pending_in_order(line: Line) -> None:
    """An operator sees the backlog there; nobody is lost from it, and what is written to begins anew."""
    for number in range(5):
        await line.arrive(incoming("x", chat=f"c{number}"))
        await line.pass_time(SECOND)
    await line.pass_time(60 * SECOND)

    [first] = await line.take(1)
    waiting = await line.redis.lrange(Keys().incoming.pending, 0, -1)
    await line.arrive(incoming("y", chat="c2"))
    [second], [third] = await line.take(2), await line.take(1)

    assert waiting == [b"avito:c1", b"avito:c2", b"avito:c3", b"avito:c4"]
    assert [lease.member for lease in (first, second, third)] == ["avito:c0", "avito:c1", "avito:c3"]
    await line.pass_time(20 * SECOND)
    assert {lease.member for lease in await line.take(9)} == {"avito:c4", "avito:c2"}
