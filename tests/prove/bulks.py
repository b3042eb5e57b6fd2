"""Bulks, and messages that somebody calls back: what is asked of the hub, and what must come of it."""

from collections.abc import Iterator, Sequence

from tests.prove.facts import Facts, place_of
from tests.prove.fuse import Cut
from tests.prove.messenger import House
from tests.prove.world import World

#: Nobody has ever written there.
_STRANGER = "чат, которого нет"


async def send_bulk(
    world: World, number: int, house: House, chats: Sequence[str], key: int, cut: Cut | None
) -> None:
    """One text for each chat of a house; a key stands for the same bulk however often it is used."""
    items = [((*house, chat), f"b{key} to {' '.join((*house, chat))}") for chat in (*chats, _STRANGER)]
    given = {
        "channel": house[0],
        "account": house[1],
        "chat_ids": [place[2] for place, _ in items],
        "texts": tuple(words for _, words in items),
        "idempotency_key": f"bulk {key}",
    }
    told = await world.do(number, lambda hub: hub.ask("send_bulk", **given), cut)
    if told is not None:
        world.oracle.bulks[told["bulk_id"]] = items


async def cancel_bulk(world: World, number: int, bulk_id: str, cut: Cut | None) -> None:
    """Nothing of it waits any more."""
    told = await world.do(number, lambda hub: hub.order("cancel_bulk", bulk_id=bulk_id), cut)
    if told is not None:
        waiting = "SELECT count(*) FROM outbound WHERE bulk_id = $1::text::uuid AND state = 'queued'"
        left = await world.stage.pool.fetchval(waiting, bulk_id)
        assert (told["status"], left) == ("cancelled", 0), f"cancel: {left} messages of the bulk still wait"


async def cancel_message(world: World, number: int, delivery_id: str, cut: Cut | None) -> None:
    """Once that is told, nobody sees it."""
    told = await world.do(number, lambda hub: hub.order("cancel_delivery", delivery_id=delivery_id), cut)
    if told is not None:
        assert told["state"] == "cancelled", f"cancel: it was accepted, and the message is {told['state']}"
        world.oracle.cancelled.add(world.oracle.deliveries[delivery_id])


def a_bulk_reaches_each_chat_or_says_why(facts: Facts) -> Iterator[str]:
    """Each chat has its own words once, or is among those refused."""
    sent = {(str(row["bulk_id"]), place_of(row)): row["text"] for row in facts.outbound if row["bulk_id"]}
    for bulk_id, items in facts.oracle.bulks.items():
        refused = {one["chat_id"]: one["reason"] for one in facts.bulks[bulk_id]["refused"]}
        for place, words in items:
            if (bulk_id, place) in facts.oracle.unbulked:
                continue
            if (sent.get((bulk_id, place)) == words) == (place[2] in refused):
                yield f"bulk: {place} has {sent.get((bulk_id, place))!r}, refused: {refused.get(place[2])}"
        if refused.get(_STRANGER) != "not_known":
            yield f"bulk: nobody wrote in {_STRANGER!r}, and it is not refused"


def what_was_cancelled_is_not_seen(facts: Facts) -> Iterator[str]:
    """Nor is it told to anybody as said."""
    seen = {text for text in facts.oracle.cancelled if facts.seen[text]}
    yield from (f"cancel: {text!r} was cancelled and is seen" for text in seen)
    told = {row["outbound_id"] for row in facts.history}
    yield from (
        f"cancel: {row['text']!r} was not sent, and the history has it"
        for row in facts.outbound
        if row["state"] == "cancelled" and row["id"] in told
    )


CHECKS = (a_bulk_reaches_each_chat_or_says_why, what_was_cancelled_is_not_seen)
