"""kill -9 in the middle of the work: nothing is lost, nothing is answered twice."""

import os
import signal
from collections import Counter
from collections.abc import Iterator

import asyncpg
import pytest

from launcher.engines import Engines
from tests.chaos.answering import AnsweringAgent, answered
from tests.engines_fixture import database
from tests.system import System, patiently, running

pytestmark = pytest.mark.e2e

CONVERSATIONS = 200
#: Avito's pauses before it tries again, s: in sum longer than a restart takes on a busy machine.
RETRIES = ",".join(["0.2", "0.5", *["1"] * 60])


@pytest.fixture
def system(engines: Engines, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Every service, on a database and a Redis of its own."""
    folder = tmp_path_factory.mktemp("system")
    with database(engines) as url:
        made = System(folder, redis_url=redis_url, database_url=url, SANDBOX_WEBHOOK_RETRIES=RETRIES)
        with running(made):
            made.start_all()
            yield made


@pytest.mark.promise("no-loss-orchestrator")
async def test_kill_9_of_the_orchestrator_amid_200_conversations(system: System) -> None:
    """Every message is in exactly one turn, and every turn is answered once."""
    customers = [f"k{number}" for number in range(CONVERSATIONS)]
    with AnsweringAgent(system):
        texts = _write(system, customers, "first")
        system.kill("orchestrator")
        texts |= _write(system, customers[: CONVERSATIONS // 2], "second")
        system.start("orchestrator")
        for _ in patiently(1.5):
            continue
        system.kill("orchestrator")
        system.start("orchestrator")
        quoted = answered(system, customers, texts, seconds=90)

    assert Counter(quoted) == Counter(texts)
    await _each_message_is_in_one_turn_and_each_turn_answered_once(system, len(texts))


@pytest.mark.promise("no-loss-engines")
@pytest.mark.promise("stored")
async def test_kill_9_of_redis_and_postgresql(system: System, engines: Engines) -> None:
    """What was answered 200 is there when the servers are back; what came meanwhile lay in the spool."""
    customers = [f"r{number}" for number in range(40)]
    with AnsweringAgent(system):
        texts = _write(system, customers, "before")
        os.kill(engines.pids["redis"], signal.SIGKILL)
        texts |= _write(system, customers, "while Redis is away")
        engines.start_redis()
        os.kill(engines.pids["postgres"], signal.SIGKILL)
        texts |= _write(system, customers, "while PostgreSQL is away")
        engines.start_postgres()
        quoted = answered(system, customers, texts, seconds=90)

    assert Counter(quoted) == Counter(texts)
    await _each_message_is_in_one_turn_and_each_turn_answered_once(system, len(texts))


@pytest.mark.promise("no-loss-channel")
async def test_kill_9_of_the_channel_while_it_sends(system: System) -> None:
    """A reply that was on its way is looked up in the vendor's history before it is sent again."""
    customers = [f"c{number}" for number in range(60)]
    with AnsweringAgent(system):
        texts = _write(system, customers, "hello")
        for _ in range(3):
            _until_somebody_is_answered(system, customers)
            system.kill("mcp_avito")
            system.start("mcp_avito")
        quoted = answered(system, customers, texts, seconds=90)

    assert Counter(quoted) == Counter(texts)


def _write(system: System, customers: list[str], word: str) -> set[str]:
    texts = {f"{word} {customer}" for customer in customers}
    for customer in customers:
        system.write(customer, text=f"{word} {customer}")
    return texts


def _until_somebody_is_answered(system: System, customers: list[str]) -> None:
    before = sum(len(system.seen_by(customer)) for customer in customers)
    for _ in patiently(10):
        if sum(len(system.seen_by(customer)) for customer in customers) > before:
            return


async def _each_message_is_in_one_turn_and_each_turn_answered_once(system: System, messages: int) -> None:
    connection = await asyncpg.connect(system.environment("orchestrator")["DATABASE_URL"])
    try:
        in_turns = await connection.fetchval(
            "SELECT count(*) FROM messages_history WHERE sender = 'customer' AND turn_id IS NOT NULL"
        )
        rows = await connection.fetch("SELECT status, count(*) FROM turns GROUP BY status")
        replies = await connection.fetchval("SELECT count(*) FROM outbound WHERE origin = 'reply'")
    finally:
        await connection.close()
    statuses = {row["status"]: row["count"] for row in rows}
    assert in_turns == messages
    assert set(statuses) <= {"answered", "merged"}
    assert statuses["answered"] == replies
