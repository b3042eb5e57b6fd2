"""Who watches a case, a chat or a client hears of every change, once it is committed, and of nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from mcp import Client
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from redis.exceptions import RedisError

from core.auth import Caller
from core.bell import Bell
from core.clock import SystemClock
from core.keys import Keys
from core.resource_bus import ResourceBus
from core.resource_names import own_names
from orchestrator.change_teller import ChangeTeller
from orchestrator.merges import merge, unmerge
from orchestrator.store import outbound
from tests.integration.hub_server import agent_of, replica
from tests.integration.intake_fixture import connect, line_to
from tests.integration.test_deliver import Post, outgoing
from tests.integration.test_deliver import opened as posting
from tests.integration.test_hub import CHAT, Agents, lease, opened
from tests.integration.test_resolve_scene import Scene, message, scene

pytestmark = pytest.mark.promise("changes")

OPERATOR = Caller("anna", "operator")
KEY = "changes:test"


class Watcher:
    """One who watches everything at the hub, and what they heard since they looked last."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.here: Scene = agents.here
        self._heard: list[str] = []
        self.bus = ResourceBus(agents.desk.line.redis, KEY)
        self.bus.subscribe(self._hear)
        self.clock = agents.desk.line.clock
        self.teller = ChangeTeller(self.here.pool, self.bus, agents.desk.bell, self.clock)

    async def hears(self) -> set[str]:
        """The resources that have changed; each is told once however often it did."""
        await self.teller.tell_all()
        heard, self._heard = self._heard, []
        assert len(set(heard)) == len(heard)
        return {_short(uri) for uri in heard}

    async def turn(self) -> dict[str, Any]:
        """A customer has written and an agent has the turn; all that is old news."""
        await self.agents.customer("Сколько?", client_name="Анна")
        turn = await self.agents.turn()
        await self.hears()
        return turn

    async def settle(self, state: str) -> None:
        await self.here.pool.execute("UPDATE outbound SET state = $1, updated_at = now()", state)

    def _hear(self, event: ServerEvent) -> None:
        self._heard.append(cast(ResourceUpdated, event).uri)


def _short(uri: str) -> str:
    """appeal, client or chat: of one customer there is one of each."""
    return uri.partition(":")[0]


@asynccontextmanager
async def watching(redis_url: str, database_url: str) -> AsyncIterator[Watcher]:
    async with opened(redis_url, database_url) as agents:
        yield Watcher(agents)


Deed = Callable[[Watcher, dict[str, Any]], Awaitable[object]]


async def _writes_on(one: Watcher, _: dict[str, Any]) -> None:
    await one.agents.customer("И ещё")


async def _edits(one: Watcher, _: dict[str, Any]) -> None:
    await one.here.resolve(message(f"{CHAT}-0", "Почём?", event="edit", second=9))


async def _deletes(one: Watcher, _: dict[str, Any]) -> None:
    await one.here.resolve(message(f"{CHAT}-0", event="delete", second=9))


async def _reacts(one: Watcher, _: dict[str, Any]) -> None:
    await one.here.resolve(message(f"{CHAT}-0", "👍", event="reaction", second=9))


async def _operator_writes(one: Watcher, _: dict[str, Any]) -> None:
    await one.here.resolve(message("by-hand", "Сам отвечу", event="operator_message", second=50))


async def _replies(one: Watcher, turn: dict[str, Any]) -> None:
    await one.agents.reply(turn)


async def _notes(one: Watcher, turn: dict[str, Any]) -> None:
    await one.agents.call("update_appeal", appeal_id=turn["appeal_id"], note="Перезвонить")


async def _tags(one: Watcher, turn: dict[str, Any]) -> None:
    await one.agents.call("update_appeal", appeal_id=turn["appeal_id"], add_tags=["refund"])


async def _closes(one: Watcher, turn: dict[str, Any]) -> None:
    await one.agents.call("close_appeal", appeal_id=turn["appeal_id"])


