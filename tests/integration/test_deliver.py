"""What is queued goes out: in order, as often as it helps, under one id, and never without a trace."""

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.bell import Bell
from core.chats import Chats, Lease, Window, Windows
from core.deadletters import DeadLetter, DeadLetters
from core.errors import (
    AuthFailed,
    ChannelError,
    ContractBroken,
    Forbidden,
    IdempotencyConflict,
    NotFound,
    OutcomeUnknown,
    OutcomeUntraceable,
    PeerUnreachable,
    PlanRequired,
    RateLimited,
    Rejected,
    SendInProgress,
    SessionLost,
    StorageDown,
    VendorDown,
    WindowClosed,
)
from core.keys import Keys
from core.messages import OutgoingMessage
from core.observability import Metrics
from core.registry import CHANNEL_NAMES
from orchestrator.breakers import Rules
from orchestrator.deliver import LONGEST_DELAY, Deliverer, Patience
from orchestrator.list_door import ListDoor
from orchestrator.relay import Relay
from orchestrator.store import outbound, settling
from orchestrator.store.outbox import Ticket
from tests.integration.chats_fixture import LEASE_MS, SECOND, Line, line_at_once, outgoing_line
from tests.integration.test_resolve_scene import Scene, scene

ATTEMPTS = 3


class Killed(BaseException):
    """The process ends here: nothing that follows is done."""


class FakeChannels:
    """Takes every message, in order, unless told to fail; `asked` are the attempts, `taken` what arrived."""

    names = CHANNEL_NAMES

    def __init__(self) -> None:
        self.asked: list[OutgoingMessage] = []
        self.taken: list[OutgoingMessage] = []
        self.failures: deque[tuple[BaseException | None, bool]] = deque()
        self.meanwhile: Callable[[], Any] | None = None

    def fail(self, *errors: BaseException | None, taken: bool = False) -> None:
        """The coming sends raise these, before the message is taken or after; None lets one through."""
        self.failures.extend((error, taken) for error in errors)

    async def send(self, message: OutgoingMessage) -> list[str]:
        """As the channels do: one id is one message."""
        self.asked.append(message)
        error, taken = self.failures.popleft() if self.failures else (None, True)
        if self.meanwhile is not None:
            await self.meanwhile()
        if (error is None or taken) and message.id not in [one.id for one in self.taken]:
            self.taken.append(message)
        if error is not None:
            raise error
        return [f"v-{message.text[:20]}"]

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.taken]


class Named:
    """Every account is called what it is called."""

    async def named(self, message: OutgoingMessage) -> OutgoingMessage:
        return message


class Post:
    """The list door, the relay and the senders, and what became of the messages."""

    def __init__(self, line: Line, here: Scene, rules: Rules | None = None) -> None:
        redis, clock = line.redis, line.clock
        self.door = line
        self.line = line_at_once(redis, Keys().tickets, Ticket)
        self.line.clock = clock
        self.here = here
        self.channels = FakeChannels()
        self.metrics = Metrics()
        self.bell = Bell(redis, Keys().bell("outbox"))
        self.relay = Relay(here.pool, redis, self.line.keys.source, bell=self.bell, clock=clock)
        self._given: dict[str, Any] = {"pool": here.pool, "clock": clock, "metrics": self.metrics}
        self._patience = Patience(ATTEMPTS, rules or Rules())
        self._accepting = ListDoor(line.chats, Named(), bell=self.bell, **self._given)
        self.deliverer = self.sender(self.line.chats)

    def sender(self, chats: Chats[Ticket]) -> Deliverer:
        """Another replica's, which knows nothing of our breakers."""
        return Deliverer(chats, self.channels, patience=self._patience, **self._given)

    async def queue(self, *messages: OutgoingMessage | bytes) -> None:
        """Messages are pushed and collected."""
        raw = [one if isinstance(one, bytes) else one.model_dump_json().encode() for one in messages]
        assert await self.door.arrive(*raw) == len(messages)

    async def accept(self) -> None:
        """What lies at the door is accepted, and what may go gets its ticket."""
        for lease in await self.door.take(limit=1000):
            await self._accepting.work(lease)
        await self.relay.push_all()
        await self.line.arrive()

    async def work(self) -> int:
        """Accept, then work on every chat that is due; how many there were."""
        await self.accept()
        leases = await self.line.take()
        for lease in leases:
            await self.deliverer.work(lease)
        return len(leases)

    async def homeless(self) -> tuple[int, set[str]]:
        """Messages and tickets that lie somewhere, and chats that nobody would ever look at again."""
        (listed, lost), (tickets, forgotten) = await self.door.survey(), await self.line.survey()
        return listed + tickets, lost | forgotten

    async def wait(self, seconds: float) -> None:
        await self.line.pass_time(round(seconds * SECOND))

    async def delivery(self, message: OutgoingMessage) -> outbound.Delivery:
        found = await outbound.get_delivery(self.here.pool, message.id)
        assert found is not None
        return found

    async def state(self, message: OutgoingMessage) -> str:
        return (await self.delivery(message)).state

    async def letters(self) -> list[DeadLetter]:
        return await self.line.letters()


