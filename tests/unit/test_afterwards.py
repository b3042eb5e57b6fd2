"""What follows a stored webhook: our list of chats, and button presses that are heard."""

import asyncio
from collections.abc import Sequence

from core.afterwards import MOST_WAITING, Afterwards
from core.channel import Arrival
from core.errors import StorageDown, VendorDown
from core.ids import AccountId
from core.messages import IncomingMessage
from core.testing import FakeChannel


class Memory:
    """A list of chats."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.error: Exception | None = None

    async def note(self, account: AccountId, arrivals: Sequence[Arrival]) -> None:
        if self.error:
            raise self.error
        self.noted += [arrival.event_key for arrival in arrivals]


class ButtonChannel(FakeChannel):
    """A messenger that spins until a press is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.down = False

    async def answer_press(self, message: IncomingMessage) -> None:
        if self.down:
            raise VendorDown
        self.heard.append(message.external_message_id)


class HangingChannel(ButtonChannel):
    """A messenger that takes the press and never answers."""

    async def answer_press(self, message: IncomingMessage) -> None:
        await asyncio.Event().wait()


def _press(channel: FakeChannel, message_id: str) -> Arrival:
    arrival = channel.arrival(message_id, "chat", "Да")
    return Arrival(arrival.message.model_copy(update={"event": "postback"}), f"{message_id}:press")


async def test_new_messages_are_noted_and_repeats_are_not() -> None:
    memory, channel = Memory(), FakeChannel()
    after = Afterwards(memory)
    arrivals = [channel.arrival(one, "chat", "x") for one in ("a", "b", "c", "d")]
    async with after.run():
        after.note(channel, arrivals, ["queued", "repeated", "echo", "spooled"])

    assert memory.noted == ["a:message", "d:message"]


async def test_a_press_is_answered_once_however_often_it_is_delivered() -> None:
    channel = ButtonChannel()
    after = Afterwards()
    async with after.run():
        after.note(channel, [_press(channel, "p1")], ["queued"])
        after.note(channel, [_press(channel, "p1")], ["repeated"])

    assert channel.heard == ["p1"]


async def test_a_failure_costs_that_press_only() -> None:
    channel = ButtonChannel()
    after = Afterwards()
    async with after.run():
        channel.down = True
        after.note(channel, [_press(channel, "p1")], ["queued"])
        await after.idle()
        channel.down = False
        after.note(channel, [_press(channel, "p2")], ["queued"])

    assert channel.heard == ["p2"]


async def test_who_presses_is_known_also_when_the_messenger_cannot_be_told() -> None:
    memory, channel = Memory(), ButtonChannel()
    channel.down = True
    after = Afterwards(memory)
    async with after.run():
        after.note(channel, [_press(channel, "p1")], ["queued"])

    assert memory.noted == ["p1:press"]


async def test_a_press_is_heard_also_while_our_list_is_away() -> None:
    memory, channel = Memory(), ButtonChannel()
    memory.error = StorageDown()
    after = Afterwards(memory)
    async with after.run():
        after.note(channel, [_press(channel, "p1")], ["queued"])

    assert channel.heard == ["p1"]


async def test_a_messenger_that_hangs_does_not_hold_up_the_end() -> None:
    channel = HangingChannel()
    after = Afterwards(goodbye=0.01)
    async with asyncio.timeout(5):
        async with after.run():
            after.note(channel, [_press(channel, "p1")], ["queued"])


async def test_a_store_that_is_away_or_broken_stops_nothing() -> None:
    memory, channel = Memory(), FakeChannel()
    after = Afterwards(memory)
    async with after.run():
        for error in (StorageDown(), RuntimeError("broken"), None):
            memory.error = error
            after.note(channel, [channel.arrival("m", "chat", "x")], ["queued"])
            await after.idle()

    assert memory.noted == ["m:message"]


async def test_more_than_can_wait_goes_without() -> None:
    memory, channel = Memory(), FakeChannel()
    after = Afterwards(memory)
    for number in range(MOST_WAITING + 5):
        after.note(channel, [channel.arrival(str(number), "chat", "x")], ["queued"])
    async with after.run():
        await after.idle()

    assert len(memory.noted) == MOST_WAITING
