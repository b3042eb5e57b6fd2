"""A crash at each await of a message's way, before the server got the command and after."""

from pathlib import Path

import pytest

from tests.prove.fuse import When
from tests.prove.stage import stage
from tests.prove.sweep import ROLES, cut_at, first_of_each, pilot

TIMES: tuple[When, ...] = ("before", "after")


@pytest.mark.promise("any-crash")
@pytest.mark.promise("no-loss-orchestrator")
@pytest.mark.promise("no-loss-channel")
def test_a_crash_at_any_await_loses_and_doubles_nothing(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """The first await of each name, over all steps; `make prove` cuts every one, in every way."""
    with stage(redis_url, database_url, tmp_path) as opened:
        points = opened.run(pilot(opened))
        chosen = [point for role in ROLES for point in first_of_each(points, role)]
        for point in chosen:
            for when in TIMES:
                opened.run(cut_at(opened, point, when, "kill"))

        assert {point.name for point in points} == opened.log.points_cut("kill")
