"""One running system for all end-to-end tests of a worker; each test has customers of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from launcher.engines import Engines
from tests.engines_fixture import database
from tests.system import System, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def system(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Every service, without an agent: the tests are the agent."""
    folder = tmp_path_factory.mktemp("system")
    with database(engines) as url:
        made = System(folder, redis_url=engines.redis_url, database_url=url, REFUSED_ACCOUNT_SECONDS="1")
        with running(made):
            made.start_all()
            yield made


@pytest.fixture
def customer(system: System) -> Iterator[str]:
    """Somebody who has never written before; the vendor behaves again afterwards."""
    yield f"customer-{next(_numbers)}"
    system.http.delete(f"{system.url('sandbox')}/control/avito/faults").raise_for_status()


@pytest.fixture
def misbehave(system: System) -> Callable[..., None]:
    """Switch faults of the simulated vendor on."""

    def switch(**faults: object) -> None:
        system.post("sandbox", "/control/avito/faults", faults)

    return switch
