"""A small storm over all seven channels; `make chaos` is the same at full size."""

from pathlib import Path

import pytest

from launcher.engines import Engines
from tests.chaos.plan import MESSENGERS, VICTIMS, Plan
from tests.chaos.report import summary
from tests.chaos.storm import SETTINGS, Storm
from tests.engines_fixture import database, empty_redis
from tests.system import System, running

pytestmark = pytest.mark.e2e

SMALL = Plan(messages=1_200, kills=len(VICTIMS), minutes=1.0, agents=3, customers=20, accepted=0.9)


@pytest.mark.promise("no-loss-storm")
def test_everything_is_killed_once_and_no_message_is_lost_or_doubled(
    engines: Engines, tmp_path: Path
) -> None:
    """Every service, Redis and PostgreSQL, while the messengers misbehave."""
    with database(engines) as url:
        system = System(
            tmp_path, redis_url=empty_redis(engines), database_url=url, channels=MESSENGERS, **SETTINGS
        )
        with running(system):
            system.start_all()
            outcome = Storm(system, engines, SMALL, lambda _: None).run()

    assert outcome.even, summary(outcome)
    assert outcome.complete, summary(outcome)
    assert set(outcome.killed) == set(VICTIMS)
