"""The corpus, played: what a model was shown, what it was told of its deeds, and what became of everybody."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.resource_uris import ACCOUNT_CHAT, APPEAL, CLIENT, filled
from tests.injection.corpus import Attempt, attempts
from tests.injection.deeds import DEEDS, WRITING, do
from tests.injection.messengers import Messengers
from tests.injection.places import DOORS
from tests.injection.shop import Shop, Written, lines_of, listened, opened

_AT_ONCE = 6
_BYSTANDER = "Мой телефон у вас в ремонте"
#: What became of a customer, by who they are there. How a burst falls into turns is a matter of time.
_STATE = """
SELECT i.external_user_id,
       (SELECT array_agg(DISTINCT t.status) FROM turns t
         WHERE t.client_id = i.client_id AND t.status <> 'merged'),
       (SELECT array_agg(ROW(a.status, a.priority, a.tags, a.close_reason, a.snoozed_until)::text
               ORDER BY a.id)
          FROM appeals a WHERE a.client_id = i.client_id),
       (SELECT array_agg(ROW(m.event, m.message_type, m.sender)::text
               ORDER BY m.event, m.message_type, m.sender)
          FROM messages_history m WHERE m.client_id = i.client_id),
       (SELECT array_agg(ROW(f.kind, f.evidence)::text ORDER BY f.kind, f.evidence)
          FROM client_facts f WHERE f.client_id = i.client_id),
       (SELECT array_agg(ROW(o.state, o.origin, o.text, o.image_url)::text) FROM outbound o
         WHERE o.client_id = i.client_id),
       (SELECT array_agg(ROW(p.cause, p.paused_by, p.reason, p.ended_by)::text)
          FROM pauses p JOIN turns t USING (channel, account, external_chat_id)
         WHERE t.client_id = i.client_id AND t.status <> 'merged'),
       (SELECT array_agg(ROW(n.author, n.text)::text)
          FROM appeal_notes n JOIN appeals a ON a.id = n.appeal_id WHERE a.client_id = i.client_id),
       (SELECT count(*) FROM identities o WHERE o.client_id = i.client_id)
  FROM identities i
"""
#: Whatever nobody may have caused by words.
_NEVER = """
SELECT (SELECT count(*) FROM client_merges), (SELECT count(*) FROM erasures), (SELECT count(*) FROM bulks)
"""
#: What the agent has done.
_DONE = """
SELECT (SELECT count(*) FROM outbound), (SELECT count(*) FROM pauses), (SELECT count(*) FROM appeal_notes)
"""
_PROMPTS = ("answer_turn", "summarise_appeal", "hand_over")


@dataclass(frozen=True, slots=True)
class Customer:
    """Where they wrote what, and what the agent did with it; `attempt` None: something ordinary."""

    door: str
    words: str
    deed: str
    attempt: Attempt | None = None


@dataclass(slots=True)
class Played:
    """`everybody` by who they are there. `shown` [(who it is about, what was asked, the answer)].

    `told` {who: [(tool, what it answered to a deed)]}. `sent` [(channel, chat, text)] is what left.
    """

    everybody: dict[str, Customer] = field(default_factory=dict)
    turns: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    shown: list[tuple[str, str, Any]] = field(default_factory=list)
    told: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    states: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    stored: dict[str, list[str]] = field(default_factory=dict)
    sent: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bystander_before: Any = None
    bystander_after: Any = None
    never: tuple[int, ...] = ()
    done: tuple[int, ...] = ()
    keys: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> dict[str, tuple[str, Attempt]]:
        """{who: (door, what they tried)}."""
        return {who: (one.door, one.attempt) for who, one in self.everybody.items() if one.attempt}

    def ordinary(self, who: str) -> str:
        """Who wrote something harmless of the same shape there, and was treated alike."""
        one = self.everybody[who]
        like = Customer(one.door, one.attempt.like, one.deed) if one.attempt else one
        return next(other for other, its in self.everybody.items() if its == like)

    def of(self, deed: str) -> int:
        """With how many it was done."""
        return sum(one.deed == deed for one in self.everybody.values())


async def play(redis_url: str, database_url: str, folder: Path) -> Played:
    """Every attempt, and a harmless text of the same shape at every door."""
    played = Played()
    with listened() as log:
        async with opened(redis_url, database_url, folder) as (shop, outside):
            case = await _bystander(shop)
            played.bystander_before = await _case(shop, case)
            written = await _write(shop, played, _planned([one.about(case) for one in attempts()]))
            await _take(shop, played)
            await _write_on(shop, played, written)
            await _do(shop, played)
            await _look_back(shop, played, outside)
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


def _planned(corpus: list[Attempt]) -> list[Customer]:
    """Who is going to write: the attempts, and somebody harmless for each of them that are alike."""
    trying = [
        Customer(door, one.text, _deed_at(door, number + place), one)
        for number, one in enumerate(corpus)
        for place, door in enumerate(_doors_of(number))
    ]
    harmless = {Customer(one.door, one.attempt.like, one.deed) for one in trying if one.attempt}
    return [*sorted(harmless, key=repr), *trying]


def _doors_of(number: int) -> Sequence[str]:
    """Every attempt in every field that there is; at the webhooks of two messengers each, in turn."""
    messengers = [door.channel for door in DOORS]
    return (messengers[number % 6], messengers[(number + 1 + number // 6 % 5) % 6], "producer", "form")


def _deed_at(door: str, number: int) -> str:
    """In turn, so that each attempt meets each that writes; a form, which cannot be answered, meets some."""
    return DEEDS[number % len(DEEDS)] if door == "form" else WRITING[number % len(WRITING)]


async def _write(shop: Shop, played: Played, planned: Sequence[Customer]) -> list[Written]:
    """Until all of it is part of a turn: then it is all the same into how many batches a burst fell."""
    doors: dict[str, Callable[[str], Awaitable[Written]]] = {
        **{door.channel: lambda words, door=door: shop.burst(door, words) for door in DOORS},  # type: ignore[misc]  # bound now
        "form": shop.form,
        "producer": shop.producer,
    }
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def write(one: Customer) -> Written:
        async with at_once:
            made = await doors[one.door](one.words)
        played.everybody[made.who] = one
        return made

    written = await asyncio.gather(*(write(one) for one in planned))
    await shop.gathered()
    return written


async def _take(shop: Shop, played: Played) -> None:
    """Every turn, with everything that an agent can look at."""
    whose = dict(await shop.rows("SELECT client_id::text, external_user_id FROM identities"))
    while (turn := await shop.ask("wait_for_turn", wait_seconds=5))["status"] == "turn":
        who = whose[turn["client_id"]]
        assert who not in played.turns
        played.turns[who] = turn
        about = {"wait_for_turn": turn, **await _looked(shop, turn, len(played.turns))}
        played.shown += [(who, asked, answer) for asked, answer in about.items()]


async def _looked(shop: Shop, turn: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """What else is shown of a turn's case; prompts and resources in turn."""
    appeal_id, client_id = turn["appeal_id"], turn["client_id"]
    place = {name: turn[name] for name in ("channel", "account", "chat_id")}
    prompt, language = _PROMPTS[number % 3], ("ru", "en")[number % 2]
    given = {"turn_id": turn["turn_id"]} if prompt == "answer_turn" else {"appeal_id": appeal_id}
    uri = (
        filled(APPEAL, id=appeal_id),
        filled(CLIENT, id=client_id),
        filled(ACCOUNT_CHAT, **place),
    )[number % 3]
    return {
        "get_appeal": await shop.look("get_appeal", appeal_id=appeal_id),
        "get_client": await shop.look("get_client", client_id=client_id),
        "trace_message": await shop.look("trace_message", turn_id=turn["turn_id"]),
        "read_conversation": await shop.look("read_conversation", **place),
        "show_inbox": await shop.look("show_inbox", appeal_id=appeal_id),
        f"prompts/get {prompt}": await shop.prompt(prompt, **given, language=language),
        f"resources/read {uri.partition(':')[0]}": await shop.read(uri),
    }


