"""One call answers what happened to a message, from the webhook to the read receipt."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from core.chats import member_name
from core.jsontext import UnreadableJSON, read_json
from core.keys import Keys
from core.letter_search import Head, LetterSearch
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql
from orchestrator.trace_stages import (
    Row,
    Stage,
    in_order,
    stages_of_delivery,
    stages_of_message,
    stages_of_turn,
    what_now,
)

#: The most rows of each kind: a trace is read by a person or a model.
_MOST = 100
#: Messages at the head of a list that are looked through for one that nobody has collected yet.
_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A message by its vendor's id."""

    channel: str
    account: str
    chat: str
    message: str


@dataclass(slots=True)
class Traced:
    """What is known; `now` says in words what it waits for."""

    turn_id: int | None = None
    client_id: int | None = None
    appeal_id: int | None = None
    deliveries: list[UUID] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    letters: list[Head] = field(default_factory=list)
    repeats: int = 0
    now: list[str] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        return bool(self.stages or self.letters)


class Tracing:
    """Reads only; nothing on the way of a message waits for it."""

    def __init__(self, pool: Pool, redis: Redis, keys: Keys, search: LetterSearch) -> None:
        self._pool = pool
        self._redis = redis
        self._keys = keys
        self._search = search

    async def of_message(self, asked: Asked) -> Traced:
        """Its own way, then that of its turn and of the answer; or where it still waits."""
        chat = (asked.channel, asked.account, asked.chat)
        row = await self._pool.fetchrow(sql("trace_message"), *chat, asked.message)
        if row is None:
            traced = await self._still_waiting(asked)
        elif row["outbound_id"] is not None:
            traced = await self.of_delivery(row["outbound_id"])
        else:
            traced = await self._traced(message_id=row["id"], turn_id=row["turn_id"])
        traced.letters += await self._search.about(*chat, asked.message)
        return traced

    async def of_turn(self, turn_id: int) -> Traced:
        """Every message of it, who had it, and the answer."""
        return await self._traced(turn_id=turn_id)

    async def of_delivery(self, delivery_id: UUID) -> Traced:
        """What we sent, and the turn that it answers."""
        turn_id = await self._pool.fetchval("SELECT turn_id FROM outbound WHERE id = $1", delivery_id)
        return await self._traced(turn_id=turn_id, delivery_id=delivery_id)

    async def _traced(
        self, *, message_id: int | None = None, turn_id: int | None = None, delivery_id: UUID | None = None
    ) -> Traced:
        turn = await self._pool.fetchrow(sql("get_turn"), turn_id) if turn_id else None
        messages = await self._pool.fetch(sql("traced_messages"), message_id, turn_id, _MOST)
        leases = await self._pool.fetch(sql("traced_leases"), turn_id, _MOST) if turn else []
        deliveries = await self._pool.fetch(sql("traced_deliveries"), delivery_id, turn_id, _MOST)
        steps = await self._steps([row["id"] for row in deliveries])
        traced = _whose(turn, deliveries)
        for row in messages:
            repeats = await self._repeats(row)
            traced.repeats += repeats
            traced.stages += stages_of_message(row, repeats)
        if turn is not None:
            traced.stages += stages_of_turn(turn, leases[::-1])
        for row in deliveries:
            traced.stages += stages_of_delivery(row, steps[row["id"]])
            traced.letters += await self._search.about_delivery(str(row["id"]))
        traced.stages = in_order(traced.stages)
        traced.now = list(what_now(turn, deliveries))
        return traced

    async def _steps(self, deliveries: Sequence[UUID]) -> dict[UUID, list[Row]]:
        steps: dict[UUID, list[Row]] = defaultdict(list)
        if deliveries:
            for row in reversed(await self._pool.fetch(sql("traced_steps"), deliveries, _MOST)):
                steps[row["outbound_id"]].append(row)
        return steps

    async def _repeats(self, row: Row) -> int:
        """How often its vendor delivered it again, as far as that is remembered (a week)."""
        event_key = row["meta"].get("event_key")
        if not event_key:
            return 0
        came = await self._redis.get(self._keys.seen(row["channel"], row["account"], event_key))
        return max(0, int(came or 1) - 1)

    async def _still_waiting(self, asked: Asked) -> Traced:
        """A message that is in no turn yet: on the queue, or being gathered."""
        queue, member = self._keys.incoming, member_name(asked.channel, asked.account, asked.chat)
        if said := await self._find(queue.items + member, asked):
            due = await self._redis.zscore(queue.deadlines, member)
            return _waiting(said, asked, "gathering", _moment(due) if due else None)
        for key in (queue.taken, queue.source):
            if said := await self._find(key, asked):
                return _waiting(said, asked, "stored", None)
        return Traced()

    async def _find(self, key: str, asked: Asked) -> dict[str, Any] | None:
        raws = await self._redis.lrange(key, 0, _LOOKED_AT - 1)
        return next(filter(None, (_is(raw, asked) for raw in raws)), None)


def _whose(turn: Row | None, deliveries: Sequence[Row]) -> Traced:
    known = turn or next(iter(deliveries), None)
    return Traced(
        turn_id=turn["id"] if turn else None,
        client_id=known["client_id"] if known else None,
        appeal_id=known["appeal_id"] if known else None,
        deliveries=[row["id"] for row in deliveries],
    )


def _waiting(said: dict[str, Any], asked: Asked, stage: str, until: datetime | None) -> Traced:
    """A message that no turn has yet; the times are its own words."""
    received = _time(said.get("received_at"))
    stages = [Stage(received, "received", asked.message)] if received else []
    if at := received or _time(said.get("timestamp")):
        stages.append(Stage(at, stage, asked.message, until=until))
    if stage == "stored":
        return Traced(stages=stages, now=["It waits to be collected."])
    ends = f" until {until:%Y-%m-%d %H:%M:%S} UTC" if until else ""
    return Traced(stages=stages, now=[f"It is being gathered{ends}."])


def _is(raw: bytes | str, asked: Asked) -> dict[str, Any] | None:
    """What a raw message says, when it is the one that was asked for."""
    try:
        said = read_json(raw)
    except UnreadableJSON:
        return None
    if not isinstance(said, dict) or str(said.get("external_message_id")) != asked.message:
        return None
    here = (said.get("channel"), said.get("account") or "default", str(said.get("external_chat_id")))
    return said if here == (asked.channel, asked.account, asked.chat) else None


def _time(value: object) -> datetime | None:
    """An ISO time of a message that nobody has checked yet."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(unix_ms: float) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
