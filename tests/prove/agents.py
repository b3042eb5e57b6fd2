"""What agents know and do: a turn in hand, the words they answered with, a call whose answer was lost."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.prove.messenger import Place


@dataclass(eq=False, slots=True)
class Hand:
    """A turn that an agent holds, as far as it knows: the token and every message it was shown."""

    turn_id: int
    token: str
    place: Place
    seen: list[str]


@dataclass(eq=False, slots=True)
class Answer:
    """One way in which a turn was to be finished. `outcome` is "" while nobody has told."""

    hand: Hand
    words: str
    quoted: frozenset[str]
    token: str
    force: bool = False
    outcome: str = ""

    @property
    def silent(self) -> bool:
        """Whether nothing was to be said."""
        return not self.words

    @property
    def operation(self) -> tuple[str, dict[str, Any]]:
        """The call, the same however often it is made."""
        given: dict[str, Any] = {"turn_id": str(self.hand.turn_id), "lease_token": self.token}
        if self.silent:
            return "skip_turn", {**given, "reason": ""}
        return "reply", {**given, "text": self.words, "force": self.force}


@dataclass(slots=True)
class Agents:
    """All agents together."""

    hands: list[Hand] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def offered(self, turn: dict[str, Any]) -> Hand:
        """An agent was given a turn."""
        place = (turn["channel"], turn["account"], turn["chat_id"])
        hand = Hand(int(turn["turn_id"]), turn["lease_token"], place, _ids(turn["messages"]))
        self.hands.append(hand)
        return hand

    def answer(self, hand: Hand, *, silent: bool = False, force: bool = False) -> Answer:
        """Words that nobody has used, quoting all that the agent was shown."""
        words = "" if silent else f"r{next(self._numbers)}: " + " ".join(hand.seen)
        made = Answer(hand, words, frozenset(hand.seen), hand.token, force)
        self.answers.append(made)
        return made

    def heard(self, answer: Answer, told: dict[str, Any]) -> None:
        """The hub has told what became of an answer."""
        answer.outcome = told["status"]
        hand = answer.hand
        if told["status"] == "superseded":
            hand.token = told["lease_token"]
            hand.seen += [one for one in _ids(told["new_messages"]) if one not in hand.seen]
        elif hand in self.hands:
            self.hands.remove(hand)

    def in_doubt(self) -> list[Answer]:
        """Answers of which nobody has told what became."""
        return [answer for answer in self.answers if not answer.outcome]


def _ids(messages: list[dict[str, Any]]) -> list[str]:
    return [one["message_id"] for one in messages]
