"""Batches that come at the same time share a transaction, and nothing else: no error, no fate."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import pytest

from orchestrator.batching import Batch
from orchestrator.clients import chat_key
from orchestrator.resolver import AT_ONCE, TRANSACTIONS, Resolver
from orchestrator.rules import Rules
from orchestrator.store.errors import Unstorable
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql
from orchestrator.store.resolve import ResolvedBatch
from tests.integration.test_resolve_scene import Scene, at, batch, message, scene


class Unheard:
    """Nobody has to be told of pauses here."""

    def ring(self) -> None: ...

    async def tell(self) -> None: ...


class Counting(Resolver):
    """Tells how many batches each transaction had."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, Rules(), Unheard())
        self.sizes: list[int] = []

    async def _serve(self, group: Sequence[object]) -> None:
        self.sizes.append(len(group))
        await super()._serve(group)  # type: ignore[arg-type]  # what it is given is passed on


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url) as made:
        yield made


def of_chat(number: int, text: str = "") -> Batch:
    return batch(message(f"m{number}", text, chat=f"chat-{number}", external_user_id=f"user-{number}"))


async def resolve_all(resolver: Resolver, batches: Sequence[Batch], now: datetime) -> list[object]:
    return list(
        await asyncio.gather(*(resolver.resolve(one, now=now) for one in batches), return_exceptions=True)
    )


async def test_batches_that_wait_share_a_transaction(here: Scene) -> None:
    """The first ones go at once; who came meanwhile goes together, in groups that are not too large."""
    resolver = Counting(here.pool)
    count = 3 * AT_ONCE

    resolved = await resolve_all(resolver, [of_chat(number) for number in range(count)], at(60))

    assert len({one.turn_id for one in resolved if isinstance(one, ResolvedBatch)}) == count
    assert sum(resolver.sizes) == count
    assert max(resolver.sizes) == AT_ONCE
    assert len(resolver.sizes) <= 3 + TRANSACTIONS


async def test_each_caller_hears_of_its_own_batch(here: Scene) -> None:
    """The answers of a shared transaction are not mixed up."""
    resolver = Resolver(here.pool, Rules(), Unheard())

    resolved = await resolve_all(resolver, [of_chat(number) for number in range(20)], at(60))

    texts = [await here.texts_of_turn(one.turn_id) for one in resolved if isinstance(one, ResolvedBatch)]
    assert texts == [[f"text of m{number}"] for number in range(20)]


async def test_a_batch_that_cannot_be_stored_fails_alone(here: Scene) -> None:
    """Its neighbours in the transaction are tried again without it."""
    resolver = Resolver(here.pool, Rules(), Unheard())
    bad = batch(message("bad", chat="chat-bad", external_user_id="\ud800"))

    resolved = await resolve_all(resolver, [of_chat(0), of_chat(1), bad, of_chat(2), of_chat(3)], at(60))

    assert [type(one) for one in resolved] == [
        ResolvedBatch,
        ResolvedBatch,
        Unstorable,
        ResolvedBatch,
        ResolvedBatch,
    ]
    assert await here.value("SELECT count(*) FROM turns") == 4


async def test_two_batches_of_one_chat_are_never_in_one_transaction(here: Scene) -> None:
    """A chat may be resolved twice at the same time: by its worker and because an agent answers."""
    resolver = Resolver(here.pool, Rules(), Unheard())
    twice = [batch(message(f"m{number}", second=number)) for number in range(4)]

    resolved = await resolve_all(resolver, twice, at(60))

    assert {one.turn_id for one in resolved if isinstance(one, ResolvedBatch)} == {1}
    assert await here.value("SELECT count(*) FROM messages_history") == 4


@pytest.mark.promise("bound")
async def test_chats_that_somebody_has_hold_up_no_others(here: Scene) -> None:
    """A client is being erased, for as long as Redis is searched: their chats wait, and nobody else's."""
    resolver = Resolver(here.pool, Rules(), Unheard())
    async with here.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(
                sql("lock_keys"), [chat_key("avito", "default", f"chat-{n}") for n in (0, 1)]
            )
            callers = [asyncio.create_task(resolver.resolve(of_chat(n), now=at(60))) for n in range(6)]
            async with asyncio.timeout(10):
                await asyncio.gather(*callers[2:])
            assert not any(caller.done() for caller in callers[:2])
        resolved = await asyncio.gather(*callers)

    assert len({one.turn_id for one in resolved}) == 6


async def test_a_caller_who_goes_away_takes_nobody_along(here: Scene) -> None:
    """A worker that is cancelled amid the shared transaction leaves the others to be served."""
    resolver = Resolver(here.pool, Rules(), Unheard())
    callers = [asyncio.create_task(resolver.resolve(of_chat(number), now=at(60))) for number in range(12)]
    await asyncio.sleep(0)
    for caller in callers[:3]:
        caller.cancel()

    resolved = await asyncio.gather(*callers, return_exceptions=True)

    assert all(isinstance(one, ResolvedBatch) for one in resolved[3:])
    assert await here.value("SELECT count(DISTINCT external_chat_id) FROM turns") >= 9
