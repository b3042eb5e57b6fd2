"""A call goes to the very address that was checked, and to no network that was not allowed."""

from functools import partial

import httpx
import pytest

from core.checked_address import AddressRefused, CheckedAddress, is_callable

PUBLIC = "93.184.215.14"


class Lookup:
    """Names and their addresses; what is looked up twice may have changed."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> list[str]:
        return self._answers.pop(0)


class Called:
    """Who was connected to."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200)


def client(called: Called, lookup: Lookup, *, private: bool = False) -> httpx.AsyncClient:
    allows = partial(is_callable, private=private)
    return httpx.AsyncClient(transport=CheckedAddress(httpx.MockTransport(called), allows, resolve=lookup))


async def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    """Looked up once: a second answer could lead into our own network (DNS rebinding)."""
    called = Called()
    async with client(called, Lookup([PUBLIC], ["127.0.0.1"])) as http:
        await http.post("https://agent.example:8443/wake")

    [request] = called.requests
    assert (request.url.host, request.url.port) == (PUBLIC, 8443)
    assert request.headers["host"] == "agent.example:8443"
    assert request.extensions["sni_hostname"] == "agent.example"


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("url", "addresses", "private", "allowed"),
    [
        ("https://agent.example", [PUBLIC], False, True),
        ("http://agent.example", [PUBLIC], False, False),
        ("http://agent.example", [PUBLIC], True, False),
        ("https://agent.example", ["10.0.0.7"], False, False),
        ("https://agent.example", [PUBLIC, "10.0.0.7"], False, False),
        ("https://agent.example", ["127.0.0.1"], False, False),
        ("https://agent.example", ["fd00::1"], False, False),
        ("http://agent", ["10.0.0.7"], True, True),
        ("http://agent", ["127.0.0.1"], True, True),
        ("http://agent", ["169.254.169.254"], True, False),
        ("http://agent", ["0.0.0.0"], True, False),
        ("https://agent", ["168.63.129.16"], True, False),
        ("https://agent", ["64:ff9b::a00:7"], True, False),
        ("http://127.0.0.1:9000", ["127.0.0.1"], False, True),
        ("http://localhost:9000", ["127.0.0.1"], False, True),
        ("http://[::1]:9000", ["::1"], False, True),
        ("http://localhost:9000", ["10.0.0.7"], False, False),
    ],
)
async def test_which_addresses_may_be_called(
    url: str, addresses: list[str], private: bool, allowed: bool
) -> None:
    called = Called()
    async with client(called, Lookup(addresses), private=private) as http:
        try:
            await http.post(url)
        except AddressRefused:
            assert called.requests == []

    assert bool(called.requests) == allowed


async def test_a_host_that_nobody_knows_is_a_failed_connection() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError

    allows = partial(is_callable, private=False)
    transport = CheckedAddress(httpx.MockTransport(Called()), allows, resolve=unknown)
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(httpx.ConnectError, match="cannot be found"):
            await http.post("https://agent.example")
