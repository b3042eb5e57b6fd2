"""Files by link: the vendor downloads them before it sends (contract §3.2, `message/file/url/send`)."""

import mimetypes
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from sandbox.media import Media
from sandbox.whatsapp.errors import fail
from sandbox.whatsapp.files import sniffed

PATIENCE = 30.0


class Fetcher:
    def __init__(self, http: httpx.AsyncClient, limit: int) -> None:
        self._http = http
        self._limit = limit

    async def fetch(self, url: str) -> tuple[Media, str]:
        """The file behind the link and its name; 400 when it cannot be had or is too large."""
        if not is_web_address(url):
            fail("url must be an http or https address")
        try:
            async with self._http.stream("GET", url, follow_redirects=True, timeout=PATIENCE) as answer:
                content = await self._read(answer) if answer.is_success else b""
                told = answer.headers.get("content-type", "")
        except httpx.HTTPError:
            content, told = b"", ""
        if not content:
            fail("download file error")
        name = PurePosixPath(unquote(urlsplit(url).path)).name
        return Media(content, _type_of(content, told, name)), name

    async def _read(self, answer: httpx.Response) -> bytes:
        content = bytearray()
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > self._limit:
                fail("the file is too large")
        return bytes(content)


def _type_of(content: bytes, told: str, name: str) -> str:
    """By the bytes where they say it, else by the header, else by the name."""
    unsure = "application/octet-stream"
    seen = sniffed(content)
    if seen != unsure:
        return seen
    told = told.strip()
    return told if told and not told.startswith(unsure) else mimetypes.guess_type(name)[0] or unsure


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and port != 0
