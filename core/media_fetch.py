"""Files to send that are given by address.

A fetch goes only to addresses that the whole internet may reach, and connects to the very address that was
checked, so neither a redirect nor a changing name (DNS rebinding) leads into our own network.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal
from urllib.parse import unquote

import httpx

from core.capabilities import MediaKind, MediaLimit
from core.channel import MediaFile
from core.errors import Rejected
from core.media import file_of, largest, too_large
from core.media_kinds import NOUNS, refuse_kind

Resolve = Callable[[str, int], Awaitable[list[str]]]
#: address: we never ask there; gone: it has no such file (any more); away: later perhaps.
Why = Literal["address", "gone", "away", "too_large"]

#: A picture comes at once; larger files may take their time.
TIMEOUT_SECONDS: dict[MediaKind, float] = {"image": 15.0, "voice": 30.0, "video": 60.0, "document": 60.0}
REDIRECTS = 3
_ACCEPT: dict[MediaKind, str] = {
    "image": "image/*",
    "voice": "audio/*, */*;q=0.5",
    "video": "video/*, */*;q=0.5",
    "document": "*/*",
}
#: A connection to a checked number serves one name only, so none is kept.
_HEADERS = {"Accept-Encoding": "identity", "Connection": "close"}
_PORTS = {"http": 80, "https": 443}
#: Azure's host agent: a public number that is private in fact.
_PRIVATE_IN_FACT = frozenset({IPv4Address("168.63.129.16")})
#: IPv4 inside IPv6 by translation.
_NAT64 = IPv6Network("64:ff9b::/96")


class Unfetched(Rejected):
    """The address did not give the file; `why` tells whether asking again may help."""

    def __init__(self, detail: str, why: Why) -> None:
        super().__init__(detail)
        self.why = why


async def resolve_host(host: str, port: int) -> list[str]:
    """Every address of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class MediaFetcher:
    """Loads files within the manifest's limits; `allow_hosts` holds `host:port`s that may be private (the
    sandbox)."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        limits: Mapping[MediaKind, MediaLimit],
        *,
        allow_hosts: Collection[str] = frozenset(),
        resolve: Resolve = resolve_host,
    ) -> None:
        self._client = client
        self._limits = limits
        self._allow_hosts = allow_hosts
        self._resolve = resolve

    async def __call__(self, url: str, kind: MediaKind = "image", name: str = "") -> MediaFile:
        """The file at `url`, under `name` or its own.

        Raises Rejected with one sentence; the address itself is not in it, for it may carry a secret.
        """
        limit = self._limits.get(kind)
        if limit is None:
            raise refuse_kind(kind)
        found = await self.fetch(url, kind, max_bytes=largest(limit), seconds=TIMEOUT_SECONDS[kind])
        file = file_of(found.content, kind, limit, declared=found.declared, name=name or found.name)
        return replace(file, url=url)

    async def fetch(self, url: str, kind: MediaKind, *, max_bytes: int, seconds: float) -> "Fetched":
        """The bytes at `url`, whatever they are. Raises Unfetched, with words as above."""
        fetch = _Fetch(self._client, kind, max_bytes, self._allow_hosts, self._resolve)
        try:
            async with asyncio.timeout(seconds):
                return await fetch.followed(url)
        except (httpx.RequestError, TimeoutError) as error:
            said = f"The {fetch.address} did not give it ({type(error).__name__})."
            raise Unfetched(said, "away") from error


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: the bytes and what the host says of them, or where they have moved."""

    content: bytes = b""
    declared: str = ""
    name: str = ""
    moved_to: str = ""


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One fetch and what it may do."""

    client: httpx.AsyncClient
    kind: MediaKind
    max_bytes: int
    allow_hosts: Collection[str]
    resolve: Resolve

    @property
    def address(self) -> str:
        """What our sentences call the address."""
        return f"{NOUNS[self.kind]}'s address"

    async def followed(self, written: str) -> Fetched:
        """What is at the end of a few redirects, each checked like the first address."""
        url = self._parsed(written)
        for _ in range(REDIRECTS + 1):
            found = await self._answer(url)
            if not found.moved_to:
                return found
            url = self._parsed(found.moved_to, url)
        raise Unfetched(f"The {self.address} redirects too often.", "gone")

    async def _answer(self, url: httpx.URL) -> Fetched:
        address = await self._checked_address(url)
        request = self.client.build_request(
            "GET",
            url.copy_with(host=address),
            headers=_HEADERS | {"Accept": _ACCEPT[self.kind], "Host": url.netloc.decode()},
            extensions={"sni_hostname": url.raw_host.decode()},
        )
        response = await self.client.send(request, stream=True, follow_redirects=False)
        try:
            if response.has_redirect_location:
                return Fetched(moved_to=response.headers["location"])
            if response.status_code != 200:
                later = response.status_code == 429 or response.status_code >= 500
                said = f"The {self.address} answered {response.status_code}."
                raise Unfetched(said, "away" if later else "gone")
            name = unquote(url.path.rpartition("/")[2])
            return Fetched(await self._capped(response), response.headers.get("content-type", ""), name)
        finally:
            await response.aclose()

    async def _capped(self, response: httpx.Response) -> bytes:
        """The bytes as sent: a compressed answer is refused, so that nothing unfolds in our memory."""
        if response.headers.get("content-encoding", "identity") != "identity":
            said = f"The {self.address} sent it compressed, although it was not asked to."
            raise Unfetched(said, "gone")
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > self.max_bytes:
                raise Unfetched(too_large(self.kind, self.max_bytes).detail, "too_large")
        return bytes(content)

    async def _checked_address(self, url: httpx.URL) -> str:
        """One address of the host, after all of them were found public or the host is allowed."""
        port = url.port or _PORTS[url.scheme]
        unknown = f"The host of the {self.address} cannot be found."
        try:
            addresses = await self.resolve(url.host, port)
        except (OSError, UnicodeError) as error:
            raise Unfetched(unknown, "away") from error
        if not addresses:
            raise Unfetched(unknown, "away")
        if f"{url.host}:{port}" not in self.allow_hosts and not all(map(is_public, addresses)):
            raise Unfetched(f"The {self.address} is not public.", "address")
        return addresses[0]

    def _parsed(self, written: str, seen_from: httpx.URL | None = None) -> httpx.URL:
        try:
            url = seen_from.join(written) if seen_from else httpx.URL(written)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Unfetched(f"The {self.address} is not an address.", "address") from error
        if url.scheme not in _PORTS or not url.host or url.userinfo:
            raise Unfetched(f"The {self.address} must start with https:// and name a host.", "address")
        if url.port is not None and not 0 < url.port < 65_536:
            raise Unfetched(f"The {self.address} has an impossible port.", "address")
        return url


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
