"""A few hundred examples of the model test; `make prove` runs ten thousand."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.prove.machine import Machine
from tests.prove.stage import stage

EXAMPLES = 200


@pytest.mark.promise("any-crash")
def test_whatever_happens_nothing_is_lost_or_doubled(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """All promises of the architecture that can be asked of one machine, in random histories."""
    with stage(redis_url, database_url, tmp_path) as opened:
        Machine.stage = opened
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=22,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert opened.tally.counts["examples"] >= EXAMPLES
