"""One measured comparison, and its goal."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` is at least or at most this."""

    relation: Literal["at least", "at most"]
    value: float

    def met(self, measured: float) -> bool:
        return measured >= self.value if self.relation == "at least" else measured <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.relation == 'at least' else '<='} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Finding:
    """`ours` beside `other` (what it is compared with, in the same unit); `judged` is what the goal is about.

    Without `other` the goal is about our own figure.
    """

    section: str
    what: str
    unit: str
    ours: float
    other: float | None = None
    beside: str = ""
    judged: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Ours to the other's."""
        return self.ours / self.other if self.other else None

    @property
    def verdict(self) -> str:
        """Whether the goal is met; "" without a goal."""
        if self.goal is None or self.judged is None:
            return ""
        return "met" if self.goal.met(self.judged) else "missed"

    def as_row(self) -> dict[str, Any]:
        return asdict(self) | {
            "ratio": self.ratio,
            "goal": str(self.goal) if self.goal else "",
            "verdict": self.verdict,
        }


def at_least(value: float) -> Goal:
    return Goal("at least", value)


def at_most(value: float) -> Goal:
    return Goal("at most", value)
