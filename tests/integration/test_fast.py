"""From the deadline of a batch to the agent that waits for a turn, on the whole orchestrator in real time."""

import asyncio
import json
import statistics
import time

import pytest

from core.keys import Keys
from tests.integration.chats_fixture import incoming
from tests.integration.test_hub import House, house

SILENCE, APART = 0.4, 0.25
ROUNDS = 10
#: A design that looks each second adds 500 ms in the median, one that looks every two seconds a whole second.
#: What is written right after a look, as here, waits there for almost all of it.
MOST_ADDED_MS, MOST_MS = 200, 700


async def _write(here: House, chat: str, text: str = "Цена?") -> float:
    """A message as a channel queues it; when, in seconds."""
    wrote = time.monotonic()
    await here.redis.rpush(Keys().incoming.source, json.dumps(incoming(text, chat)))
    return wrote


async def _turns(here: House, many: int) -> dict[str, float]:
    """An agent waits for one turn after the other; when each chat's came."""
    return {str((await here.turn())["chat_id"]): time.monotonic() for _ in range(many)}


async def _at_once(here: House, chat: str) -> float:
    """How long a turn takes that is due when it is written, in ms: a command waits for no silence."""
    async with asyncio.TaskGroup() as group:
        agent = group.create_task(_turns(here, 1))
        wrote = await _write(here, chat, "/start")
    return (agent.result()[chat] - wrote) * 1000


async def _after_silence(here: House, chats: tuple[str, str]) -> list[float]:
    """How long after their silence the turns of two customers come who write one after the other, in ms."""
    async with asyncio.TaskGroup() as group:
        agent = group.create_task(_turns(here, 2))
        wrote = [await _write(here, chats[0])]
        await asyncio.sleep(APART)  # the second is due while the dispatcher sleeps after the first
        wrote.append(await _write(here, chats[1]))
    came = agent.result()
    return [(came[chat] - at - SILENCE) * 1000 for chat, at in zip(chats, wrote, strict=True)]


@pytest.mark.promise("fast")
async def test_a_silence_adds_milliseconds_and_no_waiting_for_a_next_look(
    redis_url: str, database_url: str
) -> None:
    """Twenty chats, beside ten whose turns are due at once: what those take is the machine's.

    The deadline of the first of two comes with its message, that of the other is known from Redis.
    """
    took: list[tuple[float, ...]] = []
    async with house(redis_url, database_url, silence_seconds=SILENCE) as here:
        for number in range(ROUNDS):
            floor = await _at_once(here, f"at-once-{number}")
            pair = await _after_silence(here, (f"first-{number}", f"second-{number}"))
            took.append((floor, *pair))

    floor, first, second = (statistics.median(one) for one in zip(*took, strict=True))
    assert max(first, second) - floor < MOST_ADDED_MS
    assert floor < MOST_MS
    assert all(late > 0 for row in took for late in row)
