"""What the annotations of the hub's tools say is so in the database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from core.auth import Caller, current_caller
from core.deadletters import DeadLetters
from core.errors import ChannelError
from core.keys import Keys
from core.letter_search import LetterSearch
from core.tool_list import annotations_of
from orchestrator.hub import Hub
from orchestrator.letters import Letters
from orchestrator.resending import Resending
from orchestrator.trace import Tracing
from tests.integration.test_hub import Agents, lease, opened
from tests.integration.test_resolve_scene import message
from tests.tool_lists import tools

KEYS = Keys()
ANNA = Caller("anna", "operator")
LOOKING = [
    *("get_appeal", "list_appeals", "get_client", "get_delivery", "trace_message", "dead_letters"),
    *("get_bulk", "show_inbox"),
]
#: reply and send_message speak to customers, wait_for_turn takes a turn, send_bulk speaks to many.
REPEATED = {
    *("reply", "skip_turn", "extend_turn", "release_turn", "hand_off", "close_appeal"),
    *("change_dead_letter", "cancel_bulk"),
}
TAKING = {"update_appeal", "cancel_bulk", "change_dead_letter"}
AGAIN = {"wait_for_turn", "update_appeal", "send_message", "send_bulk"}


def chat_of_bulk(turn: Mapping[str, Any]) -> dict[str, Any]:
    """A bulk to the turn's chat."""
    return {"channel": "avito", "chat_ids": [turn["chat_id"]], "text": "Скидка"}


