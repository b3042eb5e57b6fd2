"""Figures of a run, and how they read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.prove.fuse import CutLog, What, When

_WAYS: tuple[tuple[What, When], ...] = (
    ("kill", "before"),
    ("kill", "after"),
    ("lose", "before"),
    ("lose", "after"),
    ("stall", "before"),
    ("stall", "after"),
)
_LINES = {
    "examples": "random histories",
    "sweeps": "histories cut at one await each",
    "steps": "steps in them",
    "messages": "customers' messages",
    "answered": "of them in a finished turn (the others were taken back)",
    "turns": "turns",
    "promised": "replies and other messages that were accepted",
    "sends": "deliveries, with those from queue:outgoing",
    "seen": "seen by customers",
    "failed": "failed: refused, or sent anew by an operator who could not tell",
    "cancelled": "cancelled, not sent",
    "unknown": "unknown, in the dead letters",
}


@dataclass
class Tally:
    """What was tried, and what came of it, added up over the examples."""

    log: CutLog = field(default_factory=CutLog)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, **counts: int) -> None:
        """Count further."""
        self.counts.update(counts)


def together(tallies: Iterable[Tally]) -> Tally:
    """The sum of several runs."""
    total = Tally()
    for one in tallies:
        total.counts += one.counts
        total.log.passed += one.log.passed
        total.log.cut += one.log.cut
    return total


def summary(tally: Tally, *, seed: int, seconds: float) -> str:
    """The figures as Markdown, to be pasted into docs/reliability.md."""
    counts = tally.counts
    cut: Counter[str] = Counter()
    for (_, _, what), times in tally.log.cut.items():
        cut[what] += times
    rows = [(words, counts[name]) for name, words in _LINES.items()]
    rows += [
        ("processes killed at an await", cut["kill"]),
        ("answers lost", cut["lose"]),
        ("processes stalled beyond their leases", cut["stall"]),
        ("**lost**", counts["lost"]),
        ("**doubled**", counts["doubled"]),
    ]
    lines = [f"`make prove`, seed {seed}, {seconds:.0f} s", "", "| what | how many |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {words} | {number:,} |" for words, number in rows)])


def table_of_cuts(tally: Tally) -> str:
    """Every await by name: how often it was passed, and cut in which way."""
    heads = " | ".join(f"{what} {when}" for what, when in _WAYS)
    lines = [f"| await | passed | {heads} |", "|---|---:|" + "---:|" * len(_WAYS)]
    for name in sorted(tally.log.passed):
        cuts = [tally.log.cut[name, when, what] for what, when in _WAYS]
        figures = " | ".join(f"{number:,}" for number in (tally.log.passed[name], *cuts))
        lines.append(f"| {name} | {figures} |")
    return "\n".join(lines)
