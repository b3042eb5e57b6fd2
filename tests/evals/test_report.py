"""The report: pass^k as it is defined, every failure, and the names of what needs a model."""

import json
from pathlib import Path

import pytest

from evals.report import Report, pass_hat
from evals.trials import Outcome, Trial
from tests.evals.scenes import scenario

PASSED, FAILED = Trial([]), Trial(["step 1: 2 answers, not 1"])


def outcome(*trials: Trial, number: str = "one", **more: str) -> Outcome:
    return Outcome(scenario(id=number, **more), list(trials))


@pytest.mark.parametrize(
    ("trials", "chances"),
    [
        ([PASSED, PASSED, PASSED, PASSED], [1, 1, 1, 1]),
        ([PASSED, PASSED, PASSED, FAILED], [3 / 4, 1 / 2, 1 / 4, 0]),
        ([PASSED, FAILED, FAILED, FAILED], [1 / 4, 0, 0, 0]),
    ],
)
def test_pass_k_is_the_chance_that_k_trials_in_a_row_pass(trials: list[Trial], chances: list[float]) -> None:
    """C(c, k) / C(n, k); an agent that passes mostly does not pass always."""
    assert [pass_hat(k, outcome(*trials)) for k in (1, 2, 3, 4)] == pytest.approx(chances)


def test_pass_k_of_more_trials_than_there_were_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pass\^3 of 2 trials"):
        pass_hat(3, outcome(PASSED, PASSED))


@pytest.fixture
def report() -> Report:
    """Two scenarios twice each, in two languages, one of them shaky; a third was left out."""
    outcomes = [
        outcome(PASSED, PASSED),
        outcome(PASSED, FAILED, number="two", language="en", theme="haggling"),
    ]
    left_out = [scenario(id="three", needs="model", about="sarcasm")]
    return Report(outcomes, left_out, "rules")


def test_the_table_has_themes_languages_failures_and_what_needs_a_model(report: Report) -> None:
    """Whoever reads it knows what to look at."""
    lines = [" ".join(line.split()) for line in report.text().splitlines()]
    assert "tests 1 1.00 1.00" in lines
    assert "haggling 1 0.50 0.00" in lines
    assert "in en 1 0.50 0.00" in lines
    assert "all 2 0.75 0.50" in lines
    assert "two: 1 of 2 failed: tried" in lines
    assert "step 1: 2 answers, not 1" in lines
    assert "Not played, for they need a model (1):" in lines
    assert "three: sarcasm" in lines


def test_the_json_has_every_trial(report: Report, tmp_path: Path) -> None:
    kept = json.loads(report.write(tmp_path / "deep").read_text())
    assert kept["pass"] == {"^1": 0.75, "^2": 0.5}
    assert kept["groups"]["in en"] == {"^1": 0.5, "^2": 0.0}
    assert [trial["passed"] for trial in kept["scenarios"][1]["trials"]] == [True, False]
    assert kept["needs_a_model"] == ["three"]
