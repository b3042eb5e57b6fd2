"""No turn that waits is forgotten: what is to be told follows from the turns, whatever dies in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from mcp.server.subscriptions import ServerEvent
from redis.exceptions import RedisError

from core.keys import Keys
from core.observability import Metrics
from core.resource_bus import ResourceBus
from orchestrator.announcer import Announcer
from orchestrator.notifier import Notifier
from orchestrator.store.notices import Notice, Way
from orchestrator.waking import Waking
from orchestrator.waking_settings import WakingSettings
from tests.integration.intake_fixture import connect, line_to
from tests.integration.test_hub import LEASE, lease
from tests.integration.waking_fixture import STREAM, Wakes, waking


@pytest.fixture
async def wakes(redis_url: str, database_url: str) -> AsyncIterator[Wakes]:
    async with waking(redis_url, database_url) as made:
        yield made


class Dies:
    """A process that ends when it is about to tell."""

    way: Way = "redis"
    at_once = 500
    seconds = 10.0

    def __init__(self) -> None:
        self.had: list[str] = []

    async def willing(self) -> bool:
        return True

    async def tell(self, told: Sequence[Notice]) -> None:
        self.had += [str(notice.turn_id) for notice in told]
        raise Killed


class Killed(BaseException):
    """Nothing that follows is done."""


async def test_a_turn_that_begins_to_wait_is_told_once(wakes: Wakes) -> None:
    turns = await wakes.customer("a", "b")
    announcer = wakes.announcer()
    for _ in range(3):
        await announcer.tell_all()
        await wakes.pass_time(30)

    assert await wakes.told() == turns
    assert await wakes.notices() == [("redis", 1, True), ("redis", 1, True)]


async def test_an_entry_says_which_turn_and_none_of_the_customers_words(wakes: Wakes) -> None:
    [turn] = await wakes.customer("a")
    await wakes.announcer().tell_all()

    [entry] = await wakes.entries()
    assert entry == {
        "turn_id": turn,
        "channel": "avito",
        "account": "default",
        "at": wakes.agents.here.now.isoformat(),
    }


@pytest.mark.promise("no-forgotten-turn")
async def test_a_process_that_dies_before_it_tells_forgets_no_turn(wakes: Wakes) -> None:
    """Between the commit in PostgreSQL and the XADD: another replica tells when the claim has ended."""
    [turn] = await wakes.customer("a")
    dying = Dies()
    with pytest.raises(Killed):
        await Notifier(wakes.pool, dying, bell=wakes.agents.desk.bell, clock=wakes.clock).tell_all()
    other = wakes.announcer()
    await other.tell_all()
    assert (dying.had, await wakes.told()) == ([turn], [])

    await wakes.pass_time(dying.seconds + 1)
    await other.tell_all()

    assert await wakes.told() == [turn]


@pytest.mark.promise("no-forgotten-turn")
async def test_a_turn_that_nobody_was_ever_told_of_is_found(wakes: Wakes) -> None:
    """Every process was down when it was stored, for longer than a rush is looked back upon."""
    [turn] = await wakes.customer("a")
    await wakes.pass_time(24 * 3600)

    await wakes.announcer().tell_all()

    assert await wakes.told() == [turn]


@pytest.mark.promise("no-forgotten-turn")
@pytest.mark.parametrize("end", ["lease", "release", "growth"])
async def test_a_turn_that_is_offered_anew_is_told_anew(wakes: Wakes, end: str) -> None:
    [turn] = await wakes.customer("a")
    announcer = wakes.announcer()
    await announcer.tell_all()
    if end == "growth":
        await wakes.customer("a")
    else:
        offered = await wakes.agents.turn()
        await announcer.tell_all()
        assert await wakes.told() == [turn]
        if end == "release":
            await wakes.agents.call("release_turn", **lease(offered))
        else:
            await wakes.pass_time(LEASE + 1)

    await announcer.tell_all()

    assert await wakes.told() == [turn, turn]


@pytest.mark.promise("no-forgotten-turn")
async def test_a_turn_behind_another_one_of_its_chat_is_told_when_it_may_be_taken(wakes: Wakes) -> None:
    """Told before, its agent would be refused, and nobody would ever tell again."""
    [first] = await wakes.customer("a")
    announcer = wakes.announcer()
    await announcer.tell_all()
    offered = await wakes.agents.turn()
    [second] = await wakes.customer("a")
    await announcer.tell_all()
    assert await wakes.told() == [first]

    await wakes.agents.reply(offered, force=True)
    await announcer.tell_all()

    assert await wakes.told() == [first, second]


async def test_a_turn_of_a_chat_that_a_person_has_is_told_when_the_pause_is_over(wakes: Wakes) -> None:
    """Nothing runs at the moment at which its time is up: the turns themselves say what may be leased."""
    [turn] = await wakes.customer("a")
    await wakes.pool.execute(
        "INSERT INTO pauses (channel, account, external_chat_id, cause, started_at, until, version) "
        "VALUES ('avito', 'default', 'a', 'command', $1, $2, 1)",
        wakes.agents.here.now,
        wakes.agents.here.now + timedelta(hours=1),
    )
    announcer = wakes.announcer()
    await announcer.tell_all()
    assert await wakes.told() == []
    await wakes.pass_time(3601)
    await announcer.tell_all()

    assert await wakes.told() == [turn]


async def test_a_turn_that_was_taken_meanwhile_is_not_told(wakes: Wakes) -> None:
    await wakes.customer("a")
    dying = Dies()
    with pytest.raises(Killed):
        await Notifier(wakes.pool, dying, bell=wakes.agents.desk.bell, clock=wakes.clock).tell_all()
    await wakes.agents.reply(await wakes.agents.turn())
    await wakes.pass_time(60)

    await wakes.announcer().tell_all()

    assert await wakes.told() == []
    assert await wakes.notices() == []


async def test_of_several_replicas_one_tells(wakes: Wakes) -> None:
    turns = await wakes.customer(*(f"c{number}" for number in range(30)))

    await asyncio.gather(*(wakes.announcer().tell_all() for _ in range(4)))

    assert sorted(await wakes.told()) == sorted(turns)


async def test_notices_of_finished_turns_go(wakes: Wakes) -> None:
    await wakes.customer("a", "b")
    announcer = wakes.announcer()
    await announcer.tell_all()
    await wakes.agents.reply(await wakes.agents.turn())
    await wakes.pass_time(11)
    await announcer.tell_all()

    assert len(await wakes.notices()) == 1


async def test_the_stream_stays_short(wakes: Wakes) -> None:
    """MAXLEN cuts whole nodes: about the length, not to the entry."""
    announcer = wakes.announcer(length=100)
    for number in range(400):
        await wakes.redis.xadd(STREAM, {"turn_id": str(number)})
    await wakes.customer("a")
    await announcer.tell_all()

    assert await wakes.redis.xlen(STREAM) <= 200


async def test_without_a_stream_who_watches_is_told_all_the_same(wakes: Wakes) -> None:
    changed: list[ServerEvent] = []
    wakes.bus.subscribe(changed.append)
    await wakes.customer("a")

    await wakes.announcer(length=0).tell_all()

    assert [getattr(event, "uri", "") for event in changed] == ["inbox://turns"]
    assert await wakes.redis.exists(STREAM) == 0


async def test_while_redis_is_away_no_turn_counts_as_told(wakes: Wakes, redis_url: str) -> None:
    async with line_to(redis_url) as line, connect(line.url) as redis:
        bus = ResourceBus(redis, Keys().changes("hub"))
        teller = Announcer(wakes.pool, redis, STREAM, length=0, bus=bus, clock=wakes.clock)
        notifier = Notifier(wakes.pool, teller, bell=wakes.agents.desk.bell, clock=wakes.clock)
        await wakes.customer("a")
        await line.cut()
        with pytest.raises((RedisError, OSError)):
            await notifier.tell_all()
        away = await wakes.notices()
        await line.mend()
        await wakes.pass_time(teller.seconds)
        await notifier.tell_all()

    assert (away, await wakes.notices()) == ([("redis", 1, False)], [("redis", 2, True)])


async def test_the_loop_is_woken_by_the_bell_and_ends_when_cancelled(wakes: Wakes) -> None:
    heard = asyncio.Event()
    wakes.bus.subscribe(lambda _: heard.set())
    loop = asyncio.create_task(wakes.announcer().run())
    await wakes.customer("a")
    async with asyncio.timeout(10):
        await heard.wait()
    loop.cancel()
    await asyncio.wait([loop])

    assert loop.cancelled()


async def test_the_state_is_told_also_while_the_database_is_away(wakes: Wakes) -> None:
    """/info must say so instead of failing."""
    parts, settings = wakes.agents.hub.parts, WakingSettings()
    waking = Waking(settings, parts, wakes.redis, Keys(), Metrics())
    told = await waking.state()
    await wakes.pool.close()
    away = await waking.state()

    assert told == {"agent_webhook": None, "not_told": {}}
    assert away == {"error": "InterfaceError"}
