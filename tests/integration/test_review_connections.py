"""What the orchestrator's connections do when the other side is silent, or when there is a proxy."""

import asyncio

import httpx
import pytest

from orchestrator.channels import Channels, channels_client
from orchestrator.store import pool as store
from orchestrator.store.pool import new_pool


async def test_no_statement_waits_for_its_answer_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ten workers would: a lease that ends frees the chat, not the worker."""
    monkeypatch.setattr(store, "ANSWER_SECONDS", 0.2)
    async with asyncio.timeout(20), new_pool(database_url, connections=1) as pool:
        with pytest.raises(TimeoutError):
            await pool.execute("SELECT pg_sleep(60)")
        assert await pool.fetchval("SELECT 1") == 1


@pytest.mark.promise("no-secrets")
async def test_our_key_goes_through_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is often set for the messengers' sake; whoever runs it would read the key."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(listen, "127.0.0.1", 0)
    channel = await asyncio.start_server(listen, "127.0.0.1", 0)
    address = "http://127.0.0.1:{}".format
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", address(proxy.sockets[0].getsockname()[1]))
    url = address(channel.sockets[0].getsockname()[1])
    async with proxy, channel, channels_client("key-0123456789") as http:
        with pytest.raises(Exception, match="404"):
            await Channels({"avito": url}, http).chat("avito", "default", "c")
        with pytest.raises(httpx.HTTPStatusError):
            (await http.get(url)).raise_for_status()

    assert all(request.startswith(b"GET /") for request in heard)
    assert b"GET /api/chats/c?account=default" in heard[0]
