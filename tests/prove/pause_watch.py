"""While a person has a conversation the AI says nothing there: looked at before a move and after it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.prove.messenger import House, Messenger, Place
from tests.prove.stage import Stage

_IN_FORCE = "SELECT * FROM pauses WHERE ended_at IS NULL AND (until IS NULL OR until > $1)"
_FREE = """
SELECT text FROM outbound WHERE sender <> 'agent' OR attempts > 0 OR state NOT IN ('queued', 'scheduled')
"""


@dataclass(frozen=True, slots=True)
class PauseWatch:
    """How it stood: paused conversations, words that may go all the same, what customers saw."""

    paused: frozenset[Place]
    free: frozenset[str]
    shown: dict[House, int]


async def paused_places(stage: Stage) -> frozenset[Place]:
    """Conversations that a person has now."""
    now = datetime.fromtimestamp(stage.clock.now_ms() / 1000, UTC)
    rows = await stage.pool.fetch(_IN_FORCE, now)
    return frozenset((row["channel"], row["account"], row["external_chat_id"]) for row in rows)


async def look(stage: Stage, messengers: dict[House, Messenger]) -> PauseWatch:
    """How it stands. An operator's words may go, and so may what was begun before."""
    free = frozenset(row["text"] for row in await stage.pool.fetch(_FREE))
    shown = {house: len(one.taken) for house, one in messengers.items()}
    return PauseWatch(await paused_places(stage), free, shown)


async def nobody_spoke_up(before: PauseWatch, stage: Stage, messengers: dict[House, Messenger]) -> None:
    """AssertionError when the AI began to speak in a conversation that was paused all the while."""
    if not before.paused:
        return
    paused = before.paused & await paused_places(stage)
    for house, one in messengers.items():
        for posted in one.taken[before.shown[house] :]:
            silent = (*house, posted.chat_id) in paused and posted.text not in before.free
            assert not silent, f"paused: {posted.text!r} went out while a person had the conversation"
