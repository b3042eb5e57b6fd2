"""Pictures from strangers: only public addresses, only pictures, only so many bytes."""

import base64
import gzip
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from core.channel import MediaFile
from core.errors import Rejected
from core.media import decode_base64_image, fetch_media, image_type, is_public

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
TYPES = ("image/png", "image/jpeg")
Handler = Callable[[httpx.Request], httpx.Response]


class Internet:
    """Hosts with addresses and an answer for each request."""

    def __init__(self, handler: Handler, **hosts: list[str]) -> None:
        self.hosts = hosts
        self.asked: list[httpx.Request] = []
        self._handler = handler

    async def resolve(self, host: str, _: int) -> list[str]:
        if host not in self.hosts:
            raise OSError("no such host")
        return self.hosts[host]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._handler(request)

    async def fetch(self, url: str, allow_hosts: frozenset[str] = frozenset()) -> MediaFile:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as client:
            return await fetch_media(
                url,
                max_bytes=1_000,
                allowed_types=TYPES,
                client=client,
                allow_hosts=allow_hosts,
                resolve=self.resolve,
            )


def png(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=PNG)


async def test_the_checked_address_is_the_one_that_is_connected_to() -> None:
    """The name is looked up once: a second answer (DNS rebinding) has no way in."""
    internet = Internet(png, shop=["93.184.216.34"])

    image = await internet.fetch("https://shop/a.png?x=1")

    request = internet.asked[0]
    assert (str(request.url), request.headers["host"]) == ("https://93.184.216.34/a.png?x=1", "shop")
    assert request.extensions["sni_hostname"] == "shop"
    assert (image.content, image.media_type, image.name) == (PNG, "image/png", "image.png")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "not an address",
    ],
)
async def test_addresses_of_our_own_network_are_refused(address: str) -> None:
    internet = Internet(png, shop=[address])

    with pytest.raises(Rejected, match="not public"):
        await internet.fetch("https://shop/a.png")
    assert internet.asked == []


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(Rejected, match="not public"):
        await Internet(png, shop=["8.8.8.8", "127.0.0.1"]).fetch("https://shop/a.png")


async def test_a_host_that_is_allowed_by_name_and_port_may_be_private() -> None:
    internet = Internet(png, localhost=["127.0.0.1"])

    image = await internet.fetch("http://localhost:8790/a.png", frozenset({"localhost:8790"}))
    with pytest.raises(Rejected):
        await internet.fetch("http://localhost:6379/a.png", frozenset({"localhost:8790"}))

    assert image.content == PNG


async def test_a_redirect_into_our_own_network_is_refused() -> None:
    def redirect(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://metadata/latest"})

    internet = Internet(redirect, shop=["8.8.8.8"], metadata=["169.254.169.254"])

    with pytest.raises(Rejected, match="not public"):
        await internet.fetch("https://shop/a.png")
    assert len(internet.asked) == 1


async def test_a_redirect_to_a_public_address_is_followed() -> None:
    def moved(request: httpx.Request) -> httpx.Response:
        first = request.headers["host"] == "shop"
        return httpx.Response(301, headers={"location": "//cdn/b.png"}) if first else png(request)

    internet = Internet(moved, shop=["8.8.8.8"], cdn=["8.8.4.4"])

    assert (await internet.fetch("https://shop/a.png")).content == PNG


@pytest.mark.parametrize("location", ["https://shop/a.png", "http://[", "ftp://shop/a", "https://\ufdd0"])
async def test_redirects_without_end_or_sense_are_refused(location: str) -> None:
    def redirect(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers=[(b"location", location.encode())])

    with pytest.raises(Rejected):
        await Internet(redirect, shop=["8.8.8.8"]).fetch("https://shop/a.png")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.png",
        "file:///etc/passwd",
        "ftp://shop/a.png",
        "https://",
        "https://user:password@shop/a.png",
        "https://nowhere/a.png",
        "http://[::1/a.png",
        "https://shop:99999/a.png",
        "https://\x00/",
        "https://" + "a" * 300,
    ],
)
async def test_an_address_that_is_none_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(Rejected, match=r"address.*\."):
        await Internet(png, shop=["8.8.8.8"]).fetch(url)


async def test_the_fetch_stops_at_the_size_limit() -> None:
    def endless(_: httpx.Request) -> httpx.Response:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield PNG

        return httpx.Response(200, content=body())

    with pytest.raises(Rejected, match="larger"):
        await Internet(endless, shop=["8.8.8.8"]).fetch("https://shop/a.png")


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b""), (200, b"GIF89a" + bytes(9)), (404, PNG), (206, PNG)]
)
async def test_what_is_no_picture_for_the_messenger_is_refused(status: int, body: bytes) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"content-type": "image/png"})

    with pytest.raises(Rejected):
        await Internet(answer, shop=["8.8.8.8"]).fetch("https://shop/a.png")


async def test_a_compressed_answer_is_not_unfolded() -> None:
    def bomb(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=gzip.compress(bytes(999)), headers={"content-encoding": "gzip"})

    with pytest.raises(Rejected, match="compressed"):
        await Internet(bomb, shop=["8.8.8.8"]).fetch("https://shop/a.png")


async def test_a_failing_host_is_told_without_its_address() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret path", request=request)

    with pytest.raises(Rejected) as caught:
        await Internet(fail, shop=["8.8.8.8"]).fetch("https://shop/s3cret.png")

    assert "s3cret" not in str(caught.value)
    assert "secret path" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"BM", "image/bmp"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypmp42", ""),
        (b"%PDF", ""),
        (b"", ""),
    ],
)
def test_the_bytes_tell_the_type(head: bytes, media_type: str) -> None:
    assert image_type(head) == media_type


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_base64_becomes_a_picture_of_its_real_type(prefix: str) -> None:
    text = prefix + base64.encodebytes(PNG).decode()

    image = decode_base64_image(text, max_bytes=1_000, allowed_types=TYPES)

    assert (image.content, image.media_type) == (PNG, "image/png")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%%%", "base64"),
        ("żółw", "base64"),
        ("A", "base64"),
        ("", "no picture"),
        (base64.b64encode(b"%PDF").decode(), "no picture"),
        (base64.b64encode(PNG + bytes(1_000)).decode(), "larger"),
        ("A" * 10_000, "larger"),
    ],
)
def test_base64_that_is_no_picture_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        decode_base64_image(text, max_bytes=1_000, allowed_types=TYPES)
