"""Who sends: the customer's own address behind the proxies that we trust. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from form_api.settings import Network

UNKNOWN = "unknown"
_IPV6_HOUSEHOLD = 64


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The address to count by. X-Forwarded-For is read from the right, as far as we trust who wrote it.

    IPv6 customers own a whole /64, so that is one address.
    """
    current = _parsed(peer)
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while current is not None and hops and any(current in network for network in trusted):
        claimed = _parsed(hops.pop())
        if claimed is None:
            break
        current = claimed
    return UNKNOWN if current is None else _household(current)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _household(address: IPv4Address | IPv6Address) -> str:
    if address.version == 4:  # the protocol's name
        return str(address)
    return str(ip_network((int(address), _IPV6_HOUSEHOLD), strict=False).network_address)
