"""One text, or one each, to many: accepted whole and once, told about, stopped."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from core.errors import ChannelError, NotFound, Rejected
from core.operations import WrongArguments
from core.progress import progress_to
from orchestrator.store.bulks import Asked, accept_bulk, cancel_bulk, progress
from tests.integration import test_deliver as delivering
from tests.integration.test_hub import Agents, opened
from tests.integration.test_resolve_scene import message
from tests.integration.test_review_meetings import as_operator


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        for number in range(3):
            await made.here.resolve(message(f"m{number}", chat=f"c{number}"))
        yield made


async def bulk(agents: Agents, *chats: str, **more: Any) -> dict[str, Any]:
    given = {"channel": "avito", "chat_ids": list(chats), "text": "всем", **more}
    return await agents.call("send_bulk", **given)


@pytest.mark.promise("bulk")
async def test_a_bulk_is_accepted_and_what_cannot_be_sent_is_named(agents: Agents) -> None:
    answer = await bulk(agents, "c0", "c1", "c1", "stranger", "c2", texts=["а", "б", "в", "г", " "], text="")

    assert (answer["status"], answer["total"], answer["refused_count"]) == ("accepted", 2, 3)
    refused = {(one["chat_id"], one["reason"]) for one in answer["refused"]}
    assert refused == {("c1", "repeated"), ("stranger", "not_known"), ("c2", "empty_text")}
    rows = await agents.here.rows(
        "SELECT external_chat_id, text, lane, bulk_id::text FROM outbound ORDER BY seq"
    )
    assert rows == [("c0", "а", 2, answer["bulk_id"]), ("c1", "б", 2, answer["bulk_id"])]
    said = await agents.here.rows(
        "SELECT message_text FROM messages_history WHERE direction = 'out' ORDER BY id"
    )
    assert said == [("а",), ("б",)]


@pytest.mark.promise("bulk")
async def test_a_conversation_that_a_person_has_gets_none(agents: Agents) -> None:
    await agents.here.pool.execute(
        "INSERT INTO pauses (channel, account, external_chat_id, cause, started_at, version)"
        " VALUES ('avito', 'default', 'c1', 'command', now(), 1)"
    )

    answer = await bulk(agents, "c0", "c1")

    assert answer["refused"] == [{"chat_id": "c1", "reason": "paused"}]


@pytest.mark.promise("bulk")
async def test_a_key_is_one_bulk(agents: Agents) -> None:
    first = await bulk(agents, "c0", "c1", idempotency_key="k")
    again = await bulk(agents, "c0", "c1", idempotency_key="k")

    assert (again["status"], again["bulk_id"]) == ("duplicate", first["bulk_id"])
    assert (first["repeated"], again["repeated"]) == (False, True)
    for other in ({"text": "другое"}, {"chat_ids": ["c0"]}):
        with pytest.raises(ChannelError, match="key"):
            await bulk(agents, "c0", "c1", **{"idempotency_key": "k", **other})
    assert await agents.here.value("SELECT count(*) FROM outbound") == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": ""}, "text or texts"),
        ({"texts": ["а"]}, "text or texts"),
        ({"text": "", "texts": ["а"]}, "not as many"),
        ({"channel": "nowhere"}, "Cannot write"),
    ],
)
async def test_what_is_wrong_with_a_bulk_is_told_before_anything_is_sent(
    agents: Agents, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        await bulk(agents, "c0", "c1", **given)
    assert await agents.here.value("SELECT count(*) FROM bulks") == 0


@pytest.mark.parametrize("given", [{"texts": ["а" * 20_001, "б"]}, {"chat_ids": ["c" * 513]}])
async def test_a_text_or_chat_that_is_too_long_is_named_by_its_place(
    agents: Agents, given: dict[str, Any]
) -> None:
    with pytest.raises(WrongArguments, match=f"{next(iter(given))}.0"):
        await bulk(agents, "c0", "c1", **{"text": "", **given})


async def test_a_bulk_that_nobody_knows_is_not_found(agents: Agents) -> None:
    for bulk_id in ("x", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFound):
            await agents.call("get_bulk", bulk_id=bulk_id)
        with pytest.raises(NotFound):
            await as_operator(agents, "cancel_bulk", bulk_id=bulk_id)


async def test_who_takes_a_bulk_for_a_delivery_is_told_where_to_ask(agents: Agents) -> None:
    bulk_id = (await bulk(agents, "c0"))["bulk_id"]

    with pytest.raises(NotFound, match="get_bulk"):
        await agents.call("get_delivery", delivery_id=bulk_id)
    for name, more in (
        ("cancel_delivery", {}),
        ("settle_delivery", {"outcome": "sent"}),
        ("resend_delivery", {}),
    ):
        with pytest.raises(NotFound, match="get_bulk"):
            await as_operator(agents, name, delivery_id=bulk_id, **more)
    with pytest.raises(NotFound, match="no such delivery"):
        await agents.call("get_delivery", delivery_id=str(uuid4()))


@pytest.mark.promise("bulk")
async def test_a_bulk_tells_how_far_it_is(redis_url: str, database_url: str) -> None:
    async with delivering.opened(redis_url, database_url) as post:
        asked = await _accepted(post, 12)

        assert await _told(post, asked) == ({"queued": 12}, False, False)
        await post.work()
        assert await _told(post, asked) == ({"queued": 4, "sent": 8}, True, False)
        sent_at = datetime.fromtimestamp(post.line.now / 1000, UTC)
        found = await progress(post.here.pool, asked.id, now=sent_at)
        assert found is not None
        assert found.seconds_left == 30
        await post.work()
        assert await _told(post, asked) == ({"sent": 12}, True, True)


@pytest.mark.promise("progress")
@pytest.mark.parametrize("tool", ["send_bulk", "get_bulk"])
async def test_who_stays_hears_how_far_a_bulk_is_until_it_has_ended(agents: Agents, tool: str) -> None:
    begun = await bulk(agents, "c0", "c1", idempotency_key="k")
    given = {"bulk_id": begun["bulk_id"]} if tool == "get_bulk" else _bulk_again()
    told: list[tuple[float, float | None]] = []

    async def hear(done: float, total: float | None, _: str | None) -> None:
        told.append((done, total))
        await agents.here.pool.execute(
            "UPDATE outbound SET state = 'sent', sent_at = now() WHERE id ="
            " (SELECT id FROM outbound WHERE state = 'queued' ORDER BY seq LIMIT 1)"
        )

    with progress_to(hear):
        answer = await agents.call(tool, **given, wait_seconds=50)

    assert told == [(0, 2), (1, 2), (2, 2)]
    assert (answer["status"], answer["states"]) == ("finished", {"sent": 2})


@pytest.mark.promise("bulk")
async def test_who_repeats_a_bulk_and_stays_is_told_that_it_is_one(agents: Agents) -> None:
    begun = await bulk(agents, "c0", "c1", idempotency_key="k")
    await as_operator(agents, "cancel_bulk", bulk_id=begun["bulk_id"])

    again = await agents.call("send_bulk", **_bulk_again(), wait_seconds=50)

    assert (again["bulk_id"], again["status"], again["repeated"]) == (begun["bulk_id"], "cancelled", True)


@pytest.mark.promise("bulk")
async def test_a_bulk_that_was_sent_whole_is_finished_whoever_stops_it(agents: Agents) -> None:
    begun = await bulk(agents, "c0", "c1")
    await agents.here.pool.execute("UPDATE outbound SET state = 'sent', sent_at = now()")

    stopped = await as_operator(agents, "cancel_bulk", bulk_id=begun["bulk_id"])

    assert (stopped["status"], stopped["states"]) == ("finished", {"sent": 2})


@pytest.mark.promise("progress")
async def test_who_stays_is_let_go_when_the_process_ends(agents: Agents) -> None:
    begun = await bulk(agents, "c0")

    async def hear(*_: Any) -> None:
        agents.hub.stop()

    with progress_to(hear):
        answer = await agents.call("get_bulk", bulk_id=begun["bulk_id"], wait_seconds=50)

    assert answer["status"] == "running"


@pytest.mark.promise("bulk")
async def test_what_has_not_begun_of_a_cancelled_bulk_is_not_sent(redis_url: str, database_url: str) -> None:
    async with delivering.opened(redis_url, database_url) as post:
        asked = await _accepted(post, 12)
        await post.work()

        assert await cancel_bulk(post.here.pool, asked.id, now=post.here.now) == 4
        while await post.work():
            pass

        assert len(post.channels.taken) == 8
        assert await _told(post, asked) == ({"cancelled": 4, "sent": 8}, True, True)
        said = await post.here.value("SELECT count(*) FROM messages_history WHERE direction = 'out'")
        assert said == 8


async def test_ten_thousand_are_accepted_in_one_breath(redis_url: str, database_url: str) -> None:
    async with delivering.opened(redis_url, database_url) as post:
        asked = await _accepted(post, 3, strangers=9_997)

        found = await progress(post.here.pool, asked.id, now=post.here.now)
        assert found is not None
        assert (found.bulk.total, len(found.bulk.refused)) == (3, 9_997)


def _bulk_again() -> dict[str, Any]:
    return {"channel": "avito", "chat_ids": ["c0", "c1"], "text": "всем", "idempotency_key": "k"}


async def _accepted(post: delivering.Post, chats: int, strangers: int = 0) -> Asked:
    for number in range(chats):
        await post.here.resolve(message(f"m{number}", chat=f"c{number}"))
    items = [(f"c{number}", f"всем {number}") for number in range(chats + strangers)]
    asked = Asked(uuid4(), "avito", "default", items)
    await accept_bulk(post.here.pool, asked, now=post.here.now)
    return asked


async def _told(post: delivering.Post, asked: Asked) -> tuple[dict[str, int], bool, bool]:
    found = await progress(post.here.pool, asked.id, now=post.here.now)
    assert found is not None
    return dict(found.states), found.started_at is not None, found.finished_at is not None
