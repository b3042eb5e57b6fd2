"""A message that can never be stored ends as a dead letter: it must not be tried for ever."""

import json
from typing import Any

import pytest

from tests.integration.chats_fixture import incoming
from tests.integration.test_debounce import noise, opened


def nested(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


@pytest.mark.promise("bad-input")
@pytest.mark.parametrize("levels", [60, 200, 400, 900])
async def test_a_raw_body_nested_without_end_stalls_no_chat(
    redis_url: str, database_url: str, levels: int
) -> None:
    """It was neither stored nor buried: writing the letter failed as storing had."""
    async with opened(redis_url, database_url) as desk:
        await desk.write(incoming("deep", meta={"raw": {"a": nested(levels)}}), incoming("flat"))
        await desk.work()

        stored = await desk.here.rows("SELECT message_text FROM messages_history ORDER BY id")
        letters = [letter.reason for letter in await desk.line.letters()]
        assert (("flat",) in stored, len(stored) + len(letters)) == (True, 2)
        assert (await desk.line.survey())[0] == 0


@pytest.mark.promise("bad-input")
async def test_what_spoils_a_batch_costs_no_further_questions(redis_url: str, database_url: str) -> None:
    """500 messages asked about one by one, 3 s each, outlast the lease: the batch begins anew for ever."""
    async with opened(redis_url, database_url) as desk:
        desk.facts.silent = {"chat"}
        spoiled = incoming("spoiled", external_message_id=noise(1), external_user_id=noise(2))
        await desk.write(*(incoming(str(number), chat=noise(3)) for number in range(5)))
        await desk.write({**spoiled, "external_chat_id": noise(3)})
        await desk.work()

        assert len(desk.facts.asked) == 1
        assert await desk.here.value("SELECT count(*) FROM messages_history") == 5
        assert [letter.reason for letter in await desk.line.letters()] == ["unstorable"]
