"""What the inbox has answered is stored once, in order, whatever Redis does."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import StorageDown
from core.inbox import BATCH_CHARACTERS
from core.testing import FakeChannel
from tests.integration.chats_fixture import SECOND, ManualClock
from tests.integration.intake_fixture import KEYS, connect, line_to, open_inbox, queued

CHANNEL = FakeChannel()


async def test_a_new_event_is_queued_and_remembered(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path, seen_ttl=1000) as inbox, connect(redis_url) as redis:
        assert await inbox.put([CHANNEL.arrival("1", "c", "Цена?")]) == ["queued"]

        remembered_ms = await redis.pttl(KEYS.seen("avito", "default", "1:message"))
        assert 990_000 < remembered_ms <= 1_000_000
    assert await queued(redis_url) == ["Цена?"]


async def test_a_repeated_event_is_queued_once(redis_url: str, tmp_path: Path) -> None:
    arrival = CHANNEL.arrival("1", "c", "Цена?")
    async with open_inbox(redis_url, tmp_path) as inbox:
        assert await inbox.put([arrival, arrival]) == ["queued", "repeated"]
        assert await inbox.put([arrival]) == ["repeated"]

    assert await queued(redis_url) == ["Цена?"]


async def test_a_message_says_when_it_was_received_and_repeats_are_counted(
    redis_url: str, tmp_path: Path
) -> None:
    """What a trace begins with; the vendor's third delivery still tells of the first."""
    clock = ManualClock()
    async with open_inbox(redis_url, tmp_path, clock=clock) as inbox, connect(redis_url) as redis:
        for _ in range(3):
            await inbox.put([CHANNEL.arrival("1", "c", "Цена?")])
            clock.move(SECOND)
        row = json.loads(await redis.lindex(KEYS.incoming.source, 0) or b"{}")

        assert row["received_at"] == "2027-01-15T08:00:00Z"
        assert row["spooled"] is False
        assert await redis.get(KEYS.seen("avito", "default", row["event_key"])) == b"3"


