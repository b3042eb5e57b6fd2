"""Whatever happens in whatever order: every message is acknowledged exactly once and in order."""

import asyncio
import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from core.chats import Lease, member_name
from core.messages import IncomingMessage
from tests.integration.chats_fixture import (
    LEASE_MS,
    SECOND,
    Line,
    as_bytes,
    as_text,
    canonical,
    incoming,
    incoming_line,
)

PLACES = st.sampled_from([("default", "Чат {2}:@/ "), ("acc2", "Чат {2}:@/ "), ("default", "-3")])
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


class EngineMachine(RuleBasedStateMachine):
    """Two workers and a collector that may die at any step, against a plain model of what was sent."""

    url = ""

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.opened = incoming_line(self.url, max_items=4)
        self.line: Line = self.run(self.opened.__aenter__())
        self.run(self.line.redis.flushdb())
        self.sent: dict[str, list[str]] = defaultdict(list)
        self.settled: dict[str, list[str]] = defaultdict(list)
        self.held: list[Lease] = []
        self.lost: list[Lease] = []
        self.count = self.typed = 0

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    @rule(
        place=PLACES,
        number=st.booleans(),
        ours=st.booleans(),
        amount=st.integers(1, 6),
        event=st.sampled_from(["message", "message", "postback", "operator_message"]),
    )
    def arrive(self, place: tuple[str, str], number: bool, ours: bool, amount: int, event: str) -> None:
        """A producer pushes: ours, or one that writes JSON its own way and now and then an id as a number."""
        account, chat = place
        chat_id: Any = int(chat) if number and chat == "-3" else chat
        texts = [str(self.count + i) for i in range(amount)]
        messages = [incoming(text, chat=chat_id, account=account, event=event) for text in texts]
        self.run(self.line.push(*(map(canonical, messages) if ours else messages)))
        self.sent[f"{account}|{chat}"] += texts
        self.count += amount

    @rule()
    def collect_all(self) -> None:
        self.collect(limit=500)

    @rule(place=PLACES)
    def type(self, place: tuple[str, str]) -> None:
        """The customer is seen typing: no message, whenever it comes."""
        account, chat = place
        self.run(self.line.push(incoming("", chat=chat, account=account, event="typing")))
        self.typed += 1

    @rule(limit=st.integers(1, 5))
    def collect(self, limit: int) -> None:
        self.run(self.line.chats.collect(self.line.now, limit))

    @rule()
    def collector_dies_after_it_was_woken(self) -> None:
        self.run(self.line.redis.lmove(self.line.keys.source, self.line.keys.taken, "LEFT", "RIGHT"))

    @rule(seconds=st.sampled_from([1, 7, 20, 60, 300]))
    def time_passes(self, seconds: int) -> None:
        self.run(self.line.pass_time(seconds * SECOND))
        expired = [lease for lease in self.held if not self.run(self._is_held(lease))]
        self.lost += expired
        self.held = [lease for lease in self.held if lease not in expired]

    @rule(limit=st.integers(1, 3), seconds=st.sampled_from([0, 20]))
    def take(self, limit: int, seconds: int) -> None:
        if seconds:
            self.time_passes(seconds)
        self._hold(self.run(self.line.take(limit)))

    @rule(place=PLACES)
    def close_member(self, place: tuple[str, str]) -> None:
        lease = self.run(self.line.chats.close_member(self.line.now, member_name("avito", *place)))
        self._hold([lease] if lease else [])

    @rule(place=PLACES)
    def hasten(self, place: tuple[str, str]) -> None:
        self.run(self.line.chats.hasten(member_name("avito", *place), self.line.now))

    @rule(which=st.integers(0, 9), count=st.integers(0, 4))
    def ack(self, which: int, count: int) -> None:
        if not self.held:
            return
        lease = self.held.pop(which % len(self.held))
        count = min(count, len(lease.items))
        assert self.run(self.line.chats.ack(lease, count, self.line.now))
        self._settle(lease, count)
        self.lost.append(lease)

    @rule(which=st.integers(0, 9))
    def ack_one_and_keep(self, which: int) -> None:
        if not self.held:
            return
        lease = self.held.pop(which % len(self.held))
        assert self.run(self.line.chats.ack(lease, 1, self.line.now, keep=True))
        self._settle(lease, 1)
        self.held += [_rest(lease)] if len(lease.items) > 1 else []

    @rule(which=st.integers(0, 9), seconds=st.integers(0, 90))
    def retry(self, which: int, seconds: int) -> None:
        if not self.held:
            return
        lease = self.held.pop(which % len(self.held))
        assert self.run(self.line.chats.retry(lease, self.line.now, due_at=self.line.now + seconds * SECOND))
        self.lost.append(lease)

    @rule(which=st.integers(0, 9))
    def worker_dies(self, which: int) -> None:
        if self.held:
            self.held.pop(which % len(self.held))

    @rule(which=st.integers(0, 9))
    def a_ghost_acknowledges(self, which: int) -> None:
        if self.lost:
            ghost = self.lost[which % len(self.lost)]
            assert not self.run(self.line.ack_all(ghost))

    @invariant()
    def no_message_is_lost_or_doubled_and_no_chat_is_homeless(self) -> None:
        if hasattr(self, "line"):
            stored, homeless = self.run(self.line.survey())
            unsettled = self.count - sum(map(len, self.settled.values()))
            assert unsettled <= stored <= unsettled + self.typed
            assert homeless == set()

    @invariant()
    def no_chat_waits_longer_than_the_longest(self) -> None:
        """Whatever comes, typing included: but for leases and for who was told to wait."""
        if hasattr(self, "line"):
            for opened, due in self.run(self._waiting()):
                assert due <= max(opened + 300 * SECOND, self.line.now)

    async def _waiting(self) -> list[tuple[int, int]]:
        """When each chat that nobody has was opened, and when it is due."""
        redis, keys = self.line.redis, self.line.keys
        opened = await redis.hgetall(keys.opened)
        free = [name for name in opened if not await redis.exists(keys.lock + as_text(name))]
        due = [await redis.zscore(keys.deadlines, name) for name in free]
        pairs = zip(free, due, strict=True)
        return [(int(opened[name]), int(score)) for name, score in pairs if score is not None]

    def teardown(self) -> None:
        if not hasattr(self, "line"):
            return
        try:
            self._drain()
            assert self.settled == self.sent
            assert self.run(self.line.letters()) == []
        finally:
            self.run(self.opened.__aexit__(None, None, None))
            self.runner.close()

    def _drain(self) -> None:
        """Everyone left the building; a new worker finishes the job."""
        self.run(self.line.pass_time(LEASE_MS))
        while self.run(self.line.chats.collect(self.line.now)).more:
            pass
        self.typed = 0
        self.no_message_is_lost_or_doubled_and_no_chat_is_homeless()
        for _ in range(100):
            self.run(self.line.pass_time(300 * SECOND))
            leases = self.run(self.line.take(10))
            if not leases:
                return
            for lease in leases:
                assert self.run(self.line.ack_all(lease))
                self._settle(lease, len(lease.items))

    def _hold(self, leases: list[Lease]) -> None:
        for lease in leases:
            assert lease.items
            assert lease.member not in [held.member for held in self.held]
        self.held += leases

    def _settle(self, lease: Lease, count: int) -> None:
        for item in lease.items[:count]:
            message = IncomingMessage.model_validate_json(item)
            self.settled[f"{message.account}|{message.external_chat_id}"].append(message.text)

    async def _is_held(self, lease: Lease) -> bool:
        return await self.line.redis.get(self.line.keys.lock + lease.member) == str(lease.token).encode()