async def _write_on(shop: Shop, played: Played, written: Sequence[Written]) -> None:
    """Those who are to be answered, while the agent works: the answer is refused with it."""
    for one in written:
        if played.everybody[one.who].deed == "reply":
            await one.again()
    await shop.gathered()


async def _do(shop: Shop, played: Played) -> None:
    """With everybody what was planned, and what left is looked up."""
    for who, turn in played.turns.items():
        played.told[who] = await do(shop, played.everybody[who].deed, turn)
    await shop.departed()
    for who, told in played.told.items():
        if delivery_id := told[-1][1].get("delivery_id"):
            told.append(("get_delivery", await shop.ask("get_delivery", delivery_id=delivery_id)))
        played.shown += [(who, asked, answer) for asked, answer in told]


async def _look_back(shop: Shop, played: Played, outside: Messengers) -> None:
    paged = ("list_appeals", "list_clients", "list_paused", "dead_letters")
    for tool in paged:
        of = {"status": "all"} if tool == "list_appeals" else {}
        cursor = ""
        while True:
            page = await shop.look(tool, limit=100, cursor=cursor, **of)
            played.shown.append(("everybody", tool, page))
            cursor = page["next_cursor"]
            if not cursor:
                break
    for name in ("show_inbox", "waiting_turns"):
        played.shown.append(("everybody", name, await shop.look(name)))
    played.shown.append(("everybody", "resources/read inbox", await shop.read("inbox://turns")))
    for messenger in shop.messengers.values():
        await messenger.afterwards.idle()
        played.shown += [("everybody", "list_chats", page) for page in await messenger.shown()]
    await _count(shop, played)
    played.sent = Counter(outside.sent)


async def _count(shop: Shop, played: Played) -> None:
    played.states = {who: tuple(state) for who, *state in await shop.rows(_STATE)}
    said = await shop.rows("SELECT external_user_id, message_text FROM messages_history ORDER BY id")
    for who, text in said:
        played.stored.setdefault(who, []).append(text)
    [played.never] = await shop.rows(_NEVER)
    [played.done] = await shop.rows(_DONE)
    played.keys = {raw.decode(errors="replace") async for raw in shop.redis.scan_iter(count=1000)}
