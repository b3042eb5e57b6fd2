"""One system with every messenger for all of these tests."""

import itertools
from collections.abc import Iterator

import pytest

from core.registry import CHANNELS
from launcher.engines import Engines
from tests.engines_fixture import database, empty_redis
from tests.system import System, running

MESSENGERS = [channel.channel for channel in CHANNELS]
_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def everything(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """As `eldoleado run` has it; the tests are the agent, or start the demo agent."""
    folder = tmp_path_factory.mktemp("everything")
    with database(engines) as url:
        made = System(folder, redis_url=empty_redis(engines), database_url=url, channels=tuple(MESSENGERS))
        with running(made):
            made.start_all()
            yield made


@pytest.fixture
def stranger() -> str:
    """Somebody who has never written before."""
    return f"stranger-{next(_numbers)}"
