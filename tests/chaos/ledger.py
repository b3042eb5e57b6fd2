"""What was written, what was taken in, what customers see of it: the account that must come out even."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """Each message of a customer is a token, and each reply quotes the tokens that it answers.

    `told` are those that our webhook or form answered 200, as far as logs show it; `unsettled` those in a
    reply of which nobody can tell whether it arrived; `failed` are deliveries that will not be sent.
    `committed` counts replies and answered turns.
    """

    written: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    in_turns: dict[str, str] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    unsettled: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    committed: tuple[int, int] = (0, 0)

    @property
    def accepted(self) -> set[str]:
        """Answered 200, or stored: a messenger's log may have scrolled past the 200 of what we have."""
        return self.told | self.stored.keys()

    @property
    def undelivered(self) -> set[str]:
        """Written, and accepted by nobody: their messenger still tries, or has given up."""
        return {token for token, by in self.written.items() if not by.startswith("form/")} - self.accepted

    @property
    def by_silence(self) -> set[str]:
        """Finished without words: forms, which the agent of the storm closes in silence."""
        return {token for token, status in self.in_turns.items() if status == "closed"}

    @property
    def lost(self) -> dict[str, str]:
        """Accepted, and neither answered before the customer's eyes nor accounted for; with the reason.

        A reply that nobody can trace accounts for what its customer does not see, and for nothing before.
        """
        return {token: why for token in sorted(self.accepted) if (why := self._missing(token))}

    @property
    def doubled(self) -> dict[str, str]:
        """Answered or stored more than once; more or fewer replies than answered turns."""
        answered = {token: f"answered {times} times" for token, times in self.seen.items() if times > 1}
        stored = {token: f"stored {times} times" for token, times in self.stored.items() if times > 1}
        replies, turns = self.committed
        uneven = {"replies": f"{replies}, to {turns} answered turns"} if replies != turns else {}
        return uneven | stored | answered

    @property
    def unknown(self) -> dict[str, str]:
        """Of replies of which nobody could tell whether they arrived: what customers really saw of them."""
        return {
            token: f"{why}; {'seen' if self.seen[token] else 'not seen'}"
            for token, why in self.unsettled.items()
        }

    @property
    def in_doubt(self) -> int:
        """How many deliveries nobody can trace."""
        return len(set(self.unsettled.values()))

    def _missing(self, token: str) -> str:
        if token not in self.stored:
            return "in no history"
        if token not in self.in_turns:
            return "in no turn"
        if self.in_turns[token] not in ("answered", "closed"):
            return f"its turn is {self.in_turns[token]}"
        if self.in_turns[token] == "answered" and not self.seen[token] and token not in self.unsettled:
            return "answered, and not seen by the customer"
        return ""