async def _comes_back(one: Watcher, turn: dict[str, Any]) -> None:
    await _closes(one, turn)
    await one.hears()
    await one.agents.call("update_appeal", appeal_id=turn["appeal_id"], status="open")


async def _puts_off(one: Watcher, turn: dict[str, Any]) -> None:
    until = (one.agents.now + timedelta(hours=1)).isoformat()
    await one.agents.call("update_appeal", appeal_id=turn["appeal_id"], status="snoozed", snooze_until=until)


async def _calls_back(one: Watcher, turn: dict[str, Any]) -> None:
    said = {"channel": "avito", "chat_id": turn["chat_id"], "text": "Завтра", "sender": "agent"}
    sent = await one.agents.asked_by(OPERATOR, "send_message", **said)
    await one.hears()
    await one.agents.asked_by(OPERATOR, "cancel_delivery", delivery_id=sent["delivery_id"])


async def _was_an_echo(one: Watcher, turn: dict[str, Any]) -> None:
    sent = await one.agents.reply(turn)
    await one.here.resolve(message("v-1", "Да", event="operator_message", second=50))
    await one.hears()
    await outbound.mark_sent(one.here.pool, UUID(sent["delivery_id"]), ["v-1"], now=one.here.now)


async def _shows_another_ad(one: Watcher, _: dict[str, Any]) -> None:
    await one.here.pool.execute("UPDATE appeals SET ad_title = 'iPhone 12'")


async def _looks_again(one: Watcher, _: dict[str, Any]) -> None:
    await one.here.pool.execute("UPDATE appeals SET look_again_at = now()")


async def _hands_off(one: Watcher, turn: dict[str, Any]) -> None:
    await one.agents.call("hand_off", **lease(turn), reason="asked")


async def _pauses(one: Watcher, turn: dict[str, Any]) -> None:
    await one.agents.asked_by(OPERATOR, "pause", channel="avito", chat_id=turn["chat_id"])


async def _erases(one: Watcher, turn: dict[str, Any]) -> None:
    given = {"client_id": turn["client_id"], "confirm": turn["client_id"]}
    await one.agents.asked_by(OPERATOR, "erase_client", **given)


