"""Figures of a run, and how they read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.prove.fuse import CutLog, What, When

#: Every await can be cut in these ways: who stalls must not hold locks.
_EVERYWHERE: tuple[What, ...] = ("kill", "lose")
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
    """What was tried, and what came of it, added up over the examples.

    `swept` is the sweep alone: every await of the way by name, and how it was cut there.
    """

    log: CutLog = field(default_factory=CutLog)
    counts: Counter[str] = field(default_factory=Counter)
    swept: CutLog = field(default_factory=CutLog)

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
        total.swept.passed += one.swept.passed
        total.swept.cut += one.swept.cut
    return total


def shortcomings(tally: Tally, *, examples: int) -> list[str]:
    """Why a run in which no promise broke proves less than it says; nothing when it proves it.

    So many random histories were asked for; with none, some steps were only shown again.
    """
    counts, found = tally.counts, []
    found += [f"{counts[name]} {name}" for name in ("lost", "doubled") if counts[name]]
    if not examples:
        return found
    if counts["examples"] < examples:
        found.append(f"only {counts['examples']} of {examples} random histories were lived")
    if not tally.swept.passed:
        found.append("no await was cut in the sweep")
    for what in _EVERYWHERE:
        missed = tally.swept.passed.keys() - tally.swept.points_cut(what)
        found += [f"the sweep never cut {name} ({what}, before and after)" for name in sorted(missed)]
    return found


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
