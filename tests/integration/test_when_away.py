"""Our own PostgreSQL is away: whoever calls is told so and when to come back, by REST and by MCP."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.errors import StorageDown
from orchestrator.when_away import database_errors
from tests.integration.hub_server import agent_of, replica, rest_of
from tests.integration.intake_fixture import Line, line_to

WORDS = "PostgreSQL does not answer"


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Line]:
    async with line_to(database_url) as made:
        yield made


@pytest.mark.promise("bad-input")
@pytest.mark.parametrize("path", ["/api/appeals", "/api/deliveries", "/api/clients", "/api/turns/waiting"])
async def test_rest_says_503_and_when_to_come_back(line: Line, redis_url: str, path: str) -> None:
    async with replica(redis_url, line.url) as url, rest_of(url) as rest:
        assert (await rest.get(path)).status_code == 200
        await line.cut()

        answers = [await rest.get(path), await rest.post("/api/turns/wait", json={"wait_seconds": 1})]

        await line.mend()
        assert (await rest.get(path)).status_code == 200
        for answer in answers:
            told = answer.json()
            assert (answer.status_code, told["code"], told["retryable"]) == (503, StorageDown.code, True)
            assert told["detail"].startswith(WORDS)
            assert "idempotency_key" in told["what_to_do"]


async def test_a_model_reads_the_same(line: Line, redis_url: str) -> None:
    async with replica(redis_url, line.url) as url, agent_of(url) as agent:
        await line.cut()

        answer = await agent.call_tool("list_appeals", {})

        assert answer.is_error
        assert f"{StorageDown.code}: {WORDS}" in str(answer.content)


@pytest.mark.parametrize(
    ("error", "means_away"),
    [
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), False),
        (asyncpg.CannotConnectNowError("the database system is starting up"), True),
        (asyncpg.AdminShutdownError("terminating connection"), True),
        (TimeoutError(), True),
        (asyncpg.UniqueViolationError("twice"), False),
    ],
)
def test_a_mistake_of_ours_is_not_taken_for_an_outage(error: Exception, means_away: bool) -> None:
    with pytest.raises(StorageDown if means_away else type(error)), database_errors():
        raise error
