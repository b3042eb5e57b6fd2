"""Calls go where they were meant to: a host is looked up, checked, and the very address is connected to.

So a name that changes (DNS rebinding) does not lead into our own network.
"""

from collections.abc import Callable
from ipaddress import ip_address

import httpx

from core.media_fetch import Resolve, is_public, resolve_host
from core.transports import Layer

#: Whether an address may be called by this request.
Allows = Callable[[httpx.URL, str], bool]
_PORTS = {"http": 80, "https": 443}


class AddressRefused(httpx.ConnectError):
    """The host has an address that may not be called."""


class CheckedAddress(Layer):
    """Connects only where `allows` says so for every address of the host."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, allows: Allows, *, resolve: Resolve = resolve_host
    ) -> None:
        super().__init__(inner)
        self._allows = allows
        self._resolve = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        try:
            addresses = await self._resolve(url.host, url.port or _PORTS[url.scheme])
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError("the host cannot be found", request=request) from error
        if not addresses or not all(self._allows(url, address) for address in addresses):
            raise AddressRefused("the address may not be called", request=request)
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=addresses[0])
        return await self._inner.handle_async_request(request)


def is_private(written: str) -> bool:
    """Whether an address is of a network of one's own: neither public nor anything special."""
    try:
        address = ip_address(written)
    except ValueError:
        return False
    return address.is_private and not (address.is_link_local or address.is_unspecified)


def is_callable(url: httpx.URL, address: str, *, private: bool) -> bool:
    """https to the public; to this machine when the host is called so; to private networks with `private`."""
    named_here = url.host == "localhost" or (is_private(url.host) and ip_address(url.host).is_loopback)
    if ip_address(address).is_loopback and named_here:
        return True
    if is_private(address):
        return private
    return url.scheme == "https" and is_public(address)
