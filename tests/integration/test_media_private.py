"""No file of a message leads into our own network: the fetcher of production before a real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.media_fetch import MediaFetcher
from orchestrator.media_fetching import Fetching, FetchLimits
from orchestrator.safekeeping import Safekeeping
from tests.integration.media_fixture import JPEG, FakeLinks, Files, files, photo
from tests.integration.s3_fixture import serving


class Inside:
    """A server of our own network, that must never be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if request.url.path.startswith("/files/avito/in/moved"):
            return RedirectResponse("http://localhost:1/secret")
        return Response(JPEG)


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    made = Inside()
    async with serving(Starlette(routes=[Route("/{path:path}", made.serve)])) as url:
        made.url = url
        yield made


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[Files]:
    async with files(database_url, tmp_path) as made:
        yield made


def really(world: Files, http: httpx.AsyncClient, *, allowed: frozenset[str] = frozenset()) -> None:
    """With the fetchers of production, in which the channel's server alone is ours."""
    channel = FakeLinks()
    channel.urls = {"avito": "http://127.0.0.1:1"}
    fetching = Fetching(
        MediaFetcher(http, {}, allow_hosts=allowed),
        MediaFetcher(http, {}, allow_hosts={"127.0.0.1:1"}),
        channel,
        channel,
        FetchLimits(1_000_000, 5, {"*/*"}),
    )
    world.keeping = Safekeeping(fetching, world.contents, world.transcripts, seconds=5, at_once=4)
    world.loop = world.replica()


@pytest.mark.promise("media-private")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001"])
async def test_a_message_cannot_name_an_address_of_our_own_network(
    world: Files, inside: Inside, host: str
) -> None:
    port = inside.url.rpartition(":")[2]
    async with httpx.AsyncClient(trust_env=False) as http:
        really(world, http)
        await world.arrive(photo("1", f"http://{host}:{port}/latest/meta-data"))
        await world.loop.round()

    assert inside.asked == []
    [state] = await world.states()
    assert state in ("refused_address", "waiting")  # waiting: no such host here


@pytest.mark.promise("media-private")
async def test_a_host_that_is_allowed_is_asked_at_its_own_port_only(world: Files, inside: Inside) -> None:
    """The sandbox of `make run`; a redirect from it leads nowhere else inside."""
    place = inside.url.removeprefix("http://")
    async with httpx.AsyncClient(trust_env=False) as http:
        really(world, http, allowed=frozenset({place}))
        await world.arrive(
            photo("1", f"{inside.url}/a.jpg"), photo("2", f"{inside.url}/files/avito/in/moved/x")
        )
        await world.loop.round()

    assert sorted(set(inside.asked)) == ["/a.jpg", "/files/avito/in/moved/x"]
    assert await world.states() == ["stored", "refused_address"]


@pytest.mark.promise("media-private")
async def test_the_servers_of_our_channels_are_no_addresses_for_messages(
    world: Files, inside: Inside
) -> None:
    """What is allowed for a channel's own link is not allowed for a link that a message names."""
    async with httpx.AsyncClient(trust_env=False) as http:
        really(world, http)
        await world.arrive(photo("1", "http://127.0.0.1:1/api/token"))
        await world.loop.round()

    assert await world.states() == ["refused_address"]
