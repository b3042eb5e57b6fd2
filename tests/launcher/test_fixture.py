"""The fixtures that everyone's tests stand on."""

import asyncpg
import redis


def test_each_test_gets_an_empty_redis(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


async def test_each_test_gets_a_database_without_rows(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT to_regclass('left_over')") is None
    await connection.execute("CREATE TABLE left_over ()")
    assert await connection.fetchval("SELECT count(*) FROM clients") == 0
    await connection.close()


async def test_who_makes_a_schema_gets_a_database_without_one(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.execute("CREATE TABLE left_over ()")
    await connection.close()
