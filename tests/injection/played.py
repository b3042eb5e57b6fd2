"""The corpus, played: what a model was shown, what was kept, and what became of everybody."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.injection.corpus import Attempt, attempts
from tests.injection.places import DOORS
from tests.injection.shop import Shop, lines_of, listened, opened

_AT_ONCE = 6
_BYSTANDER = "Мой телефон у вас в ремонте"
#: What became of a customer, by who they are there. How a burst falls into turns is a matter of time.
_STATE = """
SELECT i.external_user_id,
       (SELECT bool_and(t.status IN ('closed', 'merged')) FROM turns t WHERE t.client_id = i.client_id),
       (SELECT array_agg(ROW(a.status, a.priority, a.tags, a.close_reason, a.snoozed_until)::text
               ORDER BY a.id)
          FROM appeals a WHERE a.client_id = i.client_id),
       (SELECT array_agg(ROW(m.event, m.message_type, m.sender)::text
               ORDER BY m.event, m.message_type)
          FROM messages_history m WHERE m.client_id = i.client_id),
       (SELECT array_agg(ROW(f.kind, f.evidence)::text ORDER BY f.kind, f.evidence)
          FROM client_facts f WHERE f.client_id = i.client_id),
       (SELECT count(*) FROM identities o WHERE o.client_id = i.client_id)
  FROM identities i
"""
#: Whatever nobody may have caused by words.
_NEVER = """
SELECT (SELECT count(*) FROM pauses), (SELECT count(*) FROM outbound), (SELECT count(*) FROM client_merges),
       (SELECT count(*) FROM erasures), (SELECT count(*) FROM bulks), (SELECT count(*) FROM appeal_notes)
"""


@dataclass(slots=True)
class Played:
    """`customers` {who: (door, what they wrote)}; `shown` [(who it is about, what was asked, the answer)]."""

    customers: dict[str, tuple[str, Attempt]] = field(default_factory=dict)
    ordinary: dict[tuple[str, str], str] = field(default_factory=dict)
    shown: list[tuple[str, str, Any]] = field(default_factory=list)
    states: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    stored: dict[str, list[str]] = field(default_factory=dict)
    bystander_before: Any = None
    bystander_after: Any = None
    never: tuple[int, ...] = ()
    keys: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)


async def play(redis_url: str, database_url: str, folder: Path) -> Played:
    """Every attempt, and a harmless text of the same shape at every door."""
    played = Played()
    with listened() as log:
        async with opened(redis_url, database_url, folder) as shop:
            case = await _bystander(shop)
            played.bystander_before = await _case(shop, case)
            await _write(shop, played, [one.about(case) for one in attempts()])
            await _read(shop, played)
            await _look_back(shop, played)
            played.bystander_after = await _case(shop, case)
        played.log = list(lines_of(log))
    return played


async def _bystander(shop: Shop) -> Mapping[str, str]:
    """Somebody else with a case that is being worked on, and a message of ours to them that never left."""
    await shop.producer(_BYSTANDER)
    turn = await shop.ask("wait_for_turn", wait_seconds=50)
    return {
        "appeal": turn["appeal_id"],
        "client": turn["client_id"],
        "turn": turn["turn_id"],
        "lease": turn["lease_token"],
        "delivery": "6f1e0c9b-0000-4000-8000-000000000001",
    }


async def _case(shop: Shop, case: Mapping[str, str]) -> Any:
    return [
        await shop.ask("get_appeal", appeal_id=case["appeal"]),
        await shop.ask("get_client", client_id=case["client"]),
        await shop.rows("SELECT status, lease_token FROM turns WHERE id = $1", int(case["turn"])),
    ]


async def _write(shop: Shop, played: Played, corpus: list[Attempt]) -> None:
    doors: dict[str, Callable[[str], Awaitable[str]]] = {
        **{door.channel: lambda words, door=door: shop.burst(door, words) for door in DOORS},  # type: ignore[misc]  # bound now
        "form": shop.form,
        "producer": shop.producer,
    }
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def attempt(door: str, one: Attempt) -> None:
        async with at_once:
            played.customers[await doors[door](one.text)] = (door, one)

    async def ordinary(door: str, words: str) -> None:
        async with at_once:
            played.ordinary[door, words] = await doors[door](words)

    harmless = {one.like for one in corpus}
    async with asyncio.TaskGroup() as group:
        for door in doors:
            for words in harmless:
                group.create_task(ordinary(door, words))
        for number, one in enumerate(corpus):
            for door in _doors_of(number):
                group.create_task(attempt(door, one))


def _doors_of(number: int) -> Sequence[str]:
    """Every attempt in every field that there is; at the webhooks of two messengers each, in turn."""
    messengers = [door.channel for door in DOORS]
    return (messengers[number % 6], messengers[(number + 1 + number // 6 % 5) % 6], "form", "producer")


async def _read(shop: Shop, played: Played) -> None:
    """As an agent does, with everything that it can look at; then the turn is finished without a word."""
    everybody = len(played.customers) + len(played.ordinary)
    while True:
        turn = await shop.ask("wait_for_turn", wait_seconds=3)
        if turn["status"] == "none":
            [[known]] = await shop.rows("SELECT count(*) FROM identities")
            if known > everybody:  # and the other one
                return
            continue
        who = turn["chat_id"]
        place = {name: turn[name] for name in ("channel", "account", "chat_id")}
        about = {
            "wait_for_turn": turn,
            "get_appeal": await shop.look("get_appeal", appeal_id=turn["appeal_id"]),
            "get_client": await shop.look("get_client", client_id=turn["client_id"]),
            "trace_message": await shop.look("trace_message", turn_id=turn["turn_id"]),
            "read_conversation": await shop.look("read_conversation", **place),
        }
        done = await shop.ask("skip_turn", turn_id=turn["turn_id"], lease_token=turn["lease_token"])
        while done["status"] == "superseded":  # the rest of a burst that a command had cut
            done = await shop.ask("skip_turn", turn_id=turn["turn_id"], lease_token=done["lease_token"])
        about["skip_turn"] = done
        played.shown += [(who, asked, answer) for asked, answer in about.items()]


async def _look_back(shop: Shop, played: Played) -> None:
    for tool in ("list_appeals", "dead_letters"):
        cursor = ""
        while True:
            page = await shop.ask(tool, limit=100, cursor=cursor)
            played.shown.append(("everybody", tool, page))
            cursor = page["next_cursor"]
            if not cursor:
                break
    for messenger in shop.messengers.values():
        await messenger.afterwards.idle()
        played.shown += [("everybody", "list_chats", page) for page in await messenger.shown()]
    played.states = {who: tuple(state) for who, *state in await shop.rows(_STATE)}
    said = await shop.rows("SELECT external_user_id, message_text FROM messages_history ORDER BY id")
    for who, text in said:
        played.stored.setdefault(who, []).append(text)
    [played.never] = await shop.rows(_NEVER)
    played.keys = {raw.decode(errors="replace") async for raw in shop.redis.scan_iter(count=1000)}


def leaves(value: Any, path: str = "") -> Iterable[tuple[str, str]]:
    """Every text of an answer with where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path, str(key)
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
