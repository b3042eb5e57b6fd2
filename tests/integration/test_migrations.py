"""The schema comes from numbered files, once, whoever asks."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from orchestrator.store.errors import MigrationError
from orchestrator.store.migrate import Migration, bundled, migrate
from orchestrator.store.queries import named_queries, parse

ONE = Migration("0001_one.sql", "CREATE TABLE one (id int)")
TWO = Migration("0002_two.sql", "CREATE TABLE two (id int); INSERT INTO two VALUES (1)")


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
