"""The demo agent's loop against a hub that follows a script."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import pytest

from examples.agent.answers import Answer
from examples.agent.hub import HubRefused, Message, Reply, Turn
from examples.agent.loop import ATTEMPTS, Agent, quoted


def message(number: int, text: str, **more: Any) -> Message:
    return Message(message_id=str(number), text_untrusted=text, **more)


def turn(number: int = 12, *texts: str, **more: Any) -> Turn:
    messages = [message(n, text) for n, text in enumerate(texts or ("Здравствуйте",))]
    given = {"turn_id": str(number), "lease_token": f"{number}:0", "channel": "avito", "messages": messages}
    return Turn.model_validate(given | {"client_name_untrusted": "Анна"} | more)


class ScriptedHub:
    """Offers the given turns, answers replies as told, and sets `done` when nothing is left."""

    def __init__(self, turns: Iterable[Turn | HubRefused | None], replies: Iterable[Reply] = ()) -> None:
        self._turns, self._replies = list(turns), list(replies)
        self.done = asyncio.Event()
        self.replied: list[tuple[str, str, str, bool]] = []
        self.skipped: list[tuple[str, str]] = []
        self.handed_off: list[tuple[str, ...]] = []
        self.refuses_words = False
        self.extended = asyncio.Event()

    async def wait_for_turn(self, agent: str) -> Turn | None:
        if not self._turns:
            self.done.set()
            await asyncio.Event().wait()
        offered = self._turns.pop(0)
        if isinstance(offered, HubRefused):
            raise offered
        return offered

    async def reply(self, turn: Turn, text: str, *, force: bool = False) -> Reply:
        self.replied.append((turn.turn_id, turn.lease_token, text, force))
        return self._replies.pop(0) if self._replies else Reply(status="queued", delivery_id="d")

    async def skip_turn(self, turn: Turn, reason: str) -> None:
        self.skipped.append((turn.turn_id, reason))

    async def extend_turn(self, turn: Turn) -> None:
        self.extended.set()

    async def hand_off(self, turn: Turn, reason: str) -> None:
        self.handed_off.append((turn.turn_id, reason))

    async def say_before_hand_off(self, turn: Turn, text: str) -> None:
        if self.refuses_words:
            raise HubRefused("conversation_paused")
        self.handed_off.append((turn.turn_id, "said", text))


class Counting:
    """Says how many messages it saw."""

    async def answer(self, turn: Turn) -> Answer:
        return Answer(" + ".join(message.text_untrusted for message in turn.messages))


async def run(hub: ScriptedHub, answerer: Any = None, concurrency: int = 4) -> None:
    agent = Agent(hub, answerer or Counting(), name="test", concurrency=concurrency)
    await agent.run(hub.done)


async def test_a_turn_is_answered_once_and_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hub = ScriptedHub([None, turn(12, "Привет", "сколько стоит", "экран?")])

    await run(hub)

    assert hub.replied == [("12", "12:0", "Привет + сколько стоит + экран?", False)]
    assert [record.getMessage() for record in caplog.records] == [
        "turn 12 · avito · Анна · 3 messages: «Привет» | «сколько стоит» | «экран?»",
        "reply 12 · queued · «Привет + сколько стоит + экран?»",
    ]


async def test_when_the_customer_writes_on_everything_is_answered_with_the_new_lease() -> None:
    wrote_on = Reply(status="superseded", lease_token="12:1", new_messages=[message(1, "и батарея")])
    hub = ScriptedHub([turn(12, "экран?")], [wrote_on])

    await run(hub)

    assert hub.replied == [
        ("12", "12:0", "экран?", False),
        ("12", "12:1", "экран? + и батарея", False),
    ]


async def test_a_message_that_was_known_is_not_counted_twice() -> None:
    again = Reply(status="superseded", new_messages=[message(0, "экран?"), message(1, "и батарея")])
    hub = ScriptedHub([turn(12, "экран?")], [again])

    await run(hub)

    assert hub.replied[-1][2] == "экран? + и батарея"


async def test_a_customer_who_never_stops_is_answered_in_the_end() -> None:
    wrote_on = [Reply(status="superseded", new_messages=[message(n, "ещё")]) for n in range(1, ATTEMPTS)]
    hub = ScriptedHub([turn()], wrote_on)

    await run(hub)

    assert [force for *_, force in hub.replied] == [False] * (ATTEMPTS - 1) + [True]


@pytest.mark.parametrize("status", ["stale_lease", "already_answered"])
async def test_a_turn_that_is_no_longer_ours_is_dropped(status: Any) -> None:
    hub = ScriptedHub([turn(12), turn(13)], [Reply(status=status)])

    await run(hub)

    assert [number for number, *_ in hub.replied] == ["12", "13"]


async def test_a_channel_without_a_way_back_is_left_to_a_person() -> None:
    hub = ScriptedHub([turn(12, channel="form", can_reply=False, client_phone="+79001234567")])

    await run(hub)

    assert hub.replied == []
    assert hub.skipped == [("12", "no way back on form; a person calls +79001234567")]


async def test_an_empty_answer_is_silence() -> None:
    hub = ScriptedHub([turn(12, "")])

    await run(hub)

    assert (hub.replied, hub.skipped) == ([], [("12", "nothing to say")])


class Giving:
    """Gives every turn to a person."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def answer(self, turn: Turn) -> Answer:
        return Answer(self.text, hand_off="asked for one")


