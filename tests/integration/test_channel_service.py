"""A channel as a service, from its settings to its doors: files find their way to the vendor and to us."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from core.app import build_app
from core.channel import MediaFile
from core.channel_service import ChannelService
from core.ids import AccountId
from core.registry import service
from core.settings import ServiceSettings
from core.testing import FAKE_RICH_LIMITS, FakeChannel, FakeChannelWithEverything, FakeChannelWithFiles
from core.vendor_settings import VendorSettings

KEY = "operator-key-0123456789"
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
SHOP = AccountId("shop")


class _Closing:
    """Nothing is open."""

    async def aclose(self) -> None: ...


class Fetching(FakeChannelWithEverything, _Closing):
    """A vendor that fetches media itself."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=FAKE_RICH_LIMITS.model_copy(update={"media_by_url": True}), account=SHOP
        )


class Passing(FakeChannelWithFiles, _Closing):
    """A vendor whose files need our token, and that lists no chats."""

    def __init__(self) -> None:
        super().__init__(account=SHOP)


@asynccontextmanager
async def serving(
    channel: FakeChannel, redis_url: str, spool: Path, **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url),
        api_keys=SecretStr(f"operator={KEY}"),
        spool_dir=str(spool),
        sweep_seconds=0,
        **more,
    )
    made: ChannelService[VendorSettings, Any] = ChannelService(
        service("mcp_avito"),
        settings,
        {SHOP: VendorSettings(base_url="https://vendor.example")},
        lambda *_: channel,
        lambda _: [],
    )
    app = build_app(made.parts(), mcp=False)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client,
    ):
        yield client


async def test_a_channel_takes_tokens_for_its_public_address(redis_url: str, tmp_path: Path) -> None:
    oauth = {"oauth_issuer": "https://auth.example.org", "public_url": "https://avito.example.org"}
    async with serving(Fetching(), redis_url, tmp_path, **oauth) as client:
        refused = await client.get("/info")

    where = 'resource_metadata="https://avito.example.org/.well-known/oauth-protected-resource/mcp"'
    assert refused.headers["www-authenticate"] == f"Bearer {where}"


async def test_a_vendor_that_fetches_files_gets_the_bytes_from_us(redis_url: str, tmp_path: Path) -> None:
    channel = Fetching()
    async with serving(channel, redis_url, tmp_path) as client:
        body = {"chat_id": "c", "image_base64": base64.b64encode(JPEG).decode()}
        sent = await client.post("/api/messages/send/image", json=body, headers={"X-API-Key": KEY})
        assert sent.status_code == 200, sent.text

        url = channel.taken[0].image.url  # type: ignore[union-attr]  # it is a picture
        fetched = await client.get(url)

        assert url.startswith("http://127.0.0.1:8765/files/avito/out/")
        assert (fetched.status_code, fetched.content) == (200, JPEG)


async def test_our_public_address_is_the_one_that_the_vendor_is_told(redis_url: str, tmp_path: Path) -> None:
    channel = Fetching()
    async with serving(channel, redis_url, tmp_path, public_url="https://bot.example") as client:
        body = {"chat_id": "c", "kind": "document", "file_base64": "JVBERi0xLjQ=", "file_name": "a.pdf"}
        await client.post("/api/messages/send/file", json=body, headers={"X-API-Key": KEY})

    assert channel.taken[0].file.url.startswith("https://bot.example/files/avito/out/")  # type: ignore[union-attr]


async def test_without_a_public_address_the_answer_says_what_to_set(redis_url: str, tmp_path: Path) -> None:
    channel = Fetching()
    async with serving(channel, redis_url, tmp_path, host="0.0.0.0") as client:
        body = {"chat_id": "c", "image_base64": base64.b64encode(JPEG).decode()}
        answer = await client.post("/api/messages/send/image", json=body, headers={"X-API-Key": KEY})

    assert (answer.status_code, answer.json()["code"]) == (422, "rejected")
    assert "PUBLIC_URL" in answer.json()["detail"]
    assert channel.calls == 0


async def test_a_customers_file_is_opened_through_a_link_of_ours(redis_url: str, tmp_path: Path) -> None:
    channel = Passing()
    channel.files["f1"] = MediaFile(b"OggS", "audio/ogg", "voice.ogg")
    async with serving(channel, redis_url, tmp_path) as client:
        link = (await client.get("/api/media/f1", headers={"X-API-Key": KEY})).json()

        opened = await client.get(link["url"])

        assert link["expires_in"] == 3600
        assert (opened.status_code, opened.content) == (200, b"OggS")
        assert opened.headers["content-type"] == "audio/ogg"


@pytest.mark.parametrize("account", ["", "default", "shop"])
async def test_our_own_list_of_chats_answers_under_every_name_of_the_account(
    redis_url: str, tmp_path: Path, account: str
) -> None:
    async with serving(Passing(), redis_url, tmp_path) as client:
        query = {"account": account}
        answer = await client.get("/api/chats", params=query, headers={"X-API-Key": KEY})

        assert (answer.status_code, answer.json()) == (200, {"chats": [], "next_cursor": ""})


async def test_the_public_routes_are_in_the_document(redis_url: str, tmp_path: Path) -> None:
    async with serving(Passing(), redis_url, tmp_path) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]

    assert {"/files/avito/out/{token}", "/files/avito/in/{token}", "/api/media/{file_id}"} <= set(paths)
    assert "/api/messages/send/file" not in paths
