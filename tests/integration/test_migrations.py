"""The schema comes from numbered files, once, whoever asks."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from core.messages import OutgoingMessage
from orchestrator.store.errors import MigrationError
from orchestrator.store.migrate import Migration, bundled, migrate
from orchestrator.store.outbound import begin_sending, get_delivery, insert_outbound
from orchestrator.store.pool import new_pool
from orchestrator.store.queries import named_queries, parse

ONE = Migration("0001_one.sql", "CREATE TABLE one (id int)")
TWO = Migration("0002_two.sql", "CREATE TABLE two (id int); INSERT INTO two VALUES (1)")
NOW = datetime(2027, 1, 15, tzinfo=UTC)

ROWS_OF_0003 = """
INSERT INTO clients (name) VALUES ('Анна');
INSERT INTO appeals (client_id, channel, account, external_chat_id, opened_at, updated_at)
VALUES (1, 'avito', 'default', 'c1', now(), now());
INSERT INTO turns (appeal_id, client_id, channel, account, external_chat_id, status, first_at, last_at,
    closed_by, created_at)
VALUES (1, 1, 'avito', 'default', 'c1', 'answered', now(), now(), 'silence', now());
INSERT INTO outbound (id, origin, turn_id, appeal_id, client_id, channel, account, external_chat_id, text,
    state, vendor_message_ids, created_at, updated_at, sent_at)
VALUES
    ('00000000-0000-0000-0000-000000000001', 'reply', 1, 1, 1, 'avito', 'default', 'c1', 'Да', 'queued', '{}',
        now(), now(), NULL),
    ('00000000-0000-0000-0000-000000000002', 'tool', NULL, 1, 1, 'avito', 'default', 'c1', 'Готово', 'read',
        '{v2}', now(), now(), now()),
    ('00000000-0000-0000-0000-000000000003', 'list', NULL, NULL, NULL, 'form', 'default', '+79001234567', 'x',
        'failed', '{}', now(), now(), NULL);
"""


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """Here the schema is what is made."""
    return empty_database_url


@pytest.fixture
async def connection(database_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


async def applied(database_url: str, *migrations: Migration) -> list[str]:
    """What one program that starts now applies."""
    names: list[str] = []
    opened = await asyncpg.connect(database_url)
    try:
        await migrate(opened, migrations, names.append)
    finally:
        await opened.close()
    return names


async def test_the_three_selects_of_the_contract_run(database_url: str) -> None:
    await applied(database_url, *bundled())
    opened = await asyncpg.connect(database_url)
    for query in (
        "SELECT id, telegram_id, avito_id, vk_id, whatsapp_id, phone, name FROM clients",
        "SELECT id, channel, external_chat_id, status FROM appeals",
        "SELECT id, channel, message_type, message_text, external_chat_id FROM messages_history",
        "SELECT max_id, instagram_id, email FROM clients",
    ):
        assert await opened.fetch(query) == []
    await opened.close()


async def test_each_file_is_applied_once_and_in_order(database_url: str) -> None:
    assert await applied(database_url, ONE) == ["0001_one.sql"]
    assert await applied(database_url, ONE, TWO) == ["0002_two.sql"]
    assert await applied(database_url, ONE, TWO) == []


async def test_programs_that_start_at_once_apply_each_file_once(database_url: str) -> None:
    results = await asyncio.gather(*(applied(database_url, *bundled()) for _ in range(8)))

    assert sorted(name for names in results for name in names) == [migration.name for migration in bundled()]


async def test_what_a_database_of_version_0003_holds_is_kept_and_can_still_be_sent(
    database_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A reply that waits, one that was sent, and messages of foreign producers, in the columns of then."""
    await applied(database_url, *bundled()[:3])
    await connection.execute(ROWS_OF_0003)
    waiting, known = (UUID(int=number) for number in (1, 2))

    assert await applied(database_url, *bundled()) == [one.name for one in bundled()[3:]]

    async with new_pool(database_url) as pool:
        given = {"channel": "avito", "external_chat_id": "c1", "text": "Да"}
        again = OutgoingMessage.model_validate(given | {"id": waiting})
        accepted = await insert_outbound(pool, again, origin="list", now=NOW)
        begun = await begin_sending(pool, waiting, now=NOW)
        read = await get_delivery(pool, known)
    assert (accepted.created, accepted.delivery.state) == (False, "queued")
    assert begun is not None
    assert read is not None
    assert (begun.turn_id, begun.text, begun.buttons, begun.asked_channel) == (1, "Да", [], "")
    assert (read.state, read.vendor_message_ids, read.reply_to, read.file_url) == ("read", ["v2"], "", "")


async def test_a_file_changed_after_it_was_applied_stops_the_start(database_url: str) -> None:
    await applied(database_url, ONE)

    with pytest.raises(MigrationError, match=r"0001_one\.sql was changed after it had been applied"):
        await applied(database_url, replace(ONE, text="CREATE TABLE one (id bigint)"), TWO)
    assert await applied(database_url, ONE, TWO) == ["0002_two.sql"]


async def test_line_ends_of_a_windows_checkout_are_no_change(database_url: str) -> None:
    unix = replace(ONE, text="CREATE TABLE one (\nid int)")
    await applied(database_url, unix)

    assert await applied(database_url, replace(ONE, text=unix.text.replace("\n", "\r\n"))) == []


async def test_a_database_newer_than_the_program_stops_the_start(database_url: str) -> None:
    await applied(database_url, ONE, TWO)

    with pytest.raises(MigrationError, match=r"has 0002_two\.sql, which this program lacks"):
        await applied(database_url, ONE)


async def test_a_file_that_fails_leaves_nothing_behind(
    database_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    broken = replace(TWO, text=TWO.text + "; SELECT no_such_column")

    with pytest.raises(MigrationError, match=r"0002_two\.sql failed and was rolled back"):
        await applied(database_url, ONE, broken)

    assert await connection.fetchval("SELECT to_regclass('two')") is None
    assert await applied(database_url, ONE, TWO) == ["0002_two.sql"]


async def test_two_files_with_one_number_are_refused(database_url: str) -> None:
    with pytest.raises(MigrationError, match="have one number"):
        await applied(database_url, ONE, replace(TWO, name="0001_two.sql"))


async def run_the_command(**environment: str) -> tuple[int | None, str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orchestrator.store.migrate",
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_command_prints_a_line_for_each_applied_file(database_url: str) -> None:
    code, out, _ = await run_the_command(DATABASE_URL=database_url)

    assert (code, out.splitlines()) == (0, [f"applied {migration.name}" for migration in bundled()])
    assert await run_the_command(DATABASE_URL=database_url) == (0, "", "")


async def test_the_command_says_which_variable_is_missing() -> None:
    code, _, err = await run_the_command()

    assert code == 2
    assert "DATABASE_URL: is missing" in err


async def test_the_command_tells_a_database_away_in_one_line() -> None:
    code, _, err = await run_the_command(DATABASE_URL="postgresql://omni@127.0.0.1:1/none")

    assert code == 1
    assert err.startswith("Migrations did not run: ")
    assert "Traceback" not in err


async def test_postgresql_understands_every_named_query(
    database_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await applied(database_url, *bundled())

    for query in named_queries().values():
        await connection.prepare(query)


def test_a_query_file_is_names_and_texts() -> None:
    text = "-- of the file\n\n-- name: one\nSELECT 1\n\n-- name: two\n-- why\nSELECT 2\n"

    assert parse(text) == [("one", "SELECT 1"), ("two", "-- why\nSELECT 2")]
