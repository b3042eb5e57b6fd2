"""pass^k of scenarios, themes and languages: a table for people, JSON for machines."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from typing import Any

from evals.scenario import Scenario
from evals.trials import Outcome, Trial


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes of one run, and the scenarios that were left out because they need a model."""

    outcomes: Sequence[Outcome]
    left_out: Sequence[Scenario]
    agent: str
    judge: str = ""

    @property
    def times(self) -> int:
        """How often each scenario was played."""
        return max((len(outcome.trials) for outcome in self.outcomes), default=0)

    def pass_hat(self, k: int, of: Iterable[Outcome] | None = None) -> float:
        """The mean chance that k trials in a row pass; 1.0 of nothing."""
        chances = [pass_hat(k, outcome) for outcome in (self.outcomes if of is None else of)]
        return sum(chances) / len(chances) if chances else 1.0

    def text(self) -> str:
        """A table by theme and language, every failure, and the names of what needs a model."""
        often = "once" if self.times == 1 else f"{self.times} times"
        lines = [f"agent: {self.agent}; judge: {self.judge or 'none'}; each scenario {often}", ""]
        rows = [("", "scenarios", "pass^1", f"pass^{self.times}")]
        rows += [self._row(name, outcomes) for name, outcomes in self._groups()]
        rows.append(self._row("all", list(self.outcomes)))
        lines += _aligned(rows if self.times > 1 else [row[:3] for row in rows])
        lines += [line for outcome in self.outcomes for line in _of_failures(outcome)]
        if self.left_out:
            lines += ["", f"Not played, for they need a model ({len(self.left_out)}):"]
            lines += [f"  {one.id}: {one.about}" for one in self.left_out]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "agent": self.agent,
            "judge": self.judge,
            "times": self.times,
            "pass": {f"^{k}": round(self.pass_hat(k), 4) for k in range(1, self.times + 1)},
            "groups": {
                name: {f"^{k}": round(self.pass_hat(k, of), 4) for k in range(1, self.times + 1)}
                for name, of in self._groups()
            },
            "scenarios": [_document(outcome) for outcome in self.outcomes],
            "needs_a_model": [one.id for one in self.left_out],
        }

    def write(self, folder: Path) -> Path:
        """evals.json in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "evals.json"
        path.write_text(json.dumps(self.document(), ensure_ascii=False, indent=1) + "\n", "utf-8")
        return path

    def _groups(self) -> list[tuple[str, list[Outcome]]]:
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(outcome.scenario.theme, []).append(outcome)
        for outcome in self.outcomes:
            groups.setdefault(f"in {outcome.scenario.language}", []).append(outcome)
        return list(groups.items())

    def _row(self, name: str, outcomes: list[Outcome]) -> tuple[str, str, str, str]:
        first, last = self.pass_hat(1, outcomes), self.pass_hat(self.times, outcomes)
        return (name, str(len(outcomes)), f"{first:.2f}", f"{last:.2f}")


def pass_hat(k: int, outcome: Outcome) -> float:
    """The unbiased estimate from n trials of which c passed: C(c, k) / C(n, k)."""
    trials = len(outcome.trials)
    if not 1 <= k <= trials:
        raise ValueError(f"pass^{k} of {trials} trials")
    return comb(outcome.passes, k) / comb(trials, k)


def _of_failures(outcome: Outcome) -> list[str]:
    failed = [trial for trial in outcome.trials if not trial.passed]
    if not failed:
        return []
    head = f"{outcome.scenario.id}: {len(failed)} of {len(outcome.trials)} failed: {outcome.scenario.about}"
    return ["", head, *(f"  {what}" for what in failed[0].failures)]


def _document(outcome: Outcome) -> dict[str, Any]:
    scenario = outcome.scenario
    return {
        "id": scenario.id,
        "about": scenario.about,
        "theme": scenario.theme,
        "language": scenario.language,
        "channel": scenario.channel,
        "needs": scenario.needs,
        "pass": {f"^{k}": round(pass_hat(k, outcome), 4) for k in range(1, len(outcome.trials) + 1)},
        "trials": [_trial(trial) for trial in outcome.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    exchanges = [exchange.as_row() for exchange in trial.played.exchanges]
    return {"passed": trial.passed, "failures": trial.failures, "exchanges": exchanges}


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in cells)
        for cells in (list(enumerate(zip(row, widths, strict=True))) for row in rows)
    ]
