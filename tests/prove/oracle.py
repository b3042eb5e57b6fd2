"""What must come of what the customers did: a plain record, and the questions it answers."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal

from core.channel import Arrival
from core.echoes import fingerprint
from core.messages import IncomingMessage
from tests.prove.messenger import Place

Kind = Literal["message", "postback", "edit", "delete", "operator_message", "read", "delivered", "typing"]
#: What a customer says and an agent answers.
ASKED: tuple[Kind, ...] = ("message", "postback")


@dataclass(eq=False, slots=True)
class Event:
    """Something the messenger has to deliver. `accepted`: its place among all that were answered 200."""

    place: Place
    kind: Kind
    target: str
    text: str
    arrival: Arrival
    at: datetime
    accepted: int | None = None
    spooled: bool = False


@dataclass(slots=True)
class Fate:
    """What is known of one message of a customer: what it says at last, and whether it was taken back."""

    place: Place
    text: str
    deleted: bool
    changed_early: bool


@dataclass(slots=True)
class Oracle:
    """All that customers, operators and messengers did, in order."""

    events: list[Event] = field(default_factory=list)
    garbage: list[bytes] = field(default_factory=list)
    listed: list[tuple[Place, str]] = field(default_factory=list)
    taken_over: set[Place] = field(default_factory=set)
    #: Words that the hub has accepted, where they go, and by the delivery's id those outside a turn.
    promised: list[tuple[Place, str]] = field(default_factory=list)
    deliveries: dict[str, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    #: Words that an operator let go once more: they come late.
    again: set[str] = field(default_factory=set)
    bulks: dict[str, list[tuple[Place, str]]] = field(default_factory=dict)
    #: Somebody has merged clients: their cases have two histories.
    merged: bool = False
    #: Which client a customer was first, and the merges that stand: {id: (winner, loser)}.
    born: dict[Place, int] = field(default_factory=dict)
    merges: dict[int, tuple[int, int]] = field(default_factory=dict)
    #: What clients had said, and was said to them, before they were erased, and how much they saw of us.
    gone: list[Event] = field(default_factory=list)
    unsaid: set[str] = field(default_factory=set)
    unbulked: set[tuple[str, Place]] = field(default_factory=set)
    shown: dict[Place, int] = field(default_factory=dict)
    #: Dead letters by id: their payload when it was first seen, and what was written in its place.
    letters: dict[str, bytes] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    reworded: dict[str, list[str]] = field(default_factory=dict)
    mended: dict[str, list[Event]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _accepted: Iterator[int] = field(default_factory=lambda: count(1))

    def happens(self, place: Place, kind: Kind, target: str, text: str, now_ms: int) -> Event:
        """Somebody did something; times of one chat never repeat."""
        number = next(self._numbers)
        at = datetime.fromtimestamp((now_ms + number) / 1000, UTC)
        own = kind == "operator_message"
        message = IncomingMessage.model_validate(
            {
                "channel": place[0],
                "account": place[1],
                "event": kind,
                "external_user_id": f"user of {place[2]}",
                "external_chat_id": place[2],
                "external_message_id": target,
                "text": text,
                "timestamp": at,
            }
        )
        key = f"{target}:{kind}:{number}"
        arrival = Arrival(message, key, own=own, fingerprint=fingerprint(text) if own else "")
        event = Event(place, kind, target, text, arrival, at)
        if own:
            self.taken_over.add(place)
        self.events.append(event)
        return event

    def new_words(self, letter: str, place: Place) -> str:
        """Words that nobody has used; the letter tells whose they are."""
        return f"{letter}{next(self._numbers)} to {' '.join(place)}"

    def says(self, place: Place, kind: Kind, now_ms: int) -> Event:
        """A customer or an operator says something new; its words are its name."""
        name = f"c{next(self._numbers):04}"
        return self.happens(place, kind, name, name, now_ms)

    def kept_back(self, event: Event) -> Event:
        """It has not happened after all: no messenger delivers it."""
        self.events.remove(event)
        return event

    def accept(self, event: Event, *, spooled: bool) -> None:
        """The messenger heard 200."""
        if event.accepted is None:
            event.accepted = next(self._accepted)
            event.spooled = spooled

    def unspool(self, places: set[tuple[str, str]]) -> None:
        """What lay on the disk of these channels is in Redis now."""
        for event in self.events:
            if event.place[:2] in places:
                event.spooled = False

    def promise(self, place: Place, words: str, told: dict[str, Any] | None) -> None:
        """The hub has answered somebody who wants these words to be sent."""
        if told is None or told.get("status") not in ("queued", "scheduled", "duplicate"):
            return
        self.promised.append((place, words))
        self.deliveries[told["delivery_id"]] = words

    def owners(self) -> dict[Place, int]:
        """Which client a customer is by now."""
        into = {loser: winner for winner, loser in self.merges.values()}
        owners = dict(self.born)
        for place, owner in owners.items():
            while owner in into:
                owner = into[owner]
            owners[place] = owner
        return owners

    def forget(self, places: set[Place], words: set[str]) -> None:
        """The client of these places is erased. What their messengers still deliver of before is no news."""
        self.gone += [event for event in self.events if event.place in places and event not in self.gone]
        self.unsaid |= words
        self.promised = [one for one in self.promised if one[0] not in places]
        self.listed = [one for one in self.listed if one[0] not in places]
        for place in places:
            self.born.pop(place, None)

    def forget_letters(self, still_there: Collection[str], places: set[Place]) -> None:
        """Letters that are about these places have to be gone."""
        for number in [one for one in self.letters if one not in still_there and one not in self.purged]:
            if self._is_about(number, places):
                payload = self.letters.pop(number)
                if payload in self.garbage:
                    self.garbage.remove(payload)

    def _is_about(self, number: str, places: set[Place]) -> bool:
        mended = any(event.place in places for event in self.mended.get(number, []))
        words = self.letters[number].decode(errors="replace")
        return mended or any(f"to {' '.join(place)}" in words or place[2] in words for place in places)

    def undelivered(self) -> list[Event]:
        """What the messengers would deliver again."""
        return [event for event in self.events if event.accepted is None]

    def said(self, *kinds: Kind) -> list[Event]:
        """What was said in these ways and is to be known, whether it arrived or not."""
        return [event for event in self.events if event.kind in kinds and event not in self.gone]

    def changeable(self) -> list[Event]:
        """Messages that were not taken back."""
        gone = {event.target for event in (*self.said("delete"), *self.gone)}
        return [event for event in self.said(*ASKED) if event.target not in gone]

    def fates(self) -> dict[str, Fate]:
        """Every customer's message of which anything has arrived."""
        fates: dict[str, Fate] = {}
        for said in self.said(*ASKED):
            about = [one for one in self.events if one.target == said.target and one.accepted is not None]
            arrived = [one for one in about if one.kind in ("edit", "delete", *ASKED)]
            if not arrived:
                continue
            words = max((one for one in arrived if one.kind != "delete"), key=_time, default=None)
            fates[said.target] = Fate(
                said.place,
                words.text if words else "",
                deleted=any(one.kind == "delete" for one in arrived),
                changed_early=_first(arrived).kind not in ASKED,
            )
        return fates

    def open_questions(self, place: Place) -> set[str]:
        """What an answer in this chat must have seen: it is in our hands, and not taken back."""
        return {
            event.target
            for event in self.changeable()
            if event.place == place and event.accepted is not None and not event.spooled
        }


def _time(event: Event) -> datetime:
    return event.at


def _first(events: list[Event]) -> Event:
    return min(events, key=lambda event: event.accepted or 0)