@asynccontextmanager
async def opened(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with outgoing_line(redis_url) as line, scene(database_url) as here:
        yield Post(line, here)


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with opened(redis_url, database_url) as made:
        yield made


def outgoing(text: str = "Готово", chat: str = "c1", **more: Any) -> OutgoingMessage:
    return OutgoingMessage.model_validate(
        {"channel": "avito", "external_chat_id": chat, "text": text, **more}
    )


# --- sent -------------------------------------------------------------------------------------------------


async def test_a_message_is_sent_and_bears_the_vendors_ids(post: Post) -> None:
    message = outgoing()
    await post.queue(message)

    assert await post.work() == 1

    delivery = await post.delivery(message)
    assert (delivery.state, delivery.vendor_message_ids, delivery.attempts) == ("sent", ["v-Готово"], 1)
    assert await post.work() == 0
    assert await post.homeless() == (0, set())


@pytest.mark.promise("order")
async def test_messages_to_one_chat_go_out_in_order_and_other_chats_beside_them(post: Post) -> None:
    await post.queue(outgoing("1"), outgoing("1b", "c2"), outgoing("2"), outgoing("3"))

    assert await post.work() == 2
    assert [one.text for one in post.channels.taken if one.external_chat_id == "c1"] == ["1", "2", "3"]


async def test_a_message_that_comes_while_another_is_sent_waits_for_it(post: Post) -> None:
    await post.queue(outgoing("1"))

    async def another() -> None:
        post.channels.meanwhile = None
        await post.queue(outgoing("2"))

    post.channels.meanwhile = another
    await post.work()
    assert post.channels.texts == ["1"]

    await post.work()
    assert post.channels.texts == ["1", "2"]


async def test_a_message_that_was_sent_is_not_sent_again(post: Post) -> None:
    message = outgoing()
    await post.queue(message)
    await post.work()
    await post.queue(message, outgoing("2"))

    await post.work()

    assert [one.text for one in post.channels.asked] == ["Готово", "2"]
    assert await post.letters() == []


async def test_a_foreign_producer_that_repeats_its_key_is_heard_once(post: Post) -> None:
    for _ in range(3):
        await post.queue(outgoing(idempotency_key="order-7"))

    await post.work()

    assert post.channels.texts == ["Готово"]


# --- later ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RateLimited, SendInProgress, VendorDown, StorageDown])
async def test_a_retry_waits_as_told_and_keeps_the_order(post: Post, error: type[ChannelError]) -> None:
    first = outgoing("1")
    await post.queue(first, outgoing("2"))
    post.channels.fail(error(retry_after=7))

    await post.work()
    assert (await post.state(first), post.channels.texts) == ("queued", [])
    await post.queue(outgoing("3"))
    await post.wait(6.9)
    assert await post.work() == 0
    await post.wait(0.2)
    await post.work()

    assert post.channels.texts == ["1", "2", "3"]
    waited = issubclass(error, RateLimited | SendInProgress)
    assert (await post.delivery(first)).attempts == (1 if waited else 2)


@pytest.mark.parametrize(("told", "longest"), [(10_000.0, LONGEST_DELAY), (0.0, 0.2), (-5.0, 0.2)])
async def test_a_wait_is_never_endless_and_never_none(post: Post, told: float, longest: float) -> None:
    await post.queue(outgoing())
    post.channels.fail(RateLimited(retry_after=told))
    await post.work()

    assert await post.work() == 0
    await post.wait(longest)
    assert await post.work() == 1


async def test_without_a_word_the_waits_double(post: Post) -> None:
    await post.queue(outgoing())
    post.channels.fail(VendorDown(), VendorDown())

    for shortest, longest in ((0.8, 1.2), (1.6, 2.4)):
        await post.work()
        await post.wait(shortest - 0.1)
        assert await post.work() == 0
        await post.wait(longest - shortest + 0.2)
    await post.work()

    assert post.channels.texts == ["Готово"]


async def test_a_failure_that_may_pass_is_given_up_after_the_last_attempt(post: Post) -> None:
    first, second = outgoing("1"), outgoing("2")
    await post.queue(first, second)
    post.channels.fail(*(VendorDown("Slow.", retry_after=1) for _ in range(ATTEMPTS)))

    for _ in range(ATTEMPTS):
        await post.work()
        await post.wait(1)

    delivery = await post.delivery(first)
    assert (delivery.state, delivery.error_code, delivery.attempts) == ("failed", "vendor_down", ATTEMPTS)
    [letter] = await post.letters()
    assert (letter.reason, letter.detail, letter.raw) == (
        "vendor_down",
        "Slow.",
        first.model_dump_json().encode(),
    )
    assert await post.state(second) == "sent"


async def test_a_fault_of_a_channels_server_is_repeated_under_the_same_id(post: Post) -> None:
    """An answer 500 without a meaning: nobody can say what it did before."""
    message = outgoing()
    await post.queue(message)
    post.channels.fail(ChannelError("The avito server answered 500."), taken=True)

    await post.work()
    assert await post.state(message) == "unknown"
    await post.wait(2)
    await post.work()

    assert [one.id for one in post.channels.asked] == [message.id] * 2
    assert await post.state(message) == "sent"
    assert post.channels.texts == ["Готово"]


# --- failed -----------------------------------------------------------------------------------------------


@pytest.mark.promise("vendor-errors")
@pytest.mark.parametrize(
    "error", [Forbidden, NotFound, Rejected, PeerUnreachable, WindowClosed, ContractBroken]
)
async def test_a_final_failure_is_told_and_the_message_kept_whole(
    post: Post, error: type[ChannelError]
) -> None:
    first, second = outgoing("1", image_url="https://i/1"), outgoing("2")
    await post.queue(first, second)
    post.channels.fail(error("It is so."))

    await post.work()

    delivery = await post.delivery(first)
    assert (delivery.state, delivery.error_code, delivery.error_detail) == (
        "failed",
        error.code,
        "It is so.",
    )
    [letter] = await post.letters()
    assert (letter.door, letter.reason) == ("outgoing", error.code)
    assert OutgoingMessage.model_validate_json(letter.raw) == first
    assert await post.state(second) == "sent"
    labels = {"door": "outgoing"}
    assert post.metrics.registry.get_sample_value("eldoleado_dead_letters_total", labels) == 1


async def test_a_failed_message_that_is_replayed_is_tried_again(post: Post) -> None:
    """The customer has unblocked us; the dead letter goes back to the queue."""
    message = outgoing()
    await post.queue(message)
    post.channels.fail(PeerUnreachable())
    await post.work()
    [letter] = await post.letters()

    source = post.door.keys.source
    assert await DeadLetters(post.line.redis, Keys()).replay("outgoing", letter.id, source)
    await post.door.arrive()
    await post.work()

    assert await post.state(message) == "sent"
    assert post.channels.texts == ["Готово"]
    assert await post.letters() == []


class DiesAfterTheLetter(Chats[Ticket]):
    """The engine of a process that ends once a letter is written."""

    async def ack(
        self, lease: Lease, count: int, now: int, *, keep: bool = False, letters: Sequence[DeadLetter] = ()
    ) -> bool:
        done = await super().ack(lease, count, now, keep=keep, letters=letters)
        if letters:
            raise Killed
        return done


async def test_a_crash_between_the_letter_and_the_mark_loses_no_letter(post: Post) -> None:
    message = outgoing()
    await post.queue(message)
    await post.accept()
    windows = Windows(Window(0, 0))
    dying = DiesAfterTheLetter(
        post.line.redis, post.line.keys, windows=windows, lease_ms=LEASE_MS, model=Ticket
    )
    post.channels.fail(Rejected("Too long."), Rejected("Too long."))
    [lease] = await post.line.take()
    with pytest.raises(Killed):
        await post.sender(dying).work(lease)
    assert (await post.state(message), len(await post.letters())) == ("sending", 1)

    await post.line.pass_time(LEASE_MS + 1)
    await post.work()

    assert await post.state(message) == "unknown"  # nobody can tell what the one before had done
    assert {one.reason for one in await post.letters()} == {"rejected"}


async def test_an_id_that_was_used_for_another_message_is_a_dead_letter(post: Post) -> None:
    first, other = outgoing("1", idempotency_key="k"), outgoing("2", idempotency_key="k")
    assert first.id == other.id
    await post.queue(first, other, outgoing("3"))

    await post.work()

    assert post.channels.texts == ["1", "3"]
    [letter] = await post.letters()
    assert (letter.reason, OutgoingMessage.model_validate_json(letter.raw).text) == (
        IdempotencyConflict.code,
        "2",
    )
    assert await post.state(first) == "sent"


@pytest.mark.promise("bad-input")
async def test_something_unreadable_stops_nothing_behind_it(post: Post) -> None:
    """A list is pushed to by anyone; a message of an older program may lie in it."""
    await post.queue(outgoing("1"))
    key = f"{post.door.keys.items}avito:c1"
    broken = b'{"channel": "avito", "external_chat_id": "c1", "text": ""}'
    await post.line.redis.rpush(key, broken, b"\xff", outgoing("2").model_dump_json())

    await post.work()

    assert post.channels.texts == ["1", "2"]
    letters = {(one.reason, one.raw) for one in await post.letters()}
    assert letters == {("unreadable", broken), ("unreadable", b"\xff")}


@pytest.mark.promise("bad-input")
async def test_what_postgresql_can_never_hold_is_a_dead_letter(post: Post) -> None:
    """Else its chat would be tried for ever, and all behind it wait."""
    message = outgoing(image_url="https://i/\u0000")
    await post.queue(message)

    assert await post.work() == 0

    [letter] = await post.letters()
    assert letter.reason == "unstorable"
    assert OutgoingMessage.model_validate_json(letter.raw) == message
    assert post.channels.asked == []
    assert await post.homeless() == (0, set())


@pytest.mark.promise("bad-input")
@pytest.mark.promise("letters-whole")
async def test_a_stored_message_that_this_version_refuses_is_a_dead_letter(post: Post) -> None:
    """An older version accepted it: its words are kept, what came after it goes out."""
    an_hour_on = datetime.fromtimestamp(post.line.now / 1000 + 3600, UTC)
    old, put_off = outgoing("а" * 20_000), outgoing("позже", send_at=an_hour_on)
    await post.queue(old, put_off, outgoing("2"), outgoing("other", "c2"))
    await post.accept()
    await post.here.pool.execute("UPDATE outbound SET text = text || 'б' WHERE id = $1", old.id)
    await post.here.pool.execute("UPDATE outbound SET text = ' ' WHERE id = $1", put_off.id)

    while await post.work():
        pass
    await post.wait(3601)
    while await post.work():
        pass

    assert sorted(post.channels.texts) == ["2", "other"]
    assert {(await post.delivery(one)).error_code for one in (old, put_off)} == {"unreadable"}
    assert [await post.state(one) for one in (old, put_off)] == ["failed", "failed"]
    letters = {one.message: one for one in await post.letters()}
    letter = letters[str(old.id)]
    assert (letter.door, letter.reason, letter.chat) == ("outgoing", "unreadable", "c1")
    assert json.loads(letter.raw)["text"] == "а" * 20_000 + "б"
    assert "text: " in letter.detail
    assert "аб" not in letter.detail
    assert await post.homeless() == (0, set())


@pytest.mark.promise("unknown")
async def test_a_stored_message_in_doubt_that_this_version_refuses_stays_unknown(post: Post) -> None:
    message = outgoing()
    await post.queue(message)
    await post.accept()
    await post.here.pool.execute("UPDATE outbound SET text = '', state = 'sending' WHERE id = $1", message.id)

    await post.work()

    assert (await post.state(message), len(await post.letters())) == ("unknown", 1)
    with pytest.raises(Rejected, match="needs a text"):
        await settling.resend(post.here.pool, message.id, by="anna", now=post.here.now)
    assert await post.state(message) == "unknown"


# --- a refused account ------------------------------------------------------------------------------------


@pytest.mark.promise("vendor-errors")
@pytest.mark.parametrize("error", [AuthFailed, PlanRequired, SessionLost])
async def test_messages_of_a_refused_account_wait_until_it_is_mended(
    post: Post, error: type[ChannelError]
) -> None:
    """The owner pays, or logs in again: nothing that was accepted is lost by then, nor out of order."""
    first, second = outgoing("1"), outgoing("2")
    await post.queue(first, second)
    post.channels.fail(*(error("It is so.") for _ in range(3 * ATTEMPTS)))

    for _ in range(3 * ATTEMPTS):
        await post.work()
        delivery = await post.delivery(first)
        assert (delivery.state, delivery.error_code, delivery.error_detail) == (
            "queued",
            error.code,
            "It is so.",
        )
        await post.wait(LONGEST_DELAY - 1)
        assert await post.work() == 0
        await post.wait(1)
    await post.work()

    assert post.channels.texts == ["1", "2"]
    assert (await post.delivery(first)).attempts == 1
    assert await post.letters() == []


async def test_a_day_without_a_mend_makes_dead_letters(post: Post) -> None:
    message = outgoing("1")
    await post.queue(message)
    post.channels.fail(SessionLost("Logged out."), SessionLost("Logged out."))
    await post.work()
    await post.wait(86_400)

    await post.work()

    assert await post.state(message) == "failed"
    assert [(one.reason, one.detail) for one in await post.letters()] == [("session_lost", "Logged out.")]


async def test_a_refused_account_is_not_asked_for_every_chat(post: Post) -> None:
    """A thousand chats with a wrong key would look like an attack."""
    mine = [outgoing(str(number), f"c{number}") for number in range(5)]
    await post.queue(*mine, outgoing("b", "c9", account="second"), outgoing("v", "c9", channel="vk"))
    post.channels.fail(AuthFailed())

    await post.work()

    assert len(post.channels.asked) == 3
    assert sorted(post.channels.texts) == ["b", "v"]
    assert {await post.state(one) for one in mine} == {"queued"}
    await post.wait(LONGEST_DELAY)
    await post.work()
    assert sorted(post.channels.texts) == ["0", "1", "2", "3", "4", "b", "v"]


async def test_a_message_given_up_and_replayed_asks_whatever_is_remembered(post: Post) -> None:
    message = outgoing("1")
    await post.queue(message)
    post.channels.fail(SessionLost(), SessionLost())
    await post.work()
    await post.wait(86_400)
    await post.work()
    [letter] = await post.letters()

    await DeadLetters(post.line.redis, Keys()).replay("outgoing", letter.id, post.door.keys.source)
    await post.door.arrive()
    await post.work()

    assert await post.state(message) == "sent"


# --- unknown ----------------------------------------------------------------------------------------------


@pytest.mark.promise("unknown")
async def test_an_unknown_outcome_is_asked_again_under_the_same_id(post: Post) -> None:
    message = outgoing()
    await post.queue(message, outgoing("2"))
    post.channels.fail(OutcomeUnknown("No answer.", retry_after=5), taken=True)

    await post.work()
    delivery = await post.delivery(message)
    assert (delivery.state, delivery.error_code) == ("unknown", "outcome_unknown")
    await post.wait(5)
    await post.work()

    assert [one.id for one in post.channels.asked][:2] == [message.id] * 2
    assert await post.state(message) == "sent"
    assert post.channels.texts == ["Готово", "2"]


@pytest.mark.promise("unknown")
@pytest.mark.parametrize("error", [OutcomeUnknown, ChannelError])
async def test_what_stays_unknown_is_called_so_and_kept(post: Post, error: type[ChannelError]) -> None:
    """`failed` would say that the customer certainly has not got it."""
    message = outgoing()
    await post.queue(message, outgoing("2"))
    post.channels.fail(*(error("No answer.", retry_after=1) for _ in range(ATTEMPTS)))

    for _ in range(ATTEMPTS):
        await post.work()
        await post.wait(1)

    assert await post.state(message) == "unknown"
    [letter] = await post.letters()
    assert (letter.reason, letter.detail) == (error.code, "No answer.")
    assert OutgoingMessage.model_validate_json(letter.raw).id == message.id
    assert post.channels.texts == ["2"]


@pytest.mark.promise("unknown")
async def test_what_nobody_can_ever_look_up_is_called_unknown_at_once(post: Post) -> None:
    """Trying on brings nothing, and would hold up what was said after it."""
    message = outgoing()
    await post.queue(message, outgoing("2"))
    post.channels.fail(OutcomeUnknown("No answer.", retry_after=1), OutcomeUntraceable("No history."))

    await post.work()
    await post.wait(1)
    await post.work()

    delivery = await post.delivery(message)
    assert (delivery.state, delivery.error_code) == ("unknown", "outcome_untraceable")
    [letter] = await post.letters()
    assert (letter.reason, letter.detail) == ("outcome_untraceable", "No history.")
    assert OutgoingMessage.model_validate_json(letter.raw).id == message.id
    assert post.channels.texts == ["2"]


async def test_an_unknown_message_that_is_replayed_keeps_its_id(post: Post) -> None:
    message = outgoing()
    await post.queue(message)
    post.channels.fail(*(OutcomeUnknown(retry_after=1) for _ in range(ATTEMPTS)), taken=True)
    for _ in range(ATTEMPTS):
        await post.work()
        await post.wait(1)
    [letter] = await post.letters()

    source = post.door.keys.source
    await DeadLetters(post.line.redis, Keys()).replay("outgoing", letter.id, source)
    await post.door.arrive()
    await post.work()

    assert await post.state(message) == "sent"
    assert post.channels.texts == ["Готово"]


# --- leases and crashes -----------------------------------------------------------------------------------


async def test_a_worker_that_dies_in_a_send_is_replaced_and_the_id_stays(post: Post) -> None:
    message = outgoing()
    await post.queue(message)
    post.channels.fail(Killed(), taken=True)
    with pytest.raises(Killed):
        await post.work()
    assert await post.state(message) == "sending"

    await post.line.pass_time(LEASE_MS + 1)
    await post.work()

    assert [one.id for one in post.channels.asked] == [message.id] * 2
    assert (await post.state(message), post.channels.texts) == ("sent", ["Готово"])


async def test_a_lost_lease_stops_the_worker(post: Post) -> None:
    """Another one has the chat now; two must not send side by side."""
    await post.queue(outgoing("1"), outgoing("2"))

    async def lose() -> None:
        post.channels.meanwhile = None
        await post.line.pass_time(LEASE_MS + 1)

    post.channels.meanwhile = lose
    await post.work()
    assert post.channels.texts == ["1"]

    await post.work()
    assert post.channels.texts == ["1", "2"]
    assert [one.text for one in post.channels.asked] == ["1", "2"]


async def test_an_error_of_the_database_leaves_the_chat_as_it_was(redis_url: str, database_url: str) -> None:
    async with outgoing_line(redis_url) as line:
        async with scene(database_url) as here:
            post = Post(line, here)
            await post.queue(outgoing("1"), outgoing("2"))
            [lease] = await line.take()
        with pytest.raises(Exception, match="closed"):
            await post.deliverer.work(lease)

        assert post.channels.asked == []
        assert (await line.survey())[0] == 2


async def test_a_message_of_the_outbox_keeps_its_origin(post: Post) -> None:
    message = outgoing(id=str(uuid4()))
    await outbound.insert_outbound(post.here.pool, message, origin="tool", now=post.here.now)
    await post.queue(message)

    await post.work()

    delivery = await post.delivery(message)
    assert (delivery.origin, delivery.state, isinstance(delivery.id, UUID)) == ("tool", "sent", True)
