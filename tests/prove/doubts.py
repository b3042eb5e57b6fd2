"""Messages of which nobody knows: an operator looks at the customer's screen and decides."""

from typing import Literal

from tests.prove.facts import SENT
from tests.prove.fuse import Cut
from tests.prove.messenger import Place
from tests.prove.world import World

Deed = Literal["settle", "resend"]

_IN_DOUBT = "SELECT * FROM outbound WHERE state = 'unknown' AND given_up_at IS NOT NULL ORDER BY seq"
_CALLED_SENT = "SELECT count(*) FROM outbound WHERE text = $1 AND state = ANY ($2::text[])"


async def decide(world: World, number: int, which: int, deed: Deed, cut: Cut | None) -> None:
    """Settle one that nobody looks for any more, as it is; or send it anew, whatever it is."""
    rows = await world.stage.pool.fetch(_IN_DOUBT)
    if not rows:
        return
    row = rows[which % len(rows)]
    place: Place = (row["channel"], row["account"], row["external_chat_id"])
    given = {"delivery_id": str(row["id"])}
    if deed == "resend":
        world.oracle.again.add(row["text"])
        told = await world.do(number, lambda hub: hub.order("resend_delivery", **given), cut)
    else:
        outcome = "sent" if await _arrived(world, place, row["text"]) else "not_sent"
        told = await world.do(number, lambda hub: hub.order("settle_delivery", **given, outcome=outcome), cut)
    if told is not None:
        await _is_decided(world, given["delivery_id"], told["delivery_id"], deed)
        if deed == "resend" and not world.stage.redis.away:
            again = await world.do(number, lambda hub: hub.order("resend_delivery", **given), None)
            same = again is not None and again["delivery_id"] == told["delivery_id"]
            assert same, f"unknown: {row['text']!r} was sent anew, and then {again} was told"


async def _arrived(world: World, place: Place, words: str) -> bool:
    """Whether the customer sees it more often than it is called sent."""
    seen = sum(posted.text == words for posted in world.messengers[place[:2]].taken)
    called: int = await world.stage.pool.fetchval(_CALLED_SENT, words, SENT)
    return seen > called


async def _is_decided(world: World, delivery_id: str, answered: str, deed: Deed) -> None:
    """It is in doubt no more; sending it anew is a message of its own, one however often it is asked."""
    states = "SELECT state FROM outbound WHERE id = $1::text::uuid"
    state = await world.stage.pool.fetchval(states, delivery_id)
    assert state != "unknown", "unknown: an operator has decided, and it is in doubt still"
    assert (answered != delivery_id) == (deed == "resend"), f"unknown: {deed} answered with {answered}"
