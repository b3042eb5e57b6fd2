"""Pictures to send: fetched from a public address or given as base64, checked before anybody trusts them.

A fetch goes only to addresses that the whole internet may reach, and connects to the very address that was
checked, so neither a redirect nor a changing name (DNS rebinding) leads into our own network.
"""

import asyncio
import base64
import binascii
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from core.channel import MediaFile
from core.errors import Rejected

Resolve = Callable[[str, int], Awaitable[list[str]]]

TIMEOUT_SECONDS = 15.0
REDIRECTS = 3
#: A connection to a checked number serves one name only, so none is kept.
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
_PORTS = {"http": 80, "https": 443}
#: Azure's host agent: a public number that is private in fact.
_PRIVATE_IN_FACT = frozenset({IPv4Address("168.63.129.16")})
#: IPv4 inside IPv6 by translation.
_NAT64 = IPv6Network("64:ff9b::/96")
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/webp": "webp",
    "image/heic": "heic",
}


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What one fetch may do."""

    client: httpx.AsyncClient
    max_bytes: int
    allow_hosts: Collection[str]
    resolve: Resolve


async def resolve_host(host: str, port: int) -> list[str]:
    """Every address of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def fetch_media(
    url: str,
    *,
    max_bytes: int,
    allowed_types: Collection[str],
    client: httpx.AsyncClient,
    allow_hosts: Collection[str] = frozenset(),
    resolve: Resolve = resolve_host,
) -> MediaFile:
    """The picture at `url`; `allow_hosts` holds `host:port`s that may be private (the sandbox).

    Raises Rejected with one sentence; the address itself is not in it, for it may carry a secret.
    """
    fetch = _Fetch(client, max_bytes, allow_hosts, resolve)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            content = await _followed(fetch, _parsed(url))
    except (httpx.RequestError, TimeoutError) as error:
        raise Rejected(f"The picture's address did not give it ({type(error).__name__}).") from error
    return image_file(content, max_bytes=max_bytes, allowed_types=allowed_types)


def decode_base64_image(text: str, *, max_bytes: int, allowed_types: Collection[str]) -> MediaFile:
    """The picture in a base64 text, with or without a `data:` prefix. Raises Rejected."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    if len(encoded) > max_bytes * 4 // 3 + 1024:
        raise _too_large(max_bytes)
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected("The picture is not valid base64.") from error
    return image_file(content, max_bytes=max_bytes, allowed_types=allowed_types)


def image_file(content: bytes, *, max_bytes: int, allowed_types: Collection[str]) -> MediaFile:
    """The bytes as a picture whose type is told by the bytes themselves. Raises Rejected."""
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    found = image_type(content)
    if found not in allowed_types:
        expected = ", ".join(sorted(allowed_types))
        raise Rejected(f"This is {found or 'no picture that we know'}; the messenger takes {expected}.")
    return MediaFile(content, media_type=found, name=f"image.{_EXTENSIONS[found]}")


def image_type(content: bytes) -> str:
    """The media type that the first bytes tell; "" for none that we know."""
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS:
        return "image/heic"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    for magic, media_type in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"BM", "image/bmp"),
    ):
        if content.startswith(magic):
            return media_type
    return ""


async def _followed(fetch: _Fetch, url: httpx.URL) -> bytes:
    """The bytes at the end of a few redirects, each checked like the first address."""
    for _ in range(REDIRECTS + 1):
        content, moved_to = await _answer(fetch, url)
        if not moved_to:
            return content
        url = _parsed(moved_to, url)
    raise Rejected("The picture's address redirects too often.")


async def _answer(fetch: _Fetch, url: httpx.URL) -> tuple[bytes, str]:
    """The body, or the address it has moved to."""
    address = await _checked_address(fetch, url)
    request = fetch.client.build_request(
        "GET",
        url.copy_with(host=address),
        headers=_HEADERS | {"Host": url.netloc.decode()},
        extensions={"sni_hostname": url.raw_host.decode()},
    )
    response = await fetch.client.send(request, stream=True, follow_redirects=False)
    try:
        if response.has_redirect_location:
            return b"", response.headers["location"]
        if response.status_code != 200:
            raise Rejected(f"The picture's address answered {response.status_code}.")
        return await _capped(response, fetch.max_bytes), ""
    finally:
        await response.aclose()


async def _capped(response: httpx.Response, max_bytes: int) -> bytes:
    """The bytes as sent: a compressed answer is refused, so that nothing unfolds in our memory."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Rejected("The picture's address sent it compressed, although it was not asked to.")
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(content)


async def _checked_address(fetch: _Fetch, url: httpx.URL) -> str:
    """One address of the host, after all of them were found public or the host is allowed."""
    port = url.port or _PORTS[url.scheme]
    try:
        addresses = await fetch.resolve(url.host, port)
    except (OSError, UnicodeError) as error:
        raise Rejected("The host of the picture's address cannot be found.") from error
    if not addresses:
        raise Rejected("The host of the picture's address cannot be found.")
    if f"{url.host}:{port}" not in fetch.allow_hosts and not all(map(is_public, addresses)):
        raise Rejected("The picture's address is not public.")
    return addresses[0]


def is_public(written: str) -> bool:
    """Whether the whole internet may reach this address: no private, loopback, link-local or metadata one."""
    try:
        address = ip_address(written)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(str(address.ipv4_mapped))
        if address.sixtofour or address.teredo or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast and address not in _PRIVATE_IN_FACT


def _parsed(written: str, seen_from: httpx.URL | None = None) -> httpx.URL:
    try:
        url = seen_from.join(written) if seen_from else httpx.URL(written)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Rejected("The picture's address is not an address.") from error
    if url.scheme not in _PORTS or not url.host or url.userinfo:
        raise Rejected("The picture's address must start with https:// and name a host.")
    if url.port is not None and not 0 < url.port < 65_536:
        raise Rejected("The picture's address has an impossible port.")
    return url


def _too_large(max_bytes: int) -> Rejected:
    return Rejected(f"The picture is larger than {max_bytes / 1024 / 1024:.0f} MB.")
