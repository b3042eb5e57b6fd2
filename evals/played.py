"""What happened in a scenario that was played."""

from dataclasses import dataclass, field
from typing import Any

from evals.scenario import By, Expectation


@dataclass(slots=True)
class Exchange:
    """What somebody wrote, and what came of it. `unfinished` says in words what was still awaited."""

    by: By
    wrote: list[str]
    expect: Expectation
    replies: list[str] = field(default_factory=list)
    turns: int = 0
    handed_off: bool = False
    unfinished: str = ""
    seconds: float = 0.0

    def as_row(self) -> dict[str, Any]:
        """For the report."""
        return {
            "by": self.by,
            "wrote": self.wrote,
            "replies": self.replies,
            "turns": self.turns,
            "handed_off": self.handed_off,
            "seconds": round(self.seconds, 1),
        }


@dataclass(slots=True)
class Played:
    """One conversation, whole. `bystander_heard`: messages to the bystander beyond their own answers."""

    exchanges: list[Exchange] = field(default_factory=list)
    bystander_heard: int = 0

    def of(self, who: By) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.by == who]

    @property
    def told(self) -> str:
        """Everything that the customer was told."""
        return "\n".join(reply for exchange in self.of("customer") for reply in exchange.replies)

    @property
    def handed_off(self) -> bool:
        """Whether a person has the customer at the end."""
        return any(exchange.handed_off for exchange in self.of("customer")[-1:])
