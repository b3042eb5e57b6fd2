"""What the database and the queues say at the end."""

import json
from collections import Counter
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis

from tests.chaos.ledger import Ledger

_TOKENS = """
SELECT substring(m.message_text FROM '#\\d+') AS token, t.status
FROM messages_history AS m LEFT JOIN turns AS t ON t.id = m.turn_id
WHERE m.sender = 'customer' AND m.message_text ~ '#\\d+'
"""
_WAITING = """
SELECT (SELECT count(*) FROM turns WHERE status IN ('ready', 'leased')) AS turns,
    (SELECT count(*) FROM outbound
        WHERE state IN ('queued', 'sending', 'unknown') AND given_up_at IS NULL) AS sends,
    (SELECT count(*) FROM messages_history WHERE sender = 'customer') AS stored
"""
_UNSETTLED = """
SELECT id, channel, text, error_code FROM outbound WHERE state = 'unknown' AND given_up_at IS NOT NULL
"""
_FAILED = "SELECT id, channel, error_code, error_detail FROM outbound WHERE state = 'failed'"
_REPLIES = "SELECT count(*) FROM outbound WHERE origin = 'reply'"
_ANSWERED = "SELECT count(*) FROM turns WHERE status = 'answered'"
_CONTRACT = (
    "SELECT id, telegram_id, avito_id, vk_id, whatsapp_id, phone, name FROM clients",
    "SELECT id, channel, external_chat_id, status FROM appeals",
    "SELECT id, channel, message_type, message_text, external_chat_id FROM messages_history",
)
#: Redis remembers each message under a key of its own: a scan by tens would take a second for each look.
_SCANNED = 10_000
_LISTS = ("queue:incoming", "queue:incoming:taken", "queue:outgoing", "queue:outgoing:taken")


@dataclass(frozen=True, slots=True)
class Rest:
    """What is still under way; nothing is `at_rest`."""

    turns: int
    sends: int
    stored: int
    gathering: int

    @property
    def at_rest(self) -> bool:
        return not (self.turns or self.sends or self.gathering)

    def __str__(self) -> str:
        return (
            f"{self.gathering} lists of messages, {self.turns} turns and {self.sends} deliveries under way; "
            f"{self.stored} messages stored"
        )


async def look(database_url: str, redis_url: str) -> Rest:
    """How much is under way now."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(_WAITING)
    finally:
        await connection.close()
    async with Redis.from_url(redis_url) as redis:
        lists = [await redis.llen(name) for name in _LISTS]
        chats = [key async for key in redis.scan_iter("queue:batch:*", count=_SCANNED)]
    assert row is not None
    return Rest(row["turns"], row["sends"], row["stored"], sum(lists) + len(chats))


async def enter(ledger: Ledger, database_url: str) -> None:
    """Turns, histories, and what was not sent for certain into the ledger; the contract's queries run."""
    connection = await asyncpg.connect(database_url)
    try:
        for row in await connection.fetch(_TOKENS):
            ledger.stored[row["token"]] += 1
            if row["status"]:
                ledger.in_turns[row["token"]] = row["status"]
        for row in await connection.fetch(_UNSETTLED):
            why = f"delivery {row['id']} on {row['channel']} is unknown: {row['error_code']}"
            ledger.unsettled.update({token: why for token in row["text"].split() if token[0] == "#"})
        for row in await connection.fetch(_FAILED):
            ledger.failed[str(row["id"])] = f"{row['channel']}: {row['error_code']}: {row['error_detail']}"
        for query in _CONTRACT:
            await connection.fetch(query)
        ledger.committed = (await connection.fetchval(_REPLIES), await connection.fetchval(_ANSWERED))
    finally:
        await connection.close()


async def dead_letters(redis_url: str) -> Counter[str]:
    """How many lie there for each reason."""
    async with Redis.from_url(redis_url) as redis:
        doors = [key async for key in redis.scan_iter("dead:*", count=_SCANNED, _type="HASH")]
        letters = [letter for door in doors for letter in await redis.hvals(door)]
    return Counter(json.loads(letter)["reason"] for letter in letters)
