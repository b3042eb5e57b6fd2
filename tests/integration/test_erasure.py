"""A client is forgotten everywhere: every store is searched for leftovers, and others keep what is theirs."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from core.channel import Arrival
from core.chats import Chats, Window, Windows
from core.deadletters import DeadLetters
from core.ids import DEFAULT_ACCOUNT
from core.inbox import Inbox, Pace
from core.keys import Keys
from core.known_chats import KnownChats
from core.messages import IncomingMessage, OutgoingMessage
from core.spool import Spool
from orchestrator.batching import ChatContext
from orchestrator.erasure import Erasure
from orchestrator.merges import merge
from orchestrator.person import KEPT, OWNED, Person
from orchestrator.redis_parts import parts_of
from orchestrator.store.catalogue import tables
from orchestrator.store.errors import Erased
from orchestrator.store.outbound import insert_outbound
from orchestrator.traces import Traces
from tests.integration.chats_fixture import ManualClock
from tests.integration.test_resolve_scene import Scene, message, scene

#: Stands in every name and word of the client who is erased, and nowhere else.
MARKER = "ZX9MARKER"
PHONE = "+79161234567"
KEYS = Keys()
EXEMPT = {KEYS.erased()}


class House:
    """Redis and PostgreSQL with everything that a client can leave there."""

    def __init__(self, here: Scene, redis: Redis) -> None:
        self.here = here
        self.redis = redis
        self.clock = ManualClock(round(here.now.timestamp() * 1000))
        self.erasure = Erasure(here.pool, redis, KEYS, self.clock)

    async def leftovers(self, *words: str) -> list[str]:
        """Where any of the words stands: every key and value of Redis, every row of every table."""
        found = []
        async for raw in self.redis.scan_iter():
            key = raw.decode()
            texts = [raw, *(text for _, text in await parts_of(self.redis, key))]
            found += [f"redis {key}" for text in texts if any(word.encode() in text for word in words)]
        for name in await tables(self.here.pool):
            rows = await self.here.rows(f"SELECT t::text FROM {name} AS t")  # noqa: S608 - a table of ours
            found += [f"{name} {row}" for (row,) in rows if any(word in row for word in words)]
        return found

    async def everything(self, *words: str) -> list[str]:
        return sorted(await self.leftovers(*words))


@pytest.fixture
async def house(redis_url: str, database_url: str) -> AsyncIterator[House]:
    async with Redis.from_url(redis_url) as redis, scene(database_url, connections=10) as here:
        yield House(here, redis)


def writes(who: str, number: str, **more: Any) -> IncomingMessage:
    given: dict[str, Any] = {
        "chat": f"chat-of-{who}",
        "external_user_id": f"user-{who}",
        "client_name": f"Name {who}",
        "client_email": f"{who}@example.org",
        **more,
    }
    return message(f"{who}-{number}", f"words of {who} {number}", **given)


async def lives(house: House, who: str, phone: str) -> int:
    """A client who has left something in every store, by the system's own doors where there is one."""
    here = house.here
    vouched = ChatContext(client_phone=phone)
    client = (await here.resolve(writes(who, "1"), context=vouched)).client_id or 0
    await here.resolve(writes(who, "2", channel="max", second=1, client_phone=phone))
    await here.resolve(
        message(
            f"form-{who}",
            f"form of {who}",
            channel="form",
            chat=phone,
            external_user_id=phone,
            client_phone=phone,
        )
    )
    while (turn := await here.lease()) is not None:
        await here.reply(turn, f"answer in {turn.turn.external_chat_id}")
    await here.resolve(writes(who, "3", second=5))
    await _rows(house, who, client)
    await _queues(house, who)
    await _letters(house, who, phone)
    await _memories(house, who)
    return client


async def _rows(house: House, who: str, client: int) -> None:
    """What other parts of the system write beside a client."""
    add = house.here.pool.execute
    chat = ("avito", "default", f"chat-of-{who}")
    await add(
        "INSERT INTO pauses (channel, account, external_chat_id, cause, reason, started_at, version) "
        "VALUES ($1, $2, $3, 'command', $4, now(), 1)",
        *chat,
        f"because {who}",
    )
    await add("INSERT INTO early_receipts VALUES ($1, $2, $3, $4, 'read', now())", *chat, f"{who}-sent")
    await add(
        "INSERT INTO appeal_notes (appeal_id, at, author, text) SELECT id, now(), 'olga', $2 FROM appeals "
        "WHERE client_id = $1",
        client,
        f"note on {who}",
    )
    await add(
        "INSERT INTO appeal_events (appeal_id, at, actor, event, from_status, to_status, reason) "
        "SELECT id, now(), $2, 'x', 'open', 'open', $2 FROM appeals WHERE client_id = $1",
        client,
        who,
    )
    await add(
        "INSERT INTO bulks (id, channel, account, digest, total, refused, created_at) "
        "VALUES (gen_random_uuid(), 'avito', 'default', '', 1, $1, now())",
        [{"chat_id": f"chat-of-{who}", "reason": "closed"}, {"chat_id": "of-nobody", "reason": "closed"}],
    )
    await add(
        "INSERT INTO media (message_id, source, kind, source_url, name, due_at, created_at, updated_at) "
        "SELECT id, 's', 'image', $2, $2, now(), now(), now() FROM messages_history WHERE client_id = $1",
        client,
        f"https://files.example/{who}",
    )


