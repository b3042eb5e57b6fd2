"""What is under way when a token of one appeal ends: it ends as well, and nothing of the customer's waits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from core.app import build_app
from core.appeal_tokens import AppealTokens
from core.auth import Caller, current_caller
from core.clock import SystemClock
from core.errors import NotPermitted, StorageDown
from core.keys import Keys
from core.resource_bus import ResourceBus
from orchestrator.turn_events import PATH, TurnEvents
from tests.integration.hub_server import agent_of, served
from tests.integration.intake_fixture import Line, connect, line_to
from tests.integration.token_fixture import STATE_KEY, Hub, Side, hub_with, side

pytestmark = pytest.mark.promise("one-conversation")


@pytest.fixture
async def ours(redis_url: str, database_url: str) -> Side:
    """Anna, whose last turn is worked on."""
    async with hub_with(redis_url, database_url, loops=True) as busy:
        return await side(busy, "telegram", "chat-of-anna", "Анна-А")


@pytest.fixture
async def hub(redis_url: str, database_url: str, ours: Side) -> AsyncIterator[Hub]:
    """On what the busy one left."""
    async with hub_with(redis_url, database_url, loops=False) as made:
        yield made


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Line]:
    async with line_to(database_url) as made:
        yield made


@contextmanager
def calling(token: str, *, left_ms: int | None = None) -> Iterator[Caller]:
    """Inside of the door, which asked before whether the token lives; so much of its time is left."""
    caller = AppealTokens([STATE_KEY]).read(token)
    assert caller is not None
    if left_ms is not None:
        assert caller.bounds is not None
        ends = SystemClock().now_ms() + left_ms
        caller = replace(caller, bounds=replace(caller.bounds, ends_ms=ends), ends_ms=ends)
    inside = current_caller.set(caller)
    try:
        yield caller
    finally:
        current_caller.reset(inside)


async def run(hub: Hub, operation: str, **given: Any) -> Any:
    one = next(one for one in hub.parts.operations if one.name == operation)
    return await one.run(**given)


async def release(hub: Hub, of: Side) -> None:
    await hub.told(f"/api/turns/{of['turn_id']}/release", lease_token=of["lease_token"])


@pytest.mark.parametrize("asked", ["next", "this"])
@pytest.mark.parametrize("why", ["taken back", "its time is over"])
async def test_a_turn_is_not_given_to_a_token_that_ended_while_its_agent_waited(
    hub: Hub, ours: Side, why: str, asked: str
) -> None:
    """No answer would be taken from it: another agent gets the customer's words at once."""
    await release(hub, ours)
    token = await hub.token(ours["appeal_id"])
    if why == "taken back":
        await hub.told("/api/tokens/end", token=token)
    turn_id = ours["turn_id"] if asked == "this" else ""

    left = 0 if why == "its time is over" else None
    with calling(token, left_ms=left), pytest.raises(NotPermitted, match="for the appeal"):
        await run(hub, "wait_for_turn", wait_seconds=0, turn_id=turn_id)

    offered = await hub.told("/api/turns/wait", wait_seconds=0)
    assert offered["turn_id"] == ours["turn_id"]


@pytest.mark.parametrize("asked", ["next", "this"])
async def test_nobody_waits_longer_than_their_token_lives(hub: Hub, ours: Side, asked: str) -> None:
    """The other agent of the chat goes on all the while."""
    token = await hub.token(ours["appeal_id"])
    turn_id = ours["turn_id"] if asked == "this" else ""

    with calling(token, left_ms=200):
        async with asyncio.timeout(20):
            offered = await run(hub, "wait_for_turn", wait_seconds=50, turn_id=turn_id)

    assert offered.status == "none"


