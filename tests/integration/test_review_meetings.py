"""Where the parts meet: what one part decides holds in all others, and none waits for another in a circle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.auth import Caller, current_caller
from core.errors import Rejected
from orchestrator.manifests import Manifest
from orchestrator.store import settling
from orchestrator.store.queries import sql
from tests.integration.letters_fixture import Office, office
from tests.integration.media_fixture import JPEG, files
from tests.integration.test_hub import CHAT, Agents
from tests.integration.test_hub import opened as opened_hub
from tests.integration.test_hub_letters import bury, outgoing, state_of

ANNA = Caller("anna", "operator")


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened_hub(redis_url, database_url) as made:
        yield made


@pytest.fixture
async def letters(redis_url: str, database_url: str) -> AsyncIterator[Office]:
    async with office(redis_url, database_url) as made:
        yield made


async def as_operator(agents: Agents, name: str, **given: Any) -> dict[str, Any]:
    token = current_caller.set(ANNA)
    try:
        return await agents.call(name, **given)
    finally:
        current_caller.reset(token)


@pytest.mark.promise("unknown")
@pytest.mark.parametrize("decided", ["resent", "sent", "not_sent"])
async def test_the_letter_of_a_settled_message_sends_nothing(letters: Office, decided: str) -> None:
    """An operator decided on a message in doubt; a replay of its dead letter must not undo that."""
    message, pool, now = outgoing(), letters.here.pool, letters.here.now
    letter_id = await bury(letters, message, reason="outcome_unknown", state="unknown")
    if decided == "resent":
        assert await settling.resend(pool, message.id, by="anna", now=now)
    else:
        assert await settling.settle(pool, message.id, decided, by="anna", now=now)  # type: ignore[arg-type]
    before = await state_of(letters, message)

    if decided == "sent":
        assert (await letters.change("replay", letter_id))["recognised"] == 1
    else:
        with pytest.raises(Rejected, match="settled"):
            await letters.change("replay", letter_id)

    assert await state_of(letters, message) == before


@pytest.mark.promise("pause-doors")
async def test_a_pause_without_an_account_is_of_the_only_one(agents: Agents) -> None:
    """An operator who names no account means the one there is, whatever its name: the AI is silent there."""
    agents.messengers.manifests["vk"] = Manifest(accounts=("shop",))
    await agents.customer("Алло", channel="vk", account="shop")
    turn = await agents.turn()

    paused = await as_operator(agents, "pause", channel="vk", chat_id=CHAT)
    assert (paused["state"], paused["account"]) == ("paused", "shop")
    assert (await agents.reply(turn))["status"] == "taken_over"
    assert await agents.none()

    assert (await as_operator(agents, "resume", channel="vk", chat_id=CHAT))["state"] == "active"
    assert (await agents.turn())["turn_id"] == turn["turn_id"]


@pytest.mark.promise("bulk")
@pytest.mark.parametrize("nothing", ["\x00", " \x00 "])
async def test_a_bulk_of_what_cannot_be_kept_blocks_no_chat(agents: Agents, nothing: str) -> None:
    """A text of which nothing is left once it is stored could never be sent, nor what comes after it."""
    await agents.customer("Алло")

    answer = await agents.call("send_bulk", channel="avito", chat_ids=[CHAT], texts=[nothing])

    assert answer["refused"] == [{"chat_id": CHAT, "reason": "empty_text"}]
    assert await agents.outbound() == []


@pytest.mark.promise("bound")
async def test_one_file_in_two_chats_makes_nobody_wait_in_a_circle(database_url: str, tmp_path: Path) -> None:
    """Two transactions that link the same picture at the same time end one after the other."""
    async with files(database_url, tmp_path) as world:
        key = await world.contents.keep(JPEG, "image/jpeg")
        pool, now, both = world.here.pool, world.here.now, asyncio.Event()
        held: list[str] = []

        async def link() -> None:
            async with pool.acquire() as connection, connection.transaction():
                await connection.fetch(sql("lock_contents"), [key])
                held.append(key)
                if len(held) == 2:
                    both.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await both.wait()
                await connection.execute(sql("release_contents"), [key], now)

        await asyncio.gather(link(), link())
