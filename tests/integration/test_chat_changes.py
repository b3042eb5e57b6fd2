"""Who listens to a chat at a channel server hears what comes there and what is sent, at any replica."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from typing import Any

import httpx
import pytest

from core.chat_changes import ChatChanges
from core.ids import AccountId
from core.testing import FakeChannel
from tests.integration.hub_server import agent_of, served
from tests.integration.test_confirmation import AGENT, ANNA, WROTE, House
from tests.integration.test_confirmation import house as house

pytestmark = pytest.mark.promise("changes")

CHAT, OTHER = f"chat://avito/{WROTE}", "chat://avito/another"
DEEDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sent": ("/api/messages/send", {"chat_id": WROTE, "text": "Готово"}),
    "sent to many": ("/api/messages/send/bulk", {"chat_ids": ["b", WROTE], "text": "Всем"}),
    "edited": (f"/api/chats/{WROTE}/messages/m1/edit", {"text": "Готов"}),
    "deleted": (f"/api/chats/{WROTE}/messages/m1/delete", {}),
}


class Told:
    """Stands in for the bus."""

    def __init__(self) -> None:
        self.uris: list[tuple[str, ...]] = []
        self.some = asyncio.Event()

    async def changed(self, *uris: str) -> None:
        self.uris.append(uris)
        self.some.set()


class Replicas:
    """Two of a channel over real HTTP."""

    def __init__(self, urls: Sequence[str], http: httpx.AsyncClient) -> None:
        self._urls = cycle(urls)
        self._http = http

    async def post(self, path: str, body: Any) -> None:
        """At one after the other."""
        headers = {"X-API-Key": ANNA}
        (await self._http.post(next(self._urls) + path, json=body, headers=headers)).raise_for_status()

    async def delivers(self, message_id: str, chat: str = WROTE) -> None:
        """The messenger does."""
        body = {"id": message_id, "chat": chat, "text": "Здравствуйте"}
        await self.post("/webhook/avito/default/path-secret", body)

    @asynccontextmanager
    async def listening(self, uri: str) -> AsyncIterator[Any]:
        """A model does, at one after the other."""
        async with (
            agent_of(next(self._urls), key=AGENT) as model,
            model.listen(resource_subscriptions=[uri]) as changes,
        ):
            yield changes


@pytest.fixture
async def replicas(house: House) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(served(one)) for one in house.replicas]
        yield Replicas(urls, await stack.enter_async_context(httpx.AsyncClient()))


async def _next(changes: Any) -> str:
    async with asyncio.timeout(10):
        return str(getattr(await anext(aiter(changes)), "uri", ""))


async def test_what_a_customer_writes_is_heard_at_every_replica(replicas: Replicas) -> None:
    """Two listen at two replicas; the messenger delivers to either."""
    async with (
        replicas.listening(CHAT) as one,
        replicas.listening(CHAT) as two,
        replicas.listening(OTHER) as other,
    ):
        for number in range(3):
            await replicas.delivers(f"in-{number}")
            assert [await _next(one), await _next(two)] == [CHAT, CHAT]
        await replicas.delivers("in-9", "another")

        assert await _next(other) == OTHER


@pytest.mark.parametrize("deed", DEEDS)
async def test_what_is_done_there_is_heard(replicas: Replicas, deed: str) -> None:
    async with replicas.listening(CHAT) as changes:
        await replicas.post(*DEEDS[deed])

        assert await _next(changes) == CHAT


async def test_many_at_once_are_told_as_one_and_each_by_its_account() -> None:
    told, channel, shop = Told(), FakeChannel(), AccountId("shop")
    changes = ChatChanges(told, "avito", AccountId, pause=0)
    arrivals = [channel.arrival(f"m{number}", "u2i/1", "x") for number in range(50)]
    changes.note(shop, arrivals)
    changes.note(AccountId("default"), arrivals[:1])
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(changes.run())
        await told.some.wait()
        loop.cancel()

    assert told.uris == [("chat://avito/shop/u2i%2F1", "chat://avito/default/u2i%2F1")]