async def test_a_lease_ends_with_the_token_that_took_it(hub: Hub, ours: Side) -> None:
    """Taken or prolonged: when nobody can answer any more, the turn is offered again."""
    await release(hub, ours)
    token = await hub.token(ours["appeal_id"])
    until = "SELECT (extract(epoch FROM leased_until) * 1000)::bigint FROM turns WHERE id = $1"
    turn_id = int(ours["turn_id"])

    with calling(token, left_ms=20_000) as caller:
        offered = await run(hub, "wait_for_turn", wait_seconds=0)
        taken = await hub.pool.fetchval(until, turn_id)
        lease = {"turn_id": offered.turn_id, "lease_token": offered.lease_token}
        await run(hub, "extend_turn", **lease)
        prolonged = await hub.pool.fetchval(until, turn_id)

    ends = caller.ends_ms
    assert ends is not None
    assert 15 <= offered.lease_seconds <= 20
    assert taken <= ends + 1
    assert prolonged <= ends + 1


async def test_a_token_lives_no_longer_than_the_access_token_that_made_it(hub: Hub, ours: Side) -> None:
    """Whoever's access ends in a minute gives no more than that minute away."""
    now = SystemClock().now_ms()
    maker = Caller("oauth:anna", "agent", "full", issuer="https://issuer.example", ends_ms=now + 60_000)
    inside = current_caller.set(maker)
    try:
        short = await run(hub, "make_token", appeal_id=ours["appeal_id"], seconds=900)
        shorter = await run(hub, "make_token", appeal_id=ours["appeal_id"], seconds=30)
    finally:
        current_caller.reset(inside)

    assert datetime.fromisoformat(short.expires_at).timestamp() <= (now + 60_000) / 1000
    assert datetime.fromisoformat(shorter.expires_at).timestamp() <= (now + 40_000) / 1000


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("get_appeal", {"appeal_id"}),
        ("extend_turn", {"turn_id", "lease_token"}),
        ("get_delivery", {"delivery_id"}),
        ("wait_for_turn", set()),
    ],
)
async def test_who_has_a_token_is_told_that_the_database_is_away(
    line: Line, redis_url: str, ours: Side, name: str, names: set[str]
) -> None:
    """And when to come back, as everybody is: not that the hub is broken."""
    given = {key: ours[key] for key in names}
    async with hub_with(redis_url, line.url, loops=False) as hub:
        token = await hub.token(ours["appeal_id"])
        await line.cut()

        answer = await hub.call(name, given, token)

        await line.mend()
        told = answer.json()
        assert (answer.status_code, told["code"], told["retryable"]) == (503, StorageDown.code, True)
        assert (await hub.call(name, given, token)).status_code == 200


async def test_listening_at_the_hub_ends_with_the_token(hub: Hub, ours: Side) -> None:
    """The stream ends as when the server stops; what comes next is refused at the door."""
    tokens, key = AppealTokens([STATE_KEY]), await hub.token(ours["appeal_id"])
    caller = tokens.read(key)
    assert caller is not None
    assert caller.bounds is not None
    soon = replace(caller.bounds, ends_ms=SystemClock().now_ms() + 1_500)
    async with (
        asyncio.timeout(30),
        served(build_app(replace(hub.parts, lifespan=nullcontext))) as url,
        agent_of(url, key=tokens.make(caller, soon)) as agent,
        agent.listen(resource_subscriptions=[f"appeal://{ours['appeal_id']}"]) as changes,
    ):
        assert [change async for change in changes] == []


async def test_a_reader_of_events_is_let_go_when_its_access_token_ends(redis_url: str) -> None:
    """A key reads on (tests/integration/test_inbox.py)."""
    clock = SystemClock()
    async with connect(redis_url) as redis:
        keys = Keys()
        bus = ResourceBus(redis, keys.bell("changes"))
        events = TurnEvents(redis, keys.stream("turns"), bus, clock=clock)
        app = Starlette(routes=[events.route()])
        transport = httpx.ASGITransport(app)
        inside = current_caller.set(Caller("oauth:anna", ends_ms=clock.now_ms() + 200))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as http:
                async with asyncio.timeout(20):
                    answer = await http.get(PATH)
        finally:
            current_caller.reset(inside)
    assert (answer.status_code, answer.text.count("retry:")) == (200, 1)