async def _queues(house: House, who: str) -> None:
    waits = writes(who, "queued", second=2).model_dump_json()
    gathers = writes(who, "gathers", second=2).model_dump_json()
    sends = OutgoingMessage.model_validate(
        {"channel": "avito", "external_chat_id": f"chat-of-{who}", "text": f"list to {who}"}
    ).model_dump_json()
    windows = Windows(Window(20, 300))
    incoming = Chats(house.redis, KEYS.incoming, windows=windows, lease_ms=60_000, model=IncomingMessage)
    outgoing = Chats(house.redis, KEYS.outgoing, windows=windows, lease_ms=60_000, model=OutgoingMessage)
    for chats, keys, raw in ((incoming, KEYS.incoming, gathers), (outgoing, KEYS.outgoing, sends)):
        await house.redis.rpush(keys.source, raw)
        await chats.collect(house.clock.now_ms())
    await house.redis.rpush(KEYS.incoming.source, waits)
    await house.redis.rpush(KEYS.incoming.taken, waits)
    for number in ("queued", "gathers"):
        await house.redis.set(KEYS.seen("avito", "default", f"{who}-{number}:postback:1"), 1)
    await house.redis.rpush(KEYS.outgoing.source, sends)


async def _letters(house: House, who: str, phone: str) -> None:
    dead = DeadLetters(house.redis, KEYS, house.clock)
    await dead.bury("incoming", "unstorable", "", writes(who, "dead").model_dump_json().encode())
    sent = {"channel": "avito", "external_chat_id": f"chat-of-{who}", "text": who}
    await dead.bury("outgoing", "failed", "", json.dumps(sent).encode())
    await dead.bury("webhook:avito", "unknown", "", json.dumps({"payload": [sent]}).encode())
    await dead.bury("webhook:form", "unknown", "", f"phone={phone}&name={who}".encode())
    changed = await dead.find(
        await dead.bury("webhook:avito", "unknown", "", json.dumps({"payload": [sent]}).encode())
    )
    assert changed is not None
    await dead.edit(changed, b'{"now": "nobody"}', by="operator")
    kept = await dead.find(changed.letter.id)
    assert kept is not None
    await dead.replayed(kept, by="operator")


async def _memories(house: House, who: str) -> None:
    place, chat = ("avito", "default"), f"chat-of-{who}"
    words = f"words of {who}"
    for key in (
        KEYS.seen(*place, f"message:{who}-1"),
        KEYS.seen(*place, f"read:{chat}:5"),
        KEYS.sent(*place, f"{who}-1"),
        KEYS.chat_facts(*place, chat),
    ):
        await house.redis.set(key, words)
    for key in (KEYS.sending(*place, chat), KEYS.paused(*place, chat)):
        await house.redis.hset(key, "x", words)
    delivery = await house.here.value("SELECT id FROM outbound WHERE external_chat_id = $1", chat)
    await house.redis.hset(KEYS.idempotency(*place, str(delivery)), mapping={"ids": json.dumps([f"{who}-9"])})
    known = KnownChats(house.redis, KEYS, "avito")
    await known.note(DEFAULT_ACCOUNT, [Arrival(writes(who, "1"), f"m:{who}")])
    await house.redis.xadd("stream:turns", {"chat_id": chat, "text": words})
    await house.redis.sadd("something:new", f"{chat} {words}")


@pytest.mark.promise("erased")
async def test_every_table_says_what_an_erasure_does_with_it(house: House) -> None:
    """A table that is added later must be in one of the lists, or this fails."""
    assert {*OWNED, *KEPT} >= {*await tables(house.here.pool)}
    assert not {*OWNED} & {*KEPT}


