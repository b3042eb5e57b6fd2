"""Dead letters: an operator looks into them, mends, replays and purges; the payload is kept whole."""

import json
from dataclasses import dataclass
from typing import Literal

from core.deadletters import DeadLetter
from core.keys import Keys, LetterState
from tests.prove.fuse import Cut
from tests.prove.messenger import Place
from tests.prove.stage import Stage
from tests.prove.world import World

Door = Literal["incoming", "outgoing"]
DOORS: tuple[Door, ...] = ("incoming", "outgoing")
STATES: tuple[LetterState, ...] = ("waiting", "replayed")


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter, and where it lies."""

    state: LetterState
    letter: DeadLetter


async def kept_letters(stage: Stage) -> dict[str, Kept]:
    """All of both doors by id, the oldest first."""
    found: dict[str, Kept] = {}
    for state in STATES:
        for door in DOORS:
            stored = await stage.redis.client.hgetall(Keys().letters(door, state))
            for raw in stored.values():
                letter = DeadLetter.model_validate_json(raw)
                found[letter.id] = Kept(state, letter)
    return dict(sorted(found.items()))


async def replay(world: World, number: int, which: int, cut: Cut | None) -> None:
    """One letter once more, perhaps not for the first time."""
    letters = await _look(world)
    if letters:
        kept = letters[list(letters)[which % len(letters)]]
        _will_come_late(world, kept.letter)
        await _change(world, number, cut, letter_id=kept.letter.id, action="replay")


async def replay_all(world: World, number: int, door: Door, cut: Cut | None) -> None:
    """All letters that wait at a door, the oldest first."""
    for kept in (await _look(world)).values():
        _will_come_late(world, kept.letter)
    await _change(world, number, cut, door=door, action="replay")


async def mend(world: World, number: int, which: int, place: Place, cut: Cut | None) -> None:
    """Let a letter say something: other words of ours, or in place of garbage a customer's message."""
    letters = await _look(world)
    waiting = [kept.letter for kept in letters.values() if kept.state == "waiting"]
    if not waiting:
        return
    letter = waiting[which % len(waiting)]
    oracle = world.oracle
    if letter.door == "incoming":
        event = oracle.kept_back(oracle.says(place, "message", world.stage.clock.now_ms()))
        payload = event.arrival.message.model_dump_json()
        oracle.mended[letter.id] = [*oracle.mended.get(letter.id, []), event]
    else:
        message = json.loads(letter.raw)
        there: Place = (message["channel"], message["account"], message["external_chat_id"])
        message["text"] = oracle.new_words("e", there)
        payload = json.dumps(message)
        oracle.reworded[letter.id] = [*oracle.reworded.get(letter.id, []), message["text"]]
    await _change(world, number, cut, letter_id=letter.id, action="edit", payload=payload)


async def purge(world: World, number: int, which: int, cut: Cut | None) -> None:
    """Drop one for good."""
    letters = await _look(world)
    if letters:
        gone = list(letters)[which % len(letters)]
        world.oracle.purged.add(gone)
        await _change(world, number, cut, letter_id=gone, action="purge", confirm=True)


async def _look(world: World) -> dict[str, Kept]:
    """What lies there now; whatever was seen once is expected to lie there until it is purged."""
    letters = await kept_letters(world.stage)
    for number, kept in letters.items():
        world.oracle.letters.setdefault(number, kept.letter.raw_original)
    return letters


async def _change(world: World, number: int, cut: Cut | None, **given: object) -> None:
    operation = "change_dead_letter" if "letter_id" in given else "change_dead_letters"
    await world.do(number, lambda hub: hub.order(operation, **given), cut)
    for kept in (await _look(world)).values():
        if kept.state == "replayed":
            _arrives(world, kept.letter)


def _arrives(world: World, letter: DeadLetter) -> None:
    """A customer's message that stood in place of garbage is ours from now on."""
    for event in world.oracle.mended.get(letter.id, []):
        if event.accepted is None and json.loads(letter.raw)["external_message_id"] == event.target:
            world.oracle.events.append(event)
            world.oracle.accept(event, spooled=False)


def _will_come_late(world: World, letter: DeadLetter) -> None:
    if letter.door == "outgoing":
        world.oracle.again.add(json.loads(letter.raw)["text"])
