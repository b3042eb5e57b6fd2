"""Our public addresses of files: unguessable, signed, for an hour, and harmless in a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.channel import MediaFile
from core.errors import AuthFailed, RateLimited, Rejected, StorageDown
from core.files import LINK_SECONDS, FileLinks, file_paths, file_routes, files_address
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.media import FILE_MAX_BYTES
from core.registry import service
from core.settings import ServiceSettings
from core.shelf import SHELF_SECONDS, Shelf
from core.testing import FakeChannel, FakeChannelWithFiles
from tests.integration.chats_fixture import ManualClock
from tests.integration.intake_fixture import KEYS, connect

ORIGIN = "https://bot.example"
FILES = f"{ORIGIN}/files/max"
API_KEYS = SecretStr("operator=operator-key-0123456789")
PICTURE = MediaFile(b"\xff\xd8picture", "image/jpeg", "Фото «а».jpg")


class Service:
    """The file routes of a channel with two accounts."""

    def __init__(self, redis: Redis) -> None:
        self.clock = ManualClock()
        self.shelf = Shelf(redis, KEYS, lambda: FILES)
        self.links = self.links_of("max")
        self.channel, self.second = FakeChannelWithFiles(), FakeChannelWithFiles()
        accounts = {
            DEFAULT_ACCOUNT: self.channel,
            AccountId("second"): self.second,
            AccountId("plain"): FakeChannel(),
        }
        app = Starlette(routes=file_routes("max", self.shelf, self.links, accounts))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)

    def links_of(self, channel: str, keys: SecretStr = API_KEYS) -> FileLinks:
        return FileLinks(channel, keys, lambda: FILES, self.clock)

    async def get(self, url: str) -> httpx.Response:
        return await self._client.get(url)


@asynccontextmanager
async def serving(redis_url: str) -> AsyncIterator[Service]:
    async with connect(redis_url) as redis:
        yield Service(redis)


# --- what vendors fetch from us ---------------------------------------------------------------------------


async def test_a_file_on_offer_is_fetched_as_it_is(redis_url: str) -> None:
    async with serving(redis_url) as service:
        offered = await service.shelf.offer(PICTURE)

        answer = await service.get(offered.url)

        assert offered.url.startswith(f"{FILES}/out/")
        assert (offered.content, offered.name) == (PICTURE.content, PICTURE.name)
        assert (answer.status_code, answer.content) == (200, PICTURE.content)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        inline, plain, encoded = answer.headers["content-disposition"].split("; ")
        assert (inline, plain) == ("inline", 'filename="____ ___.jpg"')
        assert encoded == "filename*=UTF-8''%D0%A4%D0%BE%D1%82%D0%BE%20%C2%AB%D0%B0%C2%BB.jpg"


async def test_each_offer_has_a_name_of_its_own_that_nobody_can_guess(redis_url: str) -> None:
    async with serving(redis_url) as service:
        names = {(await service.shelf.offer(PICTURE)).url.rpartition("/")[2] for _ in range(5)}

        assert len(names) == 5
        assert {len(name) for name in names} == {43}


async def test_a_full_shelf_says_when_to_come_back(redis_url: str) -> None:
    """Redis holds the queues as well: files must not fill it."""
    file, clock = MediaFile(b"x" * 400), ManualClock()
    async with connect(redis_url) as redis:
        shelf = Shelf(redis, KEYS, lambda: FILES, clock=clock, most_bytes=1_000)
        await shelf.offer(file)
        clock.move(60_000)
        await shelf.offer(file)

        with pytest.raises(RateLimited) as full:
            await shelf.offer(file)
        assert full.value.retry_after == SHELF_SECONDS - 60
        clock.move(round(full.value.retry_after * 1000))
        assert (await shelf.offer(file)).url


async def test_what_could_not_be_stored_takes_no_room() -> None:
    async with connect("redis://127.0.0.1:1/0") as redis:
        shelf = Shelf(redis, KEYS, lambda: FILES, clock=ManualClock(), most_bytes=len(PICTURE.content))
        for _ in range(2):
            with pytest.raises(StorageDown):
                await shelf.offer(PICTURE)


async def test_an_offer_outlasts_every_wait_and_then_ends(redis_url: str) -> None:
    async with serving(redis_url) as service, connect(redis_url) as redis:
        name = (await service.shelf.offer(PICTURE)).url.rpartition("/")[2]

        assert SHELF_SECONDS - 5 < await redis.ttl(KEYS.shelf(name)) <= SHELF_SECONDS


@pytest.mark.parametrize("name", ["", "x" * 43, "x" * 42, "*", "..%2F..%2Fetc", "я" * 43])
async def test_what_is_not_on_offer_is_not_found(redis_url: str, name: str) -> None:
    async with serving(redis_url) as service:
        await service.shelf.offer(PICTURE)

        assert (await service.get(f"/files/max/out/{name}")).status_code == 404


async def test_without_redis_nothing_is_offered_and_the_answer_says_come_back() -> None:
    async with serving("redis://127.0.0.1:1/0") as service:
        with pytest.raises(StorageDown):
            await service.shelf.offer(PICTURE)
        answer = await service.get(f"/files/max/out/{'x' * 43}")

        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")


# --- what customers sent ----------------------------------------------------------------------------------


async def test_a_link_opens_the_file_of_its_account(redis_url: str) -> None:
    async with serving(redis_url) as service:
        service.channel.files["BQAD/1=я"] = PICTURE
        service.second.files["BQAD/1=я"] = MediaFile(b"%PDF-", "application/pdf", "price.pdf")

        links = [service.links.link(AccountId(one), "BQAD/1=я") for one in ("default", "second")]
        first, second = [await service.get(link.url) for link in links]

        assert links[0].expires_in == LINK_SECONDS == 3600
        assert (first.content, first.headers["content-type"]) == (PICTURE.content, "image/jpeg")
        assert (second.content, second.headers["content-type"]) == (b"%PDF-", "application/pdf")
        assert "BQAD" not in links[0].url


async def test_a_link_is_good_for_an_hour(redis_url: str) -> None:
    async with serving(redis_url) as service:
        service.channel.files["f"] = PICTURE
        link = service.links.link(DEFAULT_ACCOUNT, "f")

        service.clock.move(LINK_SECONDS * 1000 - 1)
        assert (await service.get(link.url)).status_code == 200
        service.clock.move(1)
        answer = await service.get(link.url)

        assert (answer.status_code, answer.json()["code"]) == (410, "link_expired")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_link_that_we_did_not_sign_is_not_found(redis_url: str) -> None:
    async with serving(redis_url) as service:
        service.channel.files["f"] = PICTURE
        token = service.links.link(DEFAULT_ACCOUNT, "f").url.rpartition("/")[2]
        body, _, signature = token.partition(".")
        others = service.links.link(DEFAULT_ACCOUNT, "g").url.rpartition("/")[2]
        foreign = [
            service.links_of("vk").link(DEFAULT_ACCOUNT, "f").url.rpartition("/")[2],
            service.links_of("max", SecretStr("a=another-key-0123456789")).link(DEFAULT_ACCOUNT, "f").url,
        ]
        forged = [
            body,
            f"{body}.",
            f"{body}.{'A' * 43}",
            f"{others.partition('.')[0]}.{signature}",
            f"{body}.{signature[:-1]}",
            f"{body}.{signature}x",
            f"{body}.{'я' * 43}",
            *(one.rpartition("/")[2] for one in foreign),
        ]

        statuses = {(await service.get(f"/files/max/in/{one}")).status_code for one in forged}

        assert statuses == {404}
        assert (await service.get(f"/files/max/in/{token}")).status_code == 200


@pytest.mark.parametrize(
    ("account", "error", "status", "code"),
    [
        ("default", None, 404, "not_found"),
        ("default", AuthFailed("The messenger refuses our credentials."), 502, "auth_failed"),
        ("default", TimeoutError(), 503, "vendor_down"),
        ("plain", None, 404, "not_found"),
        ("gone", None, 404, "not_found"),
    ],
)
async def test_a_file_that_cannot_be_opened_says_why(
    redis_url: str, account: str, error: Exception | None, status: int, code: str
) -> None:
    async with serving(redis_url) as service:
        service.channel.open_fails = error

        answer = await service.get(service.links.link(AccountId(account), "f").url)

        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_file_that_would_fill_the_memory_is_not_passed_on(redis_url: str) -> None:
    async with serving(redis_url) as service:
        service.channel.files["f"] = MediaFile(bytes(FILE_MAX_BYTES + 1), "video/mp4", "v.mp4")

        answer = await service.get(service.links.link(DEFAULT_ACCOUNT, "f").url)

        assert (answer.status_code, answer.json()["code"]) == (502, "file_too_large")


@pytest.mark.parametrize(
    ("media_type", "shown_as", "disposition"),
    [
        ("image/png", "image/png", "inline"),
        ("audio/ogg; codecs=opus", "audio/ogg", "inline"),
        ("text/html", "text/html", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("nonsense\r\nX-Evil: 1", "application/octet-stream", "attachment"),
    ],
)
async def test_a_browser_runs_nothing_of_a_customers_file(
    redis_url: str, media_type: str, shown_as: str, disposition: str
) -> None:
    async with serving(redis_url) as service:
        service.channel.files["f"] = MediaFile(b"<script>", media_type, 'x"\r\nX-Evil: 1')

        headers = (await service.get(service.links.link(DEFAULT_ACCOUNT, "f").url)).headers

        assert headers["content-type"] == shown_as
        assert headers["content-disposition"].startswith(f'{disposition}; filename="x_X-Evil_ 1";')
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert "x-evil" not in headers


# --- our address ------------------------------------------------------------------------------------------


def settings(**more: Any) -> ServiceSettings:
    return ServiceSettings(redis_url="redis://x", api_keys=API_KEYS, **more)  # type: ignore[arg-type]  # pydantic makes secrets


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({"public_url": "https://bot.example/"}, "https://bot.example"),
        ({"public_url": "https://bot.example", "host": "0.0.0.0"}, "https://bot.example"),
        ({}, "http://127.0.0.1:8768"),
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"host": "localhost"}, "http://localhost:8768"),
        ({"host": "::1"}, "http://[::1]:8768"),
    ],
)
def test_our_address_is_as_set_or_that_of_this_machine(given: dict[str, Any], origin: str) -> None:
    assert files_address(settings(**given), service("mcp_max")) == f"{origin}/files/max"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::", "bot"])
def test_an_address_that_nobody_outside_reaches_is_refused_with_what_to_set(host: str) -> None:
    with pytest.raises(Rejected, match="set PUBLIC_URL"):
        files_address(settings(host=host), service("mcp_max"))


def test_the_routes_are_in_the_openapi_document_and_need_no_key() -> None:
    paths = file_paths("max")

    assert set(paths) == {"/files/max/out/{token}", "/files/max/in/{token}"}
    assert all(path["get"]["security"] == [] for path in paths.values())