@pytest.mark.promise("erased")
async def test_nothing_of_an_erased_client_is_left_and_others_keep_theirs(house: House) -> None:
    anna = await lives(house, MARKER, PHONE)
    other = await lives(house, "boris", "+79167654321")
    planted = await house.leftovers(MARKER, PHONE.lstrip("+"))
    stores = {one.split(" ")[0] if not one.startswith("redis") else one.split(":")[0] for one in planted}
    assert stores >= {
        "clients", "identities", "client_facts", "messages_history", "outbound", "turns", "appeals", "pauses",
        "early_receipts", "appeal_notes", "appeal_events", "bulks", "media", "redis queue", "redis dead",
        "redis seen", "redis sent", "redis facts", "redis sending", "redis paused", "redis last_seen",
        "redis chats", "redis stream", "redis something",
    }  # fmt: skip
    before = await house.everything("boris")
    said = await house.here.value("SELECT count(*) FROM messages_history WHERE client_id = $1", anna)

    report = await house.erasure.erase(anna, by="olga")

    assert await house.leftovers(MARKER, PHONE.lstrip("+")) == []
    assert [one for one in await house.everything("boris") if "bulks" not in one] == [
        one for one in before if "bulks" not in one
    ]
    assert await house.here.value("SELECT count(*) FROM clients WHERE id = $1", other) == 1
    assert report is not None
    assert (report.tables["messages_history"], report.tables["clients"]) == (said, 1)
    assert report.redis["dead"] == 5


@pytest.mark.promise("erased")
async def test_letters_are_compared_as_what_they_are(house: House) -> None:
    """A body that is no text is searched as well; another's message that quotes the number is another's."""
    anna = await lives(house, MARKER, PHONE)
    dead = DeadLetters(house.redis, KEYS, house.clock)
    await dead.bury("webhook:avito", "unreadable", "", b"\xff" + f" chat-of-{MARKER}".encode())
    quotes = writes("boris", "quotes").model_copy(update={"text": f"call {PHONE}"})
    kept = await dead.bury("incoming", "unstorable", "", quotes.model_dump_json().encode())
    elsewhere = await dead.bury("webhook:vk", "unknown", "", f"chat-of-{MARKER}".encode())
    await dead.bury("webhook:instagram", "unknown", "", f"phone: {PHONE}".encode())

    await house.erasure.erase(anna)

    assert [one.id for one in await dead.list("incoming")] == [kept]
    assert await dead.list("webhook:avito") == []
    assert await dead.list("webhook:instagram") == []
    assert [one.id for one in await dead.list("webhook:vk")] == [elsewhere]


@pytest.mark.promise("erased")
async def test_a_merged_client_is_erased_with_both_sides(house: House) -> None:
    anna = await lives(house, MARKER, PHONE)
    twin = (await house.here.resolve(writes(f"twin{MARKER}", "1", channel="vk"))).client_id or 0
    await merge(house.here.pool, twin, anna, why=f"why {MARKER}", now=house.here.now)

    await house.erasure.erase(anna)

    assert await house.leftovers(MARKER, PHONE.lstrip("+")) == []


@pytest.mark.promise("erased")
async def test_old_words_that_come_once_more_are_dropped_and_new_ones_are_a_strangers(house: House) -> None:
    """From a spool that drains late, or from the history that the gap sweep reads."""
    first = await house.here.resolve(writes(MARKER, "1"))
    await house.erasure.erase(first.client_id or 0)
    operator = message(
        "op", f"to {MARKER}", chat=f"chat-of-{MARKER}", event="operator_message", external_user_id="shop"
    )

    again = await house.here.resolve(writes(MARKER, "1"), writes(MARKER, "0"), operator)
    edit = await house.here.resolve(writes(MARKER, "1", event="edit"))

    assert (again.client_id, again.turn_id, again.new_messages) == (None, None, 0)
    assert edit.client_id is None
    assert await house.leftovers(MARKER) == []
    new = house.here.now + timedelta(hours=1)
    later = await house.here.resolve(writes(MARKER, "9", timestamp=new))
    assert later.turn_id is not None
    assert later.client_id != first.client_id


@pytest.mark.promise("erased")
async def test_a_spool_that_drains_later_brings_nothing_back(house: House, tmp_path: Path) -> None:
    """Nor does what a sweep reads in the vendor's history and notes in our list of chats."""
    first = await house.here.resolve(writes(MARKER, "1"))
    old = Arrival(writes(MARKER, "2"), f"message:{MARKER}-2")
    async with Redis.from_url("redis://127.0.0.1:1/0") as away:
        inbox = Inbox(away, KEYS, Spool(tmp_path / "spool.db"), pace=Pace(0.2, 60))
        async with inbox.run():
            assert await inbox.put([old]) == ["spooled"]
    await house.erasure.erase(first.client_id or 0)

    inbox = Inbox(house.redis, KEYS, Spool(tmp_path / "spool.db"))
    async with inbox.run():
        await inbox.drained()
    [raw] = await house.redis.lrange(KEYS.incoming.source, 0, -1)
    assert (await house.here.resolve(IncomingMessage.model_validate_json(raw))).client_id is None
    await house.redis.delete(KEYS.incoming.source)
    await house.redis.delete(KEYS.seen("avito", "default", old.event_key))
    known = KnownChats(house.redis, KEYS, "avito")
    await known.note(DEFAULT_ACCOUNT, [old])
    assert await house.leftovers(MARKER) == []

    later = writes(MARKER, "3", timestamp=house.here.now + timedelta(hours=1))
    await known.note(DEFAULT_ACCOUNT, [Arrival(later, "new")])
    assert await house.leftovers(MARKER) != []


