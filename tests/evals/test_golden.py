"""What needs a model can be passed: a good answer fails none of its checks."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.checks import failures
from evals.library import load
from evals.played import Exchange, Played
from evals.scenario import Scenario, Step

GOLDEN: dict[str, list[Any]] = yaml.safe_load(Path(__file__).with_name("golden.yaml").read_text("utf-8"))
FOR_A_MODEL = [one for one in load() if one.needs == "model"]


def test_every_scenario_that_needs_a_model_has_a_good_answer() -> None:
    assert set(GOLDEN) == {one.id for one in FOR_A_MODEL}


@pytest.mark.parametrize("one", FOR_A_MODEL, ids=lambda one: one.id)
def test_a_good_answer_passes(one: Scenario) -> None:
    """A scenario that nobody can pass tells nothing of an agent."""
    exchanges = [_answered(step, said) for step, said in zip(one.steps, GOLDEN[one.id], strict=True)]
    assert failures(one, Played(exchanges)) == []


def _answered(step: Step, said: str | dict[str, str]) -> Exchange:
    reply = said if isinstance(said, str) else said["person"]
    return Exchange("customer", [], step.expect, [reply], turns=1, handed_off=not isinstance(said, str))