def _rest(lease: Lease) -> Lease:
    return Lease(lease.member, lease.token, lease.due_at, lease.opened, lease.last, lease.items[1:])


@pytest.mark.parametrize("examples", [200])
def test_every_message_is_acknowledged_once_and_in_order(redis_url: str, examples: int) -> None:
    EngineMachine.url = redis_url
    run_state_machine_as_test(
        EngineMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=QUIET
        ),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
HALF_RIGHT = st.fixed_dictionaries(
    {"channel": st.sampled_from(["avito", "vk"]) | JSON, "external_chat_id": st.text() | JSON},
    optional={"account": st.sampled_from(["default", "acc2"]) | JSON, "text": JSON, "meta": JSON},
)
ALMOST = st.builds(lambda wild: incoming("x") | wild, HALF_RIGHT)
WILD = st.binary(max_size=50) | st.one_of(JSON, HALF_RIGHT, ALMOST).map(
    lambda value: json.dumps(value).encode()
)


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(wild=st.lists(WILD, min_size=1, max_size=8))
def test_any_bytes_end_in_a_chat_or_in_the_dead_letters(redis_url: str, wild: list[bytes]) -> None:
    asyncio.run(_all_are_somewhere(redis_url, wild))


async def _all_are_somewhere(url: str, wild: list[bytes]) -> None:
    async with incoming_line(url) as line:
        await line.redis.flushdb()
        moved = await line.arrive(*wild, incoming("good"))
        await line.pass_time(300 * SECOND)
        leases = await line.take(100)
        found = [item for lease in leases for item in lease.items]
        letters = [letter.raw for letter in await line.letters()]
        assert (moved, len(found) + len(letters)) == (len(found), len(wild) + 1)
        assert set(letters) <= set(wild)
        assert as_bytes(incoming("good")) in found
        for lease in leases:
            line.chats.read(lease, line.now)
            assert await line.ack_all(lease)
