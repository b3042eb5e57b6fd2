"""Batches into clients, cases, history and turns: our code beside the same statements, replayed bare."""

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.finding import Finding, at_least
from bench.messages import incoming
from bench.samples import interleaved, median
from bench.stage import Stage
from core.messages import IncomingMessage
from orchestrator.batching import Batch, gather
from orchestrator.store.pool import Connection, Pool, new_pool
from orchestrator.store.resolve import resolve_batches

BATCHES, BURST, ROUNDS, GROUP = 600, 3, 3, 100
_numbers = itertools.count()
_NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """One of a transaction, as it was executed."""

    query: str
    values: tuple[Any, ...]


async def measure(stage: Stage) -> list[Finding]:
    """One batch a transaction beside its own statements; a backlog in groups."""
    count = stage.count(BATCHES)
    grouped = [await _grouped(stage, count * 3) for _ in range(ROUNDS)]
    recorded: list[list[Statement]] = []
    rates = await interleaved(ROUNDS, {"ours": _ours(stage, count, recorded), "bare": _bare(stage, recorded)})
    ours, bare, backlog = median(rates["ours"]), median(rates["bare"]), median(grouped)
    return [
        Finding(
            "resolve",
            "batches of 3 new messages, a transaction each, one connection",
            "a second",
            ours,
            bare,
            "the same statements, replayed",
            judged=ours / bare,
            goal=at_least(0.7),
        ),
        Finding(
            "resolve",
            f"backlog, {GROUP} batches a transaction: messages",
            "a second",
            backlog,
            judged=backlog,
            goal=at_least(10_000),
        ),
    ]


def _ours(stage: Stage, count: int, recorded: list[list[Statement]]) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        batches = [_batch() for _ in range(count)]
        recorded.clear()
        recorded.extend(await _statements(stage, batches))
        async with stage.pool(connections=2) as pool:
            await _resolve_each(pool, batches[:20])
            began = time.perf_counter()
            await _resolve_each(pool, batches[20:])
            return (count - 20) / (time.perf_counter() - began)

    return once


def _bare(stage: Stage, recorded: list[list[Statement]]) -> Callable[[], Awaitable[float]]:
    """On an empty database, where the rows get the same ids as when they were recorded."""

    async def once() -> float:
        async with stage.pool(connections=2) as pool, pool.acquire() as connection:
            for statements in recorded[:20]:
                await _replay(connection, statements)
            began = time.perf_counter()
            for statements in recorded[20:]:
                await _replay(connection, statements)
            return (len(recorded) - 20) / (time.perf_counter() - began)

    return once


async def _replay(connection: Any, statements: Sequence[Statement]) -> None:
    async with connection.transaction():
        for one in statements:
            await connection.fetch(one.query, *one.values)


async def _statements(stage: Stage, batches: Sequence[Batch]) -> list[list[Statement]]:
    """What our code executes for each batch, in order."""
    heard: list[Statement] = []

    def note(logged: Any) -> None:
        if logged.args:
            heard.append(Statement(logged.query, tuple(logged.args)))

    async def listen(connection: Connection) -> None:
        connection.add_query_logger(note)

    made: list[list[Statement]] = []
    async with stage.database() as url, new_pool(url, connections=1, setup=listen) as pool:
        for batch in batches:
            heard.clear()
            await resolve_batches(pool, [batch], now=_NOW)
            made.append(list(heard))
    return made


async def _resolve_each(pool: Pool, batches: Sequence[Batch]) -> None:
    for batch in batches:
        await resolve_batches(pool, [batch], now=_NOW)


async def _grouped(stage: Stage, count: int) -> float:
    batches = [_batch() for _ in range(count)]
    async with stage.pool(connections=2) as pool:
        await resolve_batches(pool, batches[:GROUP], now=_NOW)
        began = time.perf_counter()
        for start in range(GROUP, count, GROUP):
            await resolve_batches(pool, batches[start : start + GROUP], now=_NOW)
        return (count - GROUP) * BURST / (time.perf_counter() - began)


def _batch() -> Batch:
    chat = f"r{next(_numbers)}"
    raws = [incoming(number, chat) for number in range(BURST)]
    return gather([IncomingMessage.model_validate_json(raw) for raw in raws], closed_by="silence")
