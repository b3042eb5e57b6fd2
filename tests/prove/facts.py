"""What is stored and what the customers see, read once when all is quiet."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from core.deadletters import DeadLetter
from tests.prove.agents import Answer
from tests.prove.letters import Door, Kept, kept_letters
from tests.prove.messenger import Place
from tests.prove.oracle import Oracle
from tests.prove.world import World

_HISTORY = """
SELECT m.*, t.status, t.channel AS turn_channel, t.account AS turn_account, t.external_chat_id AS turn_chat
FROM messages_history AS m LEFT JOIN turns AS t ON t.id = m.turn_id ORDER BY m.id
"""
#: An operator sent it once more: whether the first one arrived nobody knows.
_SENT_ANEW = "resent"
_NOT_SENT = ("failed", "cancelled")
SENT = ("sent", "delivered", "read")


@dataclass
class Facts:
    """Rows in order; `seen`: where customers see a text of ours, once for each time."""

    oracle: Oracle
    answers: dict[str, Answer]
    silences: list[Answer]
    history: list[asyncpg.Record]
    turns: dict[int, asyncpg.Record]
    outbound: list[asyncpg.Record]
    bulks: dict[str, asyncpg.Record]
    letters: dict[str, Kept]
    cases: list[asyncpg.Record]
    journal: dict[int, list[asyncpg.Record]]
    handles: list[asyncpg.Record]
    now: datetime
    seen: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    screens: dict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def replies(self) -> list[asyncpg.Record]:
        """Deliveries that answer a turn."""
        return [row for row in self.outbound if row["origin"] == "reply"]

    def certainly_not_sent(self) -> Counter[str]:
        """Deliveries by text that no customer can have seen."""
        surely = (
            row for row in self.outbound if row["state"] in _NOT_SENT and row["error_code"] != _SENT_ANEW
        )
        return Counter(row["text"] for row in surely)

    def in_turns(self) -> dict[int, set[str]]:
        """What each turn asks, without what was taken back."""
        found: dict[int, set[str]] = defaultdict(set)
        for row in self.history:
            if row["turn_id"] is not None and row["deleted_at"] is None:
                found[row["turn_id"]].add(row["external_message_id"])
        return found

    def ended_before(self, case: int, moment: datetime) -> datetime | None:
        """When the case had ended then; None: it had not."""
        steps = [step for step in self.journal[case] if step["at"] <= moment]
        return steps[-1]["at"] if steps and steps[-1]["to_status"] == "resolved" else None

    def letters_at(self, door: Door) -> list[DeadLetter]:
        """Waiting and replayed."""
        return [kept.letter for kept in self.letters.values() if kept.letter.door == door]

    def purged(self) -> list[bytes]:
        """The payloads that an operator has dropped."""
        return [self.oracle.letters[one] for one in self.oracle.purged - self.letters.keys()]


async def gathered(world: World) -> Facts:
    """Read everything."""
    pool, stage = world.stage.pool, world.stage
    facts = Facts(
        world.oracle,
        {one.words: one for one in world.agents.answers if not one.silent},
        [one for one in world.agents.answers if one.silent],
        await pool.fetch(_HISTORY),
        {row["id"]: row for row in await pool.fetch("SELECT * FROM turns")},
        await pool.fetch("SELECT * FROM outbound ORDER BY seq"),
        {str(row["id"]): row for row in await pool.fetch("SELECT * FROM bulks")},
        await kept_letters(stage),
        await pool.fetch("SELECT * FROM appeals ORDER BY id"),
        await _journal(world),
        await pool.fetch("SELECT * FROM identities ORDER BY id"),
        datetime.fromtimestamp(stage.clock.now_ms() / 1000, UTC),
    )
    for house, one in world.messengers.items():
        for posted in one.taken:
            facts.screens[(*house, posted.chat_id)].append(posted.text)
    for place, texts in facts.screens.items():
        del texts[: world.oracle.shown.get(place, 0)]  # what the customer saw before they were erased
        for text in texts:
            facts.seen[text].append(place)
    return facts


async def _journal(world: World) -> dict[int, list[asyncpg.Record]]:
    found: dict[int, list[asyncpg.Record]] = defaultdict(list)
    for row in await world.stage.pool.fetch("SELECT * FROM appeal_events ORDER BY id"):
        found[row["appeal_id"]].append(row)
    return found


def place_of(row: Any) -> Place:
    """Where a row belongs."""
    return (row["channel"], row["account"], row["external_chat_id"])