class House:
    """The whole hub, a customer who has written, and a dead letter."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.redis, clock = agents.desk.line.redis, agents.desk.line.clock
        self.dead, search = DeadLetters(self.redis, KEYS, clock), LetterSearch(self.redis, KEYS)
        resending = Resending(agents.here.pool, KEYS.outgoing.source, bell=agents.outbox_bell, clock=clock)
        nobody = cast(Any, None)  # webhooks' letters are replayed by channels
        letters = Letters(self.dead, search, nobody, resending, KEYS.incoming.source)
        tracing = Tracing(agents.here.pool, self.redis, KEYS, search)
        hub = Hub(replace(agents.hub.parts, letters=letters, tracing=tracing))
        self.operations = {one.name: one for one in hub.operations()}
        self.given: dict[str, dict[str, Any]] = {}

    async def prepare(self) -> None:
        """Arguments with which every tool can succeed."""
        await self.agents.customer("Здравствуйте", "Сколько стоит экран?")
        turn = await self.agents.turn()
        letter = await self.dead.bury("incoming", "unreadable", "why", b"{")
        chat = {"channel": "avito", "chat_id": turn["chat_id"]}
        sent = await self.agents.call("send_message", **chat, text="Мы открыты")
        bulk = await self.agents.call("send_bulk", **chat_of_bulk(turn))
        held, appeal = lease(turn), {"appeal_id": turn["appeal_id"]}
        self.given = {
            "wait_for_turn": {"wait_seconds": 0},
            "reply": {**held, "text": "Тысячу"},
            "skip_turn": held,
            "extend_turn": held,
            "release_turn": held,
            "hand_off": {**held, "reason": "просит человека"},
            "get_appeal": appeal,
            "list_appeals": {"status": "all"},
            "update_appeal": {**appeal, "note": "ждёт экран"},
            "close_appeal": {**appeal, "reason": "готово"},
            "get_client": {"client_id": turn["client_id"]},
            "send_message": {**chat, "text": "Экран приехал"},
            "send_bulk": chat_of_bulk(turn),
            "get_delivery": {"delivery_id": sent["delivery_id"]},
            "trace_message": {"turn_id": turn["turn_id"]},
            "dead_letters": {},
            "show_inbox": {},
            "get_bulk": {"bulk_id": bulk["bulk_id"]},
            "cancel_bulk": {"bulk_id": bulk["bulk_id"]},
            "change_dead_letter": {"letter_id": letter, "action": "purge", "confirm": True},
            "read_conversation": chat,
            "appeal_journal": appeal,
            "list_merges": {"client_id": turn["client_id"]},
            "list_deliveries": {"status": "queued"},
        }

    async def call(self, name: str, **more: Any) -> Any:
        """As an operator, who may use every tool."""
        token = current_caller.set(ANNA)
        try:
            return await self.operations[name].call({**self.given.get(name, {}), **more})
        finally:
            current_caller.reset(token)

    async def state(self) -> Mapping[str, Any]:
        """Everything that we keep: rows by table, and what Redis has."""
        named = await self.agents.here.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        tables = {
            table: await self.agents.here.rows(f'SELECT t::text FROM "{table}" AS t ORDER BY 1')  # noqa: S608  # of the catalogue
            for (table,) in named
        }
        kept = {key: await self.redis.dump(key) for key in sorted(await self.redis.keys("*"))}
        return {**tables, "redis": kept}


@pytest.fixture
async def house(redis_url: str, database_url: str) -> AsyncIterator[House]:
    async with opened(redis_url, database_url) as agents:
        made = House(agents)
        await made.prepare()
        yield made


@pytest.mark.promise("annotations")
async def test_every_tool_of_the_hub_is_tried_here() -> None:
    hints = {one.name: annotations_of(one) for one in await tools("hub", "all")}

    assert {name for name, its in hints.items() if its.read_only_hint} == set(LOOKING)
    assert {name for name, its in hints.items() if its.idempotent_hint and not its.read_only_hint} == REPEATED
    assert {name for name, its in hints.items() if not its.idempotent_hint} == AGAIN
    assert {name for name, its in hints.items() if its.destructive_hint} == TAKING
    assert {name for name, its in hints.items() if not its.open_world_hint} == {
        *("extend_turn", "release_turn", "get_bulk", "cancel_bulk"),
    }


@pytest.mark.promise("annotations")
async def test_what_only_reads_changes_nothing_here(house: House) -> None:
    before = await house.state()
    for name in LOOKING:
        await house.call(name)

        assert await house.state() == before, name


@pytest.mark.promise("annotations")
@pytest.mark.parametrize("name", sorted(REPEATED))
async def test_what_may_be_repeated_does_no_more_than_once_here(house: House, name: str) -> None:
    before = await house.state()
    await house.call(name)
    once = await house.state()
    with suppress(ChannelError):  # there is nothing left to do
        await house.call(name)

    assert once != before or name == "extend_turn"  # at the same moment a lease ends as late as before
    assert await house.state() == once


@pytest.mark.promise("annotations")
@pytest.mark.parametrize("name", sorted(AGAIN - {"wait_for_turn"}))
async def test_what_may_not_be_repeated_does_it_again_here(house: House, name: str) -> None:
    await house.call(name)
    once = await house.state()
    await house.call(name)
    twice = await house.state()

    grown = {table for table in once if len(twice[table]) > len(once[table])}
    assert grown & {"outbound", "bulks", "appeal_notes"}


@pytest.mark.promise("annotations")
async def test_a_wait_that_is_repeated_takes_the_next_turn(house: House) -> None:
    for chat in ("chat-2", "chat-3"):
        await house.agents.customer("Ау", chat=chat)

    first, second = [await house.call("wait_for_turn") for _ in range(2)]

    assert first.turn_id != second.turn_id


@pytest.mark.promise("annotations")
@pytest.mark.parametrize("action", ["edit", "replay"])
async def test_whatever_is_done_to_a_letter_is_done_once(house: House, action: str) -> None:
    said = message("m9", "Да", chat="chat-9").model_dump_json()
    letter = await house.dead.bury("incoming", "unreadable", "why", said.encode())
    given = {"letter_id": letter, "action": action, "confirm": False}
    more = {"payload": said.replace("Да", "Нет")} if action == "edit" else {}
    await house.call("change_dead_letter", **given, **more)
    once = await house.state()
    await house.call("change_dead_letter", **given, **more)

    assert await house.state() == once


@pytest.mark.promise("annotations")
async def test_what_is_destructive_here_takes_away_or_overwrites(house: House) -> None:
    """Tags are taken off, the priority is overwritten, and what waited to be sent is sent no more."""
    await house.call("update_appeal", priority="high", add_tags=["refund"])
    after = await house.call("update_appeal", priority="low", remove_tags=["refund"])
    stopped = await house.call("cancel_bulk")

    assert (after.priority, after.tags_untrusted) == ("low", [])
    assert stopped.states == {"cancelled": 1}


@pytest.mark.promise("annotations")
async def test_what_is_purged_cannot_be_had_back(house: House) -> None:
    await house.call("change_dead_letter")

    assert (await house.call("dead_letters")).letters == []
