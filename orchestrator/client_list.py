"""Clients and suggestions as operators look them up: one, or a page of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.appeals import Appeal, find_appeal
from orchestrator.clients import Client, get_client
from orchestrator.cursors import BEGINNING, place_of
from orchestrator.facts import facts_of
from orchestrator.store.pool import Executor
from orchestrator.store.queries import sql

_MOST_CASES = 10
_MOST_FACTS = 50
_MOST_HANDLES = 50


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client with the first handles, facts (the best evidence first) and the latest cases."""

    client: Client
    handles: list[dict[str, Any]]
    handles_count: int
    facts: list[dict[str, Any]]
    appeals: list[Appeal]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, the newest first; `next_cursor` is "" on the last page."""

    rows: list[dict[str, Any]]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Pair:
    """An open suggestion: the two clients, why, and its line."""

    clients: frozenset[int]
    why: str
    line: dict[str, Any]


async def client_view(executor: Executor, client_id: int) -> ClientView | None:
    """The client, or None."""
    client = await get_client(executor, client_id)
    if client is None:
        return None
    handles = [dict(row) for row in await executor.fetch(sql("handles_of_client"), client_id)]
    facts = [
        {
            "kind": fact.kind,
            "value_untrusted": fact.value,
            "evidence": fact.evidence,
            "channel": fact.channel,
            "last_at": fact.last_at.isoformat(),
        }
        for fact in (await facts_of(executor, client_id))[:_MOST_FACTS]
    ]
    cases = await executor.fetch(sql("cases_of_client"), client_id, _MOST_CASES)
    appeals = [await find_appeal(executor, row["id"]) for row in cases]
    shown = handles[:_MOST_HANDLES]
    return ClientView(client, shown, len(handles), facts, [one for one in appeals if one is not None])


async def list_clients(executor: Executor, *, query: str, limit: int, cursor: str) -> Page:
    """Clients whose name has the query in it, or whose phone, e-mail or handle it is. Raises BadCursor."""
    found = await executor.fetch(sql("list_clients"), query.strip(), place_of(cursor), limit + 1)
    return _page([dict(row) for row in found], limit, "client_id")


async def list_suggestions(executor: Executor, *, state: str, limit: int, cursor: str) -> Page:
    """Suggestions in this state. Raises BadCursor."""
    found = await executor.fetch(sql("list_suggestions"), state, place_of(cursor), limit + 1, None)
    return _page([dict(row) for row in found], limit, "suggestion_id")


async def settle(
    executor: Executor, suggestion_id: int, *, dismissed_by: str = "", now: datetime | None = None
) -> Pair | None:
    """An open suggestion, dismissed when somebody says so; None when there is none."""
    if now is not None and not await executor.fetchval(
        sql("dismiss_suggestion"), suggestion_id, dismissed_by, now
    ):
        return None
    state = "open" if now is None else "dismissed"
    row = await executor.fetchrow(sql("list_suggestions"), state, BEGINNING, 1, suggestion_id)
    if row is None:
        return None
    return Pair(frozenset({int(row["client_id"]), int(row["other_id"])}), row["why"], dict(row))


def _page(rows: list[dict[str, Any]], limit: int, name: str) -> Page:
    return Page(rows[:limit], str(rows[limit - 1][name]) if len(rows) > limit else "")
