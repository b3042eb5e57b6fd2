"""An agent that goes away while its reply is checked leaves no chat behind in work."""

import asyncio

import anyio
import pytest

from tests.integration.chats_fixture import incoming
from tests.integration.test_debounce import opened


@pytest.mark.promise("bound")
async def test_a_cancelled_reply_does_not_cut_the_batch_off(redis_url: str, database_url: str) -> None:
    """The MCP SDK cancels by scope: giving the lease back was cancelled too, and the chat waited 300 s."""
    async with opened(redis_url, database_url) as desk:
        desk.facts.silent = {"chat"}
        await desk.write(incoming("1"))

        async with asyncio.timeout(10), anyio.create_task_group() as reply:
            reply.start_soon(desk.gathering.close_now, "avito", "default", "u2i-1")
            while not desk.facts.asked:
                await desk.line.redis.ping()
            reply.cancel_scope.cancel()
        await desk.gathering.close()

        assert [texts for *_, texts in await desk.turns()] == [["1"]]
        assert await desk.line.survey() == (0, set())
