"""When a person is done with a case: seen at once, by looking only where something may have ended."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from orchestrator.pauses import Grounds
from orchestrator.store.queries import sql
from orchestrator.takeover import give_back, take_over
from tests.integration.intake_fixture import connect
from tests.integration.test_appeal_states import clockwork
from tests.integration.test_resolve_scene import Scene, message, scene

FIRST, SECOND = ("avito", "default", "c1"), ("avito", "default", "c2")
MINUTE = 60


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    """One client who writes in two conversations of one case."""
    async with scene(database_url) as made:
        for chat in (FIRST, SECOND):
            await made.resolve(message(f"in {chat[2]}", chat=chat[2], external_user_id="anna"))
        yield made


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect(redis_url) as made:
        yield made


async def paused(here: Scene, chat: tuple[str, str, str], minutes: int | None = None) -> None:
    until = here.now + timedelta(minutes=minutes) if minutes else None
    async with here.pool.acquire() as connection, connection.transaction():
        await take_over(connection, chat, Grounds("command", "anna", "", until=until), here.now)


async def status_after_a_sweep(here: Scene, redis: Redis) -> str:
    await clockwork(here, redis).sweep()
    [(status,)] = await here.rows("SELECT status FROM appeals")
    return str(status)


@pytest.mark.promise("resume")
async def test_a_case_is_given_back_in_the_second_in_which_its_last_pause_ends(
    here: Scene, redis: Redis
) -> None:
    await paused(here, FIRST, 10)
    await paused(here, SECOND, 3)
    assert await status_after_a_sweep(here, redis) == "handed_off"
    await paused(here, SECOND, 12)

    seen = []
    for _ in range(13):
        here.pass_time(MINUTE)
        seen.append(await status_after_a_sweep(here, redis))

    assert seen == ["handed_off"] * 11 + ["open"] * 2


@pytest.mark.promise("resume")
async def test_a_pause_that_had_no_end_and_is_ended_leaves_the_other_to_be_seen(
    here: Scene, redis: Redis
) -> None:
    await paused(here, FIRST)
    await paused(here, SECOND, 4)
    assert await status_after_a_sweep(here, redis) == "handed_off"
    here.pass_time(MINUTE)
    async with here.pool.acquire() as connection, connection.transaction():
        await give_back(connection, FIRST, by="anna", now=here.now)
    assert await status_after_a_sweep(here, redis) == "handed_off"

    here.pass_time(3 * MINUTE)

    assert await status_after_a_sweep(here, redis) == "open"


@pytest.mark.promise("resume")
async def test_a_case_that_comes_to_a_person_once_more_is_looked_at_anew(here: Scene, redis: Redis) -> None:
    await paused(here, FIRST)
    assert await status_after_a_sweep(here, redis) == "handed_off"
    async with here.pool.acquire() as connection, connection.transaction():
        await give_back(connection, FIRST, by="anna", now=here.now)
    await paused(here, FIRST, 1)

    here.pass_time(MINUTE)

    assert await status_after_a_sweep(here, redis) == "open"


async def test_cases_that_stay_with_a_person_are_not_looked_at_every_second(here: Scene) -> None:
    """Thousands may be with people for days; a second's look goes to those of which a pause may be over."""
    await _many(here.pool, here.now, 5000)
    await here.pool.execute("UPDATE appeals SET look_again_at = $1 WHERE id % 1000 = 7", here.now)
    await here.pool.execute("ANALYZE appeals")

    plan = await here.pool.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {sql('appeals_to_look_at')}", here.now, 200
    )

    assert "appeals_look_again" in plan
    assert re.findall(r'"Rows Removed by Filter": (?!0)', plan) == []
    assert len(await here.pool.fetch(sql("appeals_to_look_at"), here.now, 200)) == 5


async def _many(pool: Any, now: datetime, count: int) -> None:
    await pool.execute(
        "INSERT INTO clients (created_at, updated_at) SELECT $1, $1 FROM generate_series(1, $2::integer)",
        now,
        count,
    )
    await pool.execute(
        """INSERT INTO appeals (client_id, channel, account, external_chat_id, status, opened_at, updated_at,
            look_again_at)
        SELECT id, 'vk', 'default', id::text, 'handed_off', $1, $1, $1::timestamptz + interval '1 minute'
        FROM clients""",
        now,
    )
