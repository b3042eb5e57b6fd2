"""What the account of a storm reads from the database, by the states of a delivery."""

from uuid import uuid4

import asyncpg

from tests.chaos import audit
from tests.chaos.ledger import Ledger

_DELIVERY = """
INSERT INTO outbound (id, origin, channel, account, external_chat_id, text, state, error_code, given_up_at,
    created_at, updated_at)
VALUES ($1, 'tool', 'max', 'shop', '7', $2, $3, $4, CASE WHEN $5 THEN now() END, now(), now())
"""


async def test_only_what_is_looked_for_no_more_is_settled(database_url: str, redis_url: str) -> None:
    """An unknown delivery is under way until it is given up; a failed one excuses nothing."""
    connection = await asyncpg.connect(database_url)
    try:
        for text, state, code, given_up in (
            ("re: #1", "unknown", "outcome_unknown", False),
            ("re: #2 #3", "unknown", "outcome_untraceable", True),
            ("re: #4", "failed", "conversation_paused", False),
            ("re: #5", "sent", "", False),
        ):
            await connection.execute(_DELIVERY, uuid4(), text, state, code, given_up)
    finally:
        await connection.close()
    ledger = Ledger()

    rest = await audit.look(database_url, redis_url)
    await audit.enter(ledger, database_url)

    assert rest.sends == 1
    assert ledger.unsettled.keys() == {"#2", "#3"}
    assert list(ledger.failed.values()) == ["max: conversation_paused: "]
