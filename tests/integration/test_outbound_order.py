"""One chat has one order, that of acceptance: across doors, retries, crashes, a stuck head, a new relay."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from core.errors import Rejected, VendorDown
from core.keys import Keys
from core.messages import OutgoingMessage
from orchestrator.store import outbound
from orchestrator.store.bulks import Asked, accept_bulk
from orchestrator.store.outbound import Origin
from orchestrator.turns import Committed
from tests.integration.chats_fixture import LEASE_MS
from tests.integration.test_deliver import Killed, Post, opened, outgoing
from tests.integration.test_resolve_scene import message


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with opened(redis_url, database_url) as made:
        yield made


async def accepted(post: Post, text: str, origin: Origin = "tool") -> OutgoingMessage:
    made = outgoing(text)
    await outbound.insert_outbound(post.here.pool, made, origin=origin, now=post.here.now)
    return made


async def drained(post: Post) -> list[str]:
    while await post.work():
        pass
    return post.channels.texts


@pytest.mark.promise("order")
async def test_what_was_accepted_first_goes_first_whichever_door_it_came_by(post: Post) -> None:
    """The relay is late: the list's message has its ticket, the two accepted before it have none."""
    await accepted(post, "tool")
    await accepted(post, "rest", "rest")
    listed = outgoing("list")
    await outbound.insert_outbound(post.here.pool, listed, origin="list", now=post.here.now)
    ticket = f'{{"id":"{listed.id}","channel":"avito","account":"default","external_chat_id":"c1","lane":2}}'
    await post.line.arrive(ticket.encode())

    [lease] = await post.line.take()
    await post.deliverer.work(lease)

    assert post.channels.texts == ["tool", "rest", "list"]


@pytest.mark.promise("order")
async def test_a_bulk_that_was_accepted_first_goes_before_the_reply(post: Post) -> None:
    """And the reply pulls it along: it does not wait for the bulk's turn."""
    here = post.here
    await here.resolve(message("1", chat="c1"))
    other = [(f"b{number}", "всем") for number in range(20)]
    for chat, _ in other:
        await here.resolve(message(f"m-{chat}", chat=chat))
    items = [*other, ("c1", "всем и вам")]
    await accept_bulk(here.pool, Asked(uuid4(), "avito", "default", items), now=here.now)
    turn = await here.leased()
    while turn.turn.external_chat_id != "c1":
        turn = await here.leased()
    assert isinstance(await here.reply(turn, "ответ"), Committed)

    await post.accept()
    leases = {lease.member: lease for lease in await post.line.take(limit=100)}
    await post.deliverer.work(leases["avito:c1"])

    assert post.channels.texts == ["всем и вам", "ответ"]
    assert len(leases) < len(items)


@pytest.mark.promise("order")
@pytest.mark.parametrize("error", [VendorDown(retry_after=5), Killed()])
async def test_a_stuck_head_holds_what_comes_by_any_door(post: Post, error: BaseException) -> None:
    await accepted(post, "1")
    post.channels.fail(error)
    if isinstance(error, Killed):
        with pytest.raises(Killed):
            await post.work()
    else:
        await post.work()
    await post.queue(outgoing("2"))
    await post.accept()
    await accepted(post, "3")
    assert await post.work() == 0
    assert post.channels.texts == []

    await post.wait(LEASE_MS / 1000 + 1)

    assert await drained(post) == ["1", "2", "3"]


@pytest.mark.promise("order")
async def test_a_head_that_can_never_be_sent_lets_the_others_pass_in_order(post: Post) -> None:
    for text in ("1", "2", "3"):
        await accepted(post, text)
    post.channels.fail(Rejected())

    assert await drained(post) == ["2", "3"]


@pytest.mark.promise("order")
async def test_a_relay_that_starts_anew_changes_no_order(post: Post) -> None:
    """It pushed tickets and died before it wrote that down: they come again, later ones between them."""
    first = await accepted(post, "1")
    await post.relay.push_all()
    await accepted(post, "2")
    await post.here.pool.execute("UPDATE outbound SET queued_at = NULL WHERE id = $1", first.id)
    await post.relay.push_all()
    await accepted(post, "3")

    assert await drained(post) == ["1", "2", "3"]
    assert [one.text for one in post.channels.asked] == ["1", "2", "3"]


@pytest.mark.promise("no-loss-engines")
@pytest.mark.parametrize("began", [False, True])
async def test_what_redis_lost_goes_out_all_the_same(post: Post, began: bool) -> None:
    """A power loss took the ticket, the lease and all; the row says `queued`, or `sending`."""
    made = await accepted(post, "1")
    await post.accept()
    if began:
        post.channels.fail(Killed())
        with pytest.raises(Killed):
            await post.work()
    await post.line.redis.flushdb()
    assert await post.state(made) == ("sending" if began else "queued")

    await post.wait(1000)

    assert await drained(post) == ["1"]
    assert await post.state(made) == "sent"


async def test_a_ticket_of_a_message_that_is_gone_is_no_trouble(post: Post) -> None:
    """Its client was erased."""
    made = await accepted(post, "1")
    await post.accept()
    await post.here.pool.execute("DELETE FROM outbound WHERE id = $1", made.id)
    await accepted(post, "2")

    assert await drained(post) == ["2"]
    assert await post.homeless() == (0, set())


async def test_something_on_the_list_of_tickets_that_is_none_is_a_dead_letter(post: Post) -> None:
    await post.line.redis.rpush(Keys().tickets.source, b"not a ticket")
    await accepted(post, "1")

    assert await drained(post) == ["1"]
    assert [letter.raw for letter in await post.letters()] == [b"not a ticket"]
