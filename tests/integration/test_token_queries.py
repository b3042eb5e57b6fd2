"""What a token of one appeal asks of the database with every call, and what is put into it, among many."""

from collections.abc import AsyncIterator

import pytest

from orchestrator.store.pool import Pool, new_pool
from orchestrator.store.queries import sql

pytestmark = pytest.mark.promise("one-conversation")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with new_pool(database_url) as made:
        yield made


async def test_many_merges_make_no_call_slower(pool: Pool) -> None:
    """Every call asks whether the client was merged or separated since the token was made."""
    merges = """INSERT INTO client_merges (winner_id, loser_id, merged_at, undone_at)
        SELECT n, n + 100000, now() - interval '2 days', CASE WHEN n % 2 = 0 THEN now() - interval '1 day' END
        FROM generate_series(1, 20000) AS n"""
    await pool.execute(merges)
    await pool.execute("ANALYZE client_merges")

    since = await pool.fetchval("SELECT now() - interval '15 minutes'")
    rows = await pool.fetch(f"EXPLAIN {sql('token_is_alive')}", 1, 5, since)

    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on client_merges" not in plan, plan
    assert "client_merges_winner" in plan
    assert "client_merges_undone" in plan


async def test_a_token_names_the_chats_that_were_last_written_in(pool: Pool) -> None:
    """When there are more than it can name; the case's own chat is always among them."""
    now = await pool.fetchval("SELECT now()")
    client = await pool.fetchval("INSERT INTO clients (name) VALUES ('Анна') RETURNING id")
    appeal = await pool.fetchval(
        """INSERT INTO appeals (client_id, channel, account, external_chat_id, opened_at, updated_at)
        VALUES ($1, 'avito', 'default', 'own-chat', $2, $2) RETURNING id""",
        client,
        now,
    )
    said = """INSERT INTO messages_history (client_id, appeal_id, channel, account, external_chat_id,
            external_message_id, direction, sender, event, message_type, sent_at, created_at)
        SELECT $1, $2, 'avito', 'default', 'chat-' || n, 'm' || n, 'in', 'customer', 'message', 'text', $3, $3
        FROM generate_series(1, 40) AS n ORDER BY n"""
    await pool.execute(said, client, appeal, now)

    rows = await pool.fetch(sql("chats_of_appeal"), appeal, 10)

    found = [row["external_chat_id"] for row in rows]
    assert found == ["own-chat", *(f"chat-{n}" for n in range(40, 31, -1))]