@pytest.mark.promise("erased")
async def test_a_batch_in_work_loses_its_lease_and_a_new_message_stays(house: House) -> None:
    """The worker's ack must not trim what was written after the erasure."""
    here = house.here
    client = (await here.resolve(writes(MARKER, "1"))).client_id or 0
    windows = Windows(Window(0, 0))
    chats = Chats(house.redis, KEYS.incoming, windows=windows, lease_ms=60_000, model=IncomingMessage)
    await house.redis.rpush(KEYS.incoming.source, writes(MARKER, "2").model_dump_json())
    await chats.collect(house.clock.now_ms())
    [lease] = (await chats.take(house.clock.now_ms(), 5)).leases
    await house.erasure.erase(client)
    new = writes(MARKER, "3", timestamp=here.now + timedelta(hours=1))
    await house.redis.rpush(KEYS.incoming.source, new.model_dump_json())
    await chats.collect(house.clock.now_ms())

    assert await chats.ack(lease, len(lease.items), house.clock.now_ms()) is False
    [again] = (await chats.take(house.clock.now_ms() + 1, 5)).leases
    assert [one.external_message_id for one in chats.read(again, 0).messages] == [f"{MARKER}-3"]


@pytest.mark.promise("erased")
async def test_a_leased_turn_and_a_message_on_its_way_end(house: House) -> None:
    here = house.here
    client = (await here.resolve(writes(MARKER, "1"))).client_id or 0
    turn = await here.leased()
    sent = OutgoingMessage.model_validate(
        {"channel": "avito", "external_chat_id": f"chat-of-{MARKER}", "text": f"to {MARKER}"}
    )
    await insert_outbound(here.pool, sent, origin="list", now=here.now)

    await house.erasure.erase(client)

    assert type(await here.reply(turn)).__name__ == "StaleLease"
    with pytest.raises(Erased):
        await insert_outbound(here.pool, sent, origin="list", now=here.now)
    assert await house.leftovers(MARKER) == []


class Breaks(Exception):
    """The process dies here."""


class Dying(Traces):
    """Empties Redis, and dies before anything else is done."""

    async def remove(self, whose: Person, now_ms: int) -> Counter[str]:
        await super().remove(whose, now_ms)
        raise Breaks


@pytest.mark.promise("erased")
async def test_an_erasure_that_broke_off_is_finished_by_a_repeat(house: House) -> None:
    anna = await lives(house, MARKER, PHONE)

    broken = Erasure(house.here.pool, house.redis, KEYS, house.clock, traces=Dying(house.redis, KEYS))
    with pytest.raises(Breaks):
        await broken.erase(anna)
    assert await house.here.value("SELECT finished_at FROM erasures") is None

    report = await house.erasure.erase(anna)
    again = await house.erasure.erase(anna)

    assert await house.leftovers(MARKER, PHONE.lstrip("+")) == []
    assert report is not None
    assert again is not None
    assert again.tables == report.tables
    assert await house.erasure.erase(404) is None
    assert await house.here.value("SELECT count(*) FROM erasures") == 1


@pytest.mark.promise("exported")
async def test_an_export_has_everything_that_an_erasure_would_take(house: House) -> None:
    anna = await lives(house, MARKER, PHONE)
    await lives(house, "boris", "+79167654321")
    planted = await house.leftovers(MARKER)

    export = await house.erasure.export(anna)

    assert export is not None
    in_tables = {one.split(" ")[0] for one in planted if not one.startswith("redis")} - {"bulks"}
    assert {name for name, rows in export.tables.items() if MARKER in json.dumps(rows)} == in_tables
    told = json.dumps([export.tables, export.queued, export.redis], ensure_ascii=False, default=str)
    assert "boris" not in told
    assert len(export.queued) == 5
    for row in await house.here.rows("SELECT message_text FROM messages_history WHERE client_id = $1", anna):
        assert row[0] in told
    assert await house.erasure.export(404) is None
