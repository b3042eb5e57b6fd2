"""Where the parts meet: what one part decides holds in all others, and none waits for another in a circle."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.auth import Caller
from core.errors import Forbidden, NotFound, Rejected
from orchestrator.manifests import Manifest
from orchestrator.merges import alone_with
from orchestrator.pauses import untold
from orchestrator.reach import chats_of
from orchestrator.store import settling
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql
from tests.integration.letters_fixture import Office, office
from tests.integration.media_fixture import JPEG, files
from tests.integration.test_hub import CHAT, Agents, lease
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
    return await agents.asked_by(ANNA, name, **given)


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
        with pytest.raises(Rejected, match="settled"):
            await letters.change("edit", letter_id, payload=outgoing("Другое").model_dump_json())

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
        assert held == [key, key]


@pytest.mark.promise("bulk")
async def test_a_bulk_that_meets_a_merge_is_accepted_all_the_same(agents: Agents) -> None:
    """Ten thousand chats are not locked for it: what has moved meanwhile is looked up once more."""
    here = agents.here
    for user in ("anna", "boris"):
        await agents.customer("Алло", chat=f"of-{user}", external_user_id=user)
    bulk: asyncio.Task[dict[str, Any]]

    async def work(connection: Connection, rows: dict[int, Any]) -> None:
        nonlocal bulk
        bulk = asyncio.create_task(
            agents.call("send_bulk", channel="avito", chat_ids=["of-boris"], text="всем")
        )
        await asyncio.wait({bulk}, timeout=0.5)
        for table in ("messages_history", "turns", "appeals", "client_facts", "identities"):
            await connection.execute(f"UPDATE {table} SET client_id = 1 WHERE client_id = 2")  # noqa: S608
        await connection.execute("DELETE FROM clients WHERE id = 2")

    await here.pool.execute("UPDATE appeals SET status = 'resolved', closed_at = now() WHERE client_id = 1")
    await alone_with(here.pool, [1, 2], work)

    assert (await bulk)["total"] == 1
    assert await here.rows("SELECT client_id FROM outbound") == [(1,)]


@pytest.mark.promise("unknown")
async def test_only_an_operator_decides_on_a_message_in_doubt(agents: Agents) -> None:
    """A model reads customers' words: its key neither sends twice nor says that something arrived."""
    for name, more in (("settle_delivery", {"outcome": "sent"}), ("resend_delivery", {})):
        with pytest.raises(Forbidden):
            await agents.call(name, delivery_id=str(uuid4()), **more)
        with pytest.raises(NotFound):
            await as_operator(agents, name, delivery_id=str(uuid4()), **more)


async def test_pauses_that_are_over_are_not_looked_through_every_second(agents: Agents) -> None:
    """Whoever wrote by hand once leaves a row for ever; only those in force are told again."""
    pool, now = agents.here.pool, agents.here.now
    await pool.execute(
        """INSERT INTO pauses (channel, account, external_chat_id, cause, started_at, until, version,
            mirrored_version, mirrored_at)
        SELECT 'avito', 'default', n::text, 'operator_message', at, at, 1, 1, at
        FROM generate_series(1, 5000) AS n, (SELECT $1::timestamptz AS at) AS past""",
        now - timedelta(minutes=30),
    )
    await pool.execute("UPDATE pauses SET until = NULL WHERE external_chat_id = '7'")
    await pool.execute("ANALYZE pauses")

    plan = await pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql('untold_pauses')}", now, 10)

    told = await untold(pool, before=now, limit=10)
    assert [one.external_chat_id for one in told] == ["7"]
    assert re.findall(r'"Rows Removed by Filter": (?!0)', plan) == []


@pytest.mark.promise("bound")
async def test_two_forms_of_one_client_end_at_once_without_a_circle(agents: Agents) -> None:
    """The answer to one takes the case, with the other's turn, elsewhere while that one is handed off."""
    phone = "+79001234567"
    form = {"channel": "form", "external_user_id": phone, "client_phone": phone}
    await agents.customer("Алло", vouched=phone)
    for chat in ("f1", "f2"):
        await agents.customer("Заявка", chat=chat, **form)
    _, first, second = [await agents.turn() for _ in range(3)]
    async with agents.here.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM clients FOR NO KEY UPDATE")
        answer = asyncio.create_task(agents.reply(first))
        await asyncio.wait({answer}, timeout=0.5)
        off = asyncio.create_task(agents.call("hand_off", **lease(second), reason="жалоба"))
        await asyncio.wait({off}, timeout=0.5)

    assert ((await answer)["status"], (await off)["status"]) == ("queued", "handed_off")


@pytest.mark.promise("no-mixing")
async def test_a_group_stays_one_when_the_others_in_it_are_erased(agents: Agents) -> None:
    """What is for one client alone never goes to a chat that others read, also those we forgot."""
    for user in ("anna", "boris"):
        await agents.customer("Алло", chat="group", external_user_id=user)

    await agents.hub.parts.erasure.erase(2)

    assert await chats_of(agents.here.pool, 1) == []