@pytest.mark.parametrize(
    ("deed", "changed"),
    [
        (_writes_on, {"appeal", "chat"}),
        (_edits, {"appeal", "chat"}),
        (_deletes, {"appeal", "chat"}),
        (_reacts, {"appeal", "chat"}),
        (_operator_writes, {"appeal", "chat", "client"}),
        (_replies, {"appeal", "chat", "client"}),
        (_notes, {"appeal"}),
        (_tags, {"appeal", "client"}),
        (_puts_off, {"appeal", "client"}),
        (_shows_another_ad, {"appeal", "client"}),
        (_closes, {"appeal", "chat", "client"}),
        (_comes_back, {"appeal", "chat", "client"}),
        (_calls_back, {"appeal", "chat"}),
        (_was_an_echo, {"appeal", "chat", "client"}),
        (_looks_again, set()),
        (_hands_off, {"appeal", "chat", "client"}),
        (_pauses, {"appeal", "chat", "client"}),
        (_erases, {"appeal", "client"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
async def test_who_watches_hears_of_it(
    redis_url: str, database_url: str, deed: Deed, changed: set[str]
) -> None:
    """A client changes with the status of their cases, which a card shows."""
    async with watching(redis_url, database_url) as one:
        turn = await one.turn()
        await deed(one, turn)
        heard, then = await one.hears(), await one.hears()

    assert (heard, then) == (changed, set())


async def test_a_new_customer_is_a_new_client_case_and_chat(redis_url: str, database_url: str) -> None:
    async with watching(redis_url, database_url) as one:
        await one.agents.customer("Сколько?")

        assert await one.hears() == {"appeal", "chat", "client"}


async def test_a_name_is_told_to_whoever_shows_it(redis_url: str, database_url: str) -> None:
    async with watching(redis_url, database_url) as one:
        await one.turn()
        await one.here.pool.execute("UPDATE clients SET updated_at = now()")
        nothing = await one.hears()
        await one.here.pool.execute("UPDATE clients SET name = 'Анна Петрова'")
        heard = await one.hears()

    assert (nothing, heard) == (set(), {"appeal", "chat", "client"})


@pytest.mark.parametrize("state", ["sending", "sent", "delivered", "read", "failed", "unknown"])
async def test_a_chat_hears_what_becomes_of_our_words(redis_url: str, database_url: str, state: str) -> None:
    async with watching(redis_url, database_url) as one:
        await one.agents.reply(await one.turn())
        await one.hears()
        await one.settle(state)
        told = await one.hears()
        await one.settle(state)

        assert (told, await one.hears()) == ({"chat"}, set())


async def test_both_sides_hear_of_a_merge_and_of_its_undoing(redis_url: str, database_url: str) -> None:
    async with watching(redis_url, database_url) as one:
        here, heard = one.here, list[str]()
        one.bus.subscribe(lambda event: heard.append(cast(ResourceUpdated, event).uri))
        for name in ("a", "b"):
            await here.resolve(message(name, chat=name, external_user_id=name))
        ids = await here.rows("SELECT id FROM clients ORDER BY id")
        clients = [f"client://{number}" for (number,) in ids]
        cases = [f"appeal://{number}" for (number,) in await here.rows("SELECT id FROM appeals")]
        numbers = [number for (number,) in ids]
        await one.teller.tell_all()
        heard.clear()
        made = await merge(here.pool, numbers[0], numbers[1], now=here.now)
        await one.teller.tell_all()
        merged = set(heard)
        heard.clear()
        await unmerge(here.pool, made.id, now=here.now)
        await one.teller.tell_all()

    assert {*clients, *cases} <= merged
    assert {*clients, *cases} <= set(heard)


async def test_nothing_is_told_before_it_is_committed_or_when_it_never_is(
    redis_url: str, database_url: str
) -> None:
    async with watching(redis_url, database_url) as one:
        await one.turn()
        async with one.here.pool.acquire() as connection:
            deed = connection.transaction()
            await deed.start()
            await connection.execute("UPDATE appeals SET priority = 'high'")
            during = await one.hears()
            await deed.commit()
            after = await one.hears()
            undone = connection.transaction()
            await undone.start()
            await connection.execute("UPDATE appeals SET priority = 'low'")
            await undone.rollback()
        never = await one.hears()

    assert (during, after, never) == (set(), {"appeal", "client"}, set())


async def test_a_case_is_the_open_one_in_all_chats_of_its_client(redis_url: str, database_url: str) -> None:
    """A case is named by its latest chat; the others show its number too, and the name."""
    async with watching(redis_url, database_url) as one:
        heard = list[str]()
        one.bus.subscribe(lambda event: heard.append(cast(ResourceUpdated, event).uri))
        for chat in ("first", "second"):
            await one.agents.customer("Сколько?", chat=chat)
        await one.here.resolve(message("0", chat="another", external_user_id="boris"))
        for change in (
            "UPDATE appeals SET status = 'resolved', closed_at = now() WHERE id = 1",
            "UPDATE clients SET name = 'Анна' WHERE id = 1",
        ):
            await one.teller.tell_all()
            heard.clear()
            await one.here.pool.execute(change)
            await one.teller.tell_all()

            assert {uri for uri in heard if uri.startswith("chat")} == {
                "chat://avito/default/first",
                "chat://avito/default/second",
            }


async def test_what_redis_did_not_take_is_told_when_it_is_back(redis_url: str, database_url: str) -> None:
    """Those here, too, are told once, not at every attempt."""
    async with (
        watching(redis_url, database_url) as one,
        line_to(redis_url) as line,
        connect(line.url) as redis,
    ):
        bus, heard = ResourceBus(redis, KEY), list[str]()
        bus.subscribe(lambda event: heard.append(cast(ResourceUpdated, event).uri))
        teller = ChangeTeller(one.here.pool, bus, one.agents.desk.bell, one.clock)
        await one.agents.customer("Сколько?")
        await line.cut()
        for _ in range(2):
            with pytest.raises((RedisError, OSError)):
                await teller.tell_all()
        away = list(heard)
        await line.mend()
        await teller.tell_all()

    assert (away, sorted(map(_short, heard))) == ([], ["appeal", "chat", "client"])


class RingingClock(SystemClock):
    """Somebody rings whenever the teller rests. Time stands; `rests` are how long, ms; three are enough."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self.rests: list[int] = []

    def now_ms(self) -> int:
        return 0

    async def wait(self, event: asyncio.Event, until_ms: int) -> None:
        await self._bell.ring()
        self.rests.append(until_ms)
        if len(self.rests) == 3:
            raise asyncio.CancelledError


async def test_however_often_the_bell_rings_it_looks_ten_times_a_second(
    redis_url: str, database_url: str
) -> None:
    async with watching(redis_url, database_url) as one:
        bell = one.agents.desk.bell
        clock = RingingClock(bell)
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await ChangeTeller(one.here.pool, one.bus, bell, clock).run()

    assert clock.rests == [100, 100, 100]


async def test_who_dies_while_telling_leaves_it_to_another_replica(redis_url: str, database_url: str) -> None:
    async with watching(redis_url, database_url) as one:
        await one.agents.customer("Сколько?")
        dying = ChangeTeller(one.here.pool, cast(ResourceBus, DyingBus()), one.agents.desk.bell, one.clock)
        with pytest.raises(asyncio.CancelledError):
            await dying.tell_all()

        assert await one.hears() == {"appeal", "chat", "client"}


class DyingBus:
    """The process ends while it tells."""

    async def told(self, *_: str) -> None:
        raise asyncio.CancelledError


async def test_a_rush_is_told_whole(redis_url: str, database_url: str) -> None:
    async with watching(redis_url, database_url) as one:
        await one.here.pool.execute(
            "INSERT INTO resource_changes (kind, name) SELECT 'appeal', (n % 700)::text "
            "FROM generate_series(1, 3000) AS n"
        )
        heard = list[str]()
        one.bus.subscribe(lambda event: heard.append(cast(ResourceUpdated, event).uri))
        await one.teller.tell_all()

        assert set(heard) == {f"appeal://{number}" for number in range(700)}
        assert await one.here.value("SELECT count(*) FROM resource_changes") == 0


async def test_no_word_of_a_customer_goes_over_the_bus(redis_url: str, database_url: str) -> None:
    async with watching(redis_url, database_url) as one, one.agents.desk.line.redis.pubsub() as wire:
        await wire.subscribe(KEY)
        await one.agents.customer("Тайна", client_name="Анна", client_phone="+79990001122")
        await one.teller.tell_all()
        told = [said async for said in _said(wire, 3)]

    assert all(set(one) == {"from", "uri"} for one in told)
    assert {_short(one["uri"]) for one in told} == {"appeal", "chat", "client"}
    assert not any(word in str(told) for word in ("Тайна", "Анна", "999000"))


async def _said(wire: Any, count: int) -> AsyncIterator[dict[str, str]]:
    async with asyncio.timeout(10):
        while count:
            said = await wire.get_message(ignore_subscribe_messages=True, timeout=5)
            if said is not None:
                count -= 1
                yield json.loads(said["data"])


async def test_telling_adds_no_transaction_to_what_goes_out(redis_url: str, database_url: str) -> None:
    """The same message with and without the triggers takes as many numbers of transactions.

    The whole cluster takes of them, an autovacuum too: the fewest of several messages count.
    """
    async with posting(redis_url, database_url) as post:
        with_them = min([await _transactions(post, f"with {number}") for number in range(4)])
        told = await post.here.value("SELECT count(*) FROM resource_changes WHERE kind = 'chat'")
        for table in ("messages_history", "outbound", "appeals", "turns", "pauses"):
            await post.here.pool.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        without = min([await _transactions(post, f"without {number}") for number in range(4)])

    assert told > 0
    assert with_them == without


async def _transactions(post: Post, chat: str) -> int:
    number = "SELECT pg_current_xact_id()::text::bigint"
    before = int(await post.here.value(number))
    given = outgoing(chat=chat)
    await post.queue(given)
    await post.work()
    assert await post.state(given) == "sent"
    return int(await post.here.value(number)) - before - 1


# --- over HTTP, at two replicas ---------------------------------------------------------------------------


async def _next(changes: Any) -> str:
    async with asyncio.timeout(10):
        return str(getattr(await anext(aiter(changes)), "uri", ""))


@asynccontextmanager
async def listening(agent: Client, *uris: str) -> AsyncIterator[Any]:
    async with agent.listen(resource_subscriptions=[*uris]) as changes:
        yield changes


async def test_who_listens_at_any_replica_hears_what_was_stored_anywhere(
    redis_url: str, database_url: str
) -> None:
    """Which replica takes a change is chance, and the Redis bus makes it all the same."""
    async with (
        scene(database_url) as here,
        connect(redis_url) as redis,
        replica(redis_url, database_url) as first,
        replica(redis_url, database_url) as second,
        agent_of(first) as one,
        agent_of(second) as other,
    ):
        case = (await here.resolve(message("0"))).appeal_id
        watched = [f"appeal://{case}", "chat://avito/chat-1"]
        async with AsyncExitStack() as stack:
            heard = [
                (await stack.enter_async_context(listening(agent, uri)), uri)
                for agent in (one, other)
                for uri in watched
            ]
            bell = Bell(redis, Keys().bell("turns"))
            for number in range(1, 4):
                await here.resolve(message(str(number), second=number))
                await bell.ring()
                for changes, uri in heard:
                    assert await _next(changes) == uri


@pytest.mark.parametrize(
    ("chat", "written"),
    [
        ("7999@c.us", "chat://avito/7999%40c.us"),
        ("7999@c.us", "chat://avito/7999@c.us"),
        ("7999@c.us", "chat://avito/default/7999@c.us"),
        ("а/б:в", "chat://avito/%D0%B0%2F%D0%B1%3A%D0%B2"),
        ("а/б:в", "chat://avito/а%2fб:в"),
    ],
)
async def test_a_chat_is_told_in_the_letters_in_which_it_is_watched(
    redis_url: str, database_url: str, chat: str, written: str
) -> None:
    """A client compares what it hears with what it asked for, letter by letter."""
    async with (
        scene(database_url) as here,
        replica(redis_url, database_url) as url,
        agent_of(url) as agent,
        listening(agent, written) as changes,
    ):
        await here.resolve(message("1", chat="another", external_user_id="b"))
        await here.resolve(message("2", chat=chat, account="shop", external_user_id="c"))
        await here.resolve(message("3", chat=chat))

        assert await _next(changes) == written


async def test_names_are_forgotten_with_their_last_watcher(redis_url: str) -> None:
    async def account(_: str, written: str) -> str:
        return {"default": "shop"}.get(written, written)

    async with connect(redis_url) as redis:
        bus, heard = ResourceBus(redis, KEY, own_names(account)), list[str]()
        bus.subscribe(lambda event: heard.append(cast(ResourceUpdated, event).uri))
        async with bus.watched_as("chat://vk/1", "chat://vk/shop/1"):
            async with bus.watched_as("chat://vk/1"):
                await bus.changed("chat://vk/shop/1")
            await bus.changed("chat://vk/shop/1")
        await bus.changed("chat://vk/shop/1")

    both = ["chat://vk/1", "chat://vk/shop/1"]
    assert (sorted(heard[:2]), sorted(heard[2:4]), heard[4:]) == (both, both, ["chat://vk/shop/1"])
