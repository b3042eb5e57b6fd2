"""The desk of dead letters at the hub, with real engines behind it; a channel that replays is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from core.auth import Caller, current_caller
from core.bell import Bell
from core.deadletters import DeadLetters
from core.keys import Keys
from core.letter_search import LetterSearch
from orchestrator.hub_letters import LetterDesk
from orchestrator.hub_parts import HubParts
from orchestrator.letters import Letters
from orchestrator.resending import Resending
from tests.integration.test_debounce import Desk
from tests.integration.test_debounce import opened as opened_desk

KEYS = Keys()
ANNA = Caller("anna", "operator")


class FakeReplays:
    """A channel that reads a webhook's letter once more; `answers` are what it says, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answers: list[dict[str, Any]] = []

    async def replay_letter(self, channel: str, letter_id: str, by: str) -> dict[str, Any]:
        self.asked.append((channel, letter_id, by))
        return self.answers.pop(0)


class Office:
    """What operators ask about dead letters, and what becomes of the messages in them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.here, self.clock, self.redis = desk.here, desk.line.clock, desk.line.redis
        self.dead = DeadLetters(self.redis, KEYS, self.clock)
        self.channel = FakeReplays()
        bell = Bell(self.redis, KEYS.bell("outbox"))
        self.resending = Resending(desk.here.pool, KEYS.outgoing.source, bell=bell, clock=self.clock)
        self.letters = Letters(
            self.dead, LetterSearch(self.redis, KEYS), self.channel, self.resending, KEYS.incoming.source
        )
        nothing = cast(Any, None)
        rest = dict.fromkeys(set(HubParts.__slots__) - {"pool", "clock", "letters"}, nothing)
        parts = HubParts(pool=desk.here.pool, clock=self.clock, letters=self.letters, **rest)
        self._operations = {one.name: one for one in LetterDesk(parts).operations()}

    async def ask(self, name: str, *, caller: Caller | None = ANNA, **given: Any) -> dict[str, Any]:
        """As a route or a tool does."""
        token = current_caller.set(caller)
        try:
            return (await self._operations[name].call(given)).model_dump(mode="json")
        finally:
            current_caller.reset(token)

    async def change(self, action: str, letter_id: str = "", **given: Any) -> dict[str, Any]:
        return await self.ask("change_dead_letters", action=action, letter_id=letter_id, **given)

    async def found(self, **given: Any) -> list[str]:
        return [line["letter_id"] for line in (await self.ask("dead_letters", **given))["letters"]]

    async def queued(self, queue: str = KEYS.incoming.source) -> list[bytes]:
        return cast("list[bytes]", await self.redis.lrange(queue, 0, -1))


@asynccontextmanager
async def office(redis_url: str, database_url: str) -> AsyncIterator[Office]:
    async with opened_desk(redis_url, database_url) as desk:
        yield Office(desk)