@pytest.mark.parametrize(
    ("text", "refuses", "expected"),
    [
        ("Зовём коллегу.", False, [("12", "said", "Зовём коллегу."), ("12", "asked for one")]),
        ("Зовём коллегу.", True, [("12", "asked for one")]),
        ("", False, [("12", "asked for one")]),
    ],
)
async def test_a_person_gets_the_turn_after_the_last_words(
    text: str, refuses: bool, expected: list[tuple[str, ...]]
) -> None:
    """Whether or not these can be said; the turn stays unanswered, for the person."""
    hub = ScriptedHub([turn(12)])
    hub.refuses_words = refuses

    await run(hub, Giving(text))

    assert (hub.handed_off, hub.replied) == (expected, [])


async def test_a_failure_in_one_turn_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Counting):
        async def answer(self, turn: Turn) -> Answer:
            if turn.turn_id == "12":
                raise ZeroDivisionError
            return await super().answer(turn)

    hub = ScriptedHub([turn(12), turn(13)])

    await run(hub, Failing(), concurrency=1)

    assert [number for number, *_ in hub.replied] == ["13"]
    assert "turn 12 failed" in caplog.text


class Gate:
    """Answers when the test opens it."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.thinking = asyncio.Semaphore(0)

    async def answer(self, turn: Turn) -> Answer:
        self.thinking.release()
        await self.open.wait()
        return Answer("ok")


async def test_turns_are_answered_side_by_side_up_to_the_limit() -> None:
    hub, gate = ScriptedHub([turn(n) for n in range(3)]), Gate()
    working = asyncio.create_task(run(hub, gate, concurrency=2))

    for _ in range(2):
        await gate.thinking.acquire()
    assert (hub.done.is_set(), gate.thinking.locked()) == (False, True)
    gate.open.set()
    await working

    assert [number for number, *_ in hub.replied] == ["0", "1", "2"]


async def test_a_turn_in_hand_is_finished_before_the_end() -> None:
    hub, gate = ScriptedHub([turn(12)]), Gate()
    working = asyncio.create_task(run(hub, gate))

    await gate.thinking.acquire()
    await hub.done.wait()
    gate.open.set()
    await working

    assert [number for number, *_ in hub.replied] == ["12"]


async def test_the_lease_is_extended_while_the_model_thinks() -> None:
    hub, gate = ScriptedHub([turn(12, lease_seconds=0.03)]), Gate()
    working = asyncio.create_task(run(hub, gate))

    await hub.extended.wait()
    gate.open.set()
    await working

    assert [number for number, *_ in hub.replied] == ["12"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Привет\n\nмир", "«Привет мир»"),
        ("красный \x1b[31mтекст\x07", "«красный  [31mтекст »"),
        ("я" * 200, f"«{'я' * 200}»"),
        ("я" * 201, f"«{'я' * 199}…»"),
        ("", "«»"),
    ],
)
def test_a_customers_words_are_one_short_harmless_line_of_the_log(text: str, shown: str) -> None:
    assert quoted(text) == shown


async def test_media_are_marked_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    voice = message(1, "", voice_transcript_untrusted="сколько стоит?")
    photo = message(2, "вот", image_urls=["http://x/1.jpg"])

    await run(ScriptedHub([turn(12, messages=[voice, photo])]))

    assert "2 messages: «[voice] сколько стоит?» | «[photo] вот»" in caplog.text
