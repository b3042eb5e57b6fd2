"""What one process of the model test does: cut its part of the awaits, then live its random histories."""

import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.prove.fuse import When
from tests.prove.machine import Machine
from tests.prove.stage import Stage, stage
from tests.prove.sweep import ROLES, WAYS, cut_at, first_of_each, pilot
from tests.prove.tally import Tally

_TIMES: tuple[When, ...] = ("before", "after")
#: Spools are opened thousands of times; where there is such a folder, no disk is waited for.
_MEMORY = Path("/dev/shm")  # noqa: S108  # only as the parent of a folder with a random name


@dataclass(frozen=True, slots=True)
class Share:
    """What one process has to do: every `jobs`-th await, and its part of the examples."""

    number: int
    jobs: int
    examples: int
    steps: int
    seed: int
    blob: str
    first: bool
    redis_url: str
    database_url: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a share; `failure` is "" when every promise held."""

    share: Share
    tally: Tally
    failure: str = ""


def run_share(share: Share) -> Done:
    """Do it, on a stage of its own."""
    spools = _MEMORY if _MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=spools, prefix="prove-") as folder,
        stage(share.redis_url, share.database_url, Path(folder)) as opened,
    ):
        try:
            if not share.blob:
                _cut_each_await(opened, share)
            _random_histories(opened, share)
        except Exception as error:  # noqa: BLE001  # whatever was found is told, with its traceback
            return Done(share, opened.tally, "".join(traceback.format_exception(error)))
        return Done(share, opened.tally)


def _cut_each_await(opened: Stage, share: Share) -> None:
    points = opened.run(pilot(opened))
    opened.tally.add(examples=-opened.tally.counts["examples"])  # the pilot's are no random histories
    if share.first:
        points = [point for role in ROLES for point in first_of_each(points, role)]
    cuts = [
        (point, when, what)
        for point in points
        for role, what in WAYS
        for when in _TIMES
        if role == point.role
    ]
    for point, when, what in cuts[share.number :: share.jobs]:
        opened.run(cut_at(opened, point, when, what))
        opened.tally.add(sweeps=1, examples=-1)
    opened.tally.swept.passed.update(point.name for point in points)
    opened.tally.swept.cut.update(opened.tally.log.cut)


def _random_histories(opened: Stage, share: Share) -> None:
    machine = hypothesis.seed(share.seed)(type("Machine", (Machine,), {"stage": opened}))
    if share.blob:
        machine = hypothesis.reproduce_failure(hypothesis.__version__, share.blob.encode())(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=share.examples,
            stateful_step_count=share.steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