async def test_a_message_says_that_it_was_spooled(redis_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with line_to(redis_url) as line, open_inbox(line.url, tmp_path, clock=clock) as inbox:
        await line.cut()
        await inbox.put([CHANNEL.arrival("1", "c", "Цена?")])
        clock.move(60 * SECOND)
        await line.mend()
        await inbox.drained()
    async with connect(redis_url) as redis:
        row = json.loads(await redis.lindex(KEYS.incoming.source, 0) or b"{}")
        assert (row["received_at"], row["spooled"]) == ("2027-01-15T08:00:00Z", True)


async def test_the_same_id_in_another_account_is_another_event(redis_url: str, tmp_path: Path) -> None:
    other = FakeChannel(account="second")  # type: ignore[arg-type]  # a plain string
    async with open_inbox(redis_url, tmp_path) as inbox:
        assert await inbox.put([CHANNEL.arrival("1", "c", "a"), other.arrival("1", "c", "b")]) == [
            "queued",
            "queued",
        ]


async def test_no_arrivals_need_no_storage(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox:
        assert await inbox.put([]) == []


async def test_many_callers_share_few_calls_and_each_gets_its_own_answer(
    redis_url: str, tmp_path: Path
) -> None:
    arrivals = [[CHANNEL.arrival(str(n), "c", str(n)), CHANNEL.arrival("0", "c", "0")] for n in range(1, 500)]
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        before = await calls(redis)
        answers = await asyncio.gather(*(inbox.put(pair) for pair in arrivals))
        used = await calls(redis) - before

    assert answers[0] == ["queued", "queued"]
    assert answers[1:] == [["queued", "repeated"]] * 498
    assert used <= 8
    assert await queued(redis_url) == ["1", "0", *map(str, range(2, 500))]


async def calls(redis: object) -> int:
    stats = await redis.info("commandstats")  # type: ignore[attr-defined]  # redis-py's commands are untyped here
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_a_caller_that_goes_away_leaves_its_message_behind(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox:
        leaving = asyncio.create_task(inbox.put([CHANNEL.arrival("1", "c", "left")]))
        staying = asyncio.create_task(inbox.put([CHANNEL.arrival("2", "c", "stayed")]))
        await asyncio.sleep(0)
        leaving.cancel()

        assert await staying == ["queued"]
    assert await queued(redis_url) == ["left", "stayed"]


async def test_without_redis_events_are_spooled_and_arrive_in_order(redis_url: str, tmp_path: Path) -> None:
    async with line_to(redis_url) as line, open_inbox(line.url, tmp_path) as inbox:
        await inbox.put([CHANNEL.arrival("1", "c", "1")])
        await line.cut()
        spooled = [await inbox.put([CHANNEL.arrival(str(n), "c", str(n))]) for n in range(2, 6)]
        assert spooled == [["spooled"]] * 4
        assert inbox.waiting == 4

        await line.mend()
        await inbox.drained()
        await inbox.put([CHANNEL.arrival("6", "c", "6")])

        assert inbox.counts == {"queued": 6, "spooled": 4}
    assert await queued(redis_url) == ["1", "2", "3", "4", "5", "6"]


async def test_what_comes_while_the_spool_is_drained_stays_behind_it(redis_url: str, tmp_path: Path) -> None:
    texts = [str(n) for n in range(600)]
    async with line_to(redis_url) as line, open_inbox(line.url, tmp_path) as inbox:
        await line.cut()
        await inbox.put([CHANNEL.arrival(text, "c", text) for text in texts[:450]])
        await line.mend()
        for text in texts[450:]:
            await inbox.put([CHANNEL.arrival(text, "c", text)])
        await inbox.drained()

    assert await queued(redis_url) == texts


async def test_a_lost_answer_neither_loses_nor_doubles(redis_url: str, tmp_path: Path) -> None:
    async with line_to(redis_url) as line, open_inbox(line.url, tmp_path, patience=0.1) as inbox:
        await inbox.put([CHANNEL.arrival("1", "c", "1")])
        line.lose_answers()
        assert await inbox.put([CHANNEL.arrival("2", "c", "2")]) == ["spooled"]
        assert await queued(redis_url) == ["1", "2"]

        await line.cut()
        await line.mend()
        await inbox.drained()

        assert inbox.counts["repeated"] == 1
    assert await queued(redis_url) == ["1", "2"]


async def test_the_spool_survives_a_restart_and_repeats_are_still_known(
    redis_url: str, tmp_path: Path
) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    async with open_inbox(nowhere, tmp_path) as inbox:
        for _ in range(2):
            assert await inbox.put([CHANNEL.arrival("1", "c", "1")]) == ["spooled"]
        await inbox.put([CHANNEL.arrival("2", "c", "2")])

    async with open_inbox(redis_url, tmp_path) as inbox:
        await inbox.drained()
        assert await inbox.put([CHANNEL.arrival("2", "c", "2")]) == ["repeated"]

    assert await queued(redis_url) == ["1", "2"]


async def test_a_full_redis_is_as_good_as_away(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        await redis.config_set("maxmemory", 1)
        try:
            assert await inbox.put([CHANNEL.arrival("1", "c", "1")]) == ["spooled"]
        finally:
            await redis.config_set("maxmemory", 0)
        await inbox.drained()

    assert await queued(redis_url) == ["1"]


async def test_a_read_only_replica_is_as_good_as_away(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        await redis.slaveof("127.0.0.1", 1)
        try:
            assert await inbox.put([CHANNEL.arrival("1", "c", "1")]) == ["spooled"]
        finally:
            await redis.slaveof()
        await inbox.drained()

    assert await queued(redis_url) == ["1"]


async def test_a_queue_that_is_no_list_loses_nothing(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        await redis.set(KEYS.incoming.source, "somebody's mistake")
        assert await inbox.put([CHANNEL.arrival("1", "c", "1")]) == ["spooled"]

        await redis.delete(KEYS.incoming.source)
        await inbox.drained()

    assert await queued(redis_url) == ["1"]


async def test_a_restarted_redis_has_forgotten_the_script_and_is_told_again(
    redis_url: str, tmp_path: Path
) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        await redis.script_flush()

        assert await inbox.put([CHANNEL.arrival("1", "c", "1")]) == ["queued"]


async def test_with_a_full_disk_and_no_redis_nobody_is_told_stored(redis_url: str, tmp_path: Path) -> None:
    async with (
        line_to(redis_url) as line,
        open_inbox(line.url, tmp_path, max_bytes=100_000) as inbox,
    ):
        await line.cut()
        with pytest.raises(StorageDown, match="full"):
            await inbox.put([CHANNEL.arrival("1", "c", "x" * 200_000)])
        assert await inbox.put([CHANNEL.arrival("2", "c", "small")]) == ["spooled"]

        await line.mend()
        await inbox.drained()
    assert await queued(redis_url) == ["small"]


async def test_a_closed_inbox_takes_nothing_and_answers_those_who_wait(
    redis_url: str, tmp_path: Path
) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox:
        last = asyncio.create_task(inbox.put([CHANNEL.arrival("1", "c", "1")]))
        await asyncio.sleep(0)

    assert await last == ["queued"]
    with pytest.raises(StorageDown):
        await inbox.put([CHANNEL.arrival("2", "c", "2")])


async def test_an_operators_words_are_queued(redis_url: str, tmp_path: Path) -> None:
    async with open_inbox(redis_url, tmp_path) as inbox:
        assert await inbox.put([CHANNEL.arrival("1", "c", "Я человек", own=True)]) == ["queued"]

    assert await queued(redis_url) == ["Я человек"]


@pytest.mark.promise("stored")
async def test_a_spool_of_large_events_is_drained_in_pieces(redis_url: str, tmp_path: Path) -> None:
    """200 MB in one call took longer than a call may take: nothing was ever drained again."""
    async with (
        line_to(redis_url) as line,
        open_inbox(line.url, tmp_path, max_bytes=1 << 27) as inbox,
        connect(redis_url) as redis,
    ):
        await line.cut()
        for number in range(8):
            await inbox.put([CHANNEL.arrival(str(number), "c", f"{number} " * (BATCH_CHARACTERS // 8))])
        before = await calls(redis)
        await line.mend()
        async with asyncio.timeout(20):
            await inbox.drained()

        assert await calls(redis) - before >= 2
    assert [text[0] for text in await queued(redis_url)] == list("01234567")


async def test_a_change_by_the_business_says_so_on_the_queue(redis_url: str, tmp_path: Path) -> None:
    """Whoever reads the queue must not take an operator's edit for a customer's words."""
    channel = FakeChannel()
    arrival = channel.arrival("m1", "chat", "исправлено", own=True)
    edit = replace(arrival, message=arrival.message.model_copy(update={"event": "edit"}), event_key="m1:edit")
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        await inbox.put([edit, arrival])
        rows = [json.loads(row) for row in await redis.lrange(KEYS.incoming.source, 0, -1)]

    assert [(row["event"], row["own"]) for row in rows] == [("edit", True), ("operator_message", False)]


@pytest.mark.promise("typing")
async def test_typing_is_passed_on_and_neither_remembered_nor_spooled(redis_url: str, tmp_path: Path) -> None:
    """What is spooled comes late, and nobody types any more."""
    said = CHANNEL.arrival("1", "c", "Цена?")
    typing = replace(said, message=said.message.model_copy(update={"event": "typing"}))
    async with open_inbox(redis_url, tmp_path) as inbox, connect(redis_url) as redis:
        assert await inbox.put([typing, said, typing]) == ["passed", "queued", "passed"]
        assert await inbox.put([said]) == ["repeated"]
        assert await redis.llen(KEYS.incoming.source) == 3

    async with line_to(redis_url) as line, open_inbox(line.url, tmp_path) as inbox:
        await line.cut()
        assert await inbox.put([typing]) == ["passed"]
        assert inbox.waiting == 0
        assert await inbox.put([typing, CHANNEL.arrival("2", "c", "?")]) == ["passed", "spooled"]
        assert inbox.waiting == 1
