"""Files from strangers: only public addresses, only what the messenger takes, only so many bytes."""

import gzip
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from core.capabilities import MediaKind, MediaLimit
from core.channel import MediaFile
from core.errors import Rejected
from core.media_fetch import MediaFetcher, Unfetched, is_public

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
OGG = b"OggS" + bytes(40)
LIMITS: dict[MediaKind, MediaLimit] = {
    "image": MediaLimit(types=("image/png", "image/jpeg"), max_bytes=1_000),
    "voice": MediaLimit(types=("audio/ogg",), max_bytes=1_000),
    "document": MediaLimit(max_bytes=1_000),
}
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

    async def fetch(
        self, url: str, allow_hosts: frozenset[str] = frozenset(), kind: MediaKind = "image", name: str = ""
    ) -> MediaFile:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as client:
            fetcher = MediaFetcher(client, LIMITS, allow_hosts=allow_hosts, resolve=self.resolve)
            return await fetcher(url, kind, name)


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
    assert image.url == "https://shop/a.png?x=1"


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


@pytest.mark.promise("media-limits")
@pytest.mark.parametrize(
    ("address", "status", "body", "why"),
    [
        ("8.8.8.8", 200, bytes(1_001), "too_large"),
        ("8.8.8.8", 404, b"", "gone"),
        ("8.8.8.8", 410, b"", "gone"),
        ("8.8.8.8", 429, b"", "away"),
        ("8.8.8.8", 503, b"", "away"),
        ("10.0.0.7", 200, PNG, "address"),
    ],
)
async def test_a_fetch_that_gave_nothing_says_whether_asking_again_helps(
    address: str, status: int, body: bytes, why: str
) -> None:
    internet = Internet(lambda _: httpx.Response(status, content=body), shop=[address])

    async with httpx.AsyncClient(transport=httpx.MockTransport(internet.answer)) as client:
        fetcher = MediaFetcher(client, {}, resolve=internet.resolve)
        with pytest.raises(Unfetched) as told:
            await fetcher.fetch("https://shop/a", "document", max_bytes=1_000, seconds=5)

    assert told.value.why == why


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


async def test_a_file_has_the_name_and_the_type_of_its_address() -> None:
    def pdf(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"%PDF-1.7", headers={"content-type": "application/octet-stream"})

    internet = Internet(pdf, shop=["8.8.8.8"])

    own = await internet.fetch("https://shop/files/%D0%9F%D1%80%D0%B0%D0%B9%D1%81.pdf?v=2", kind="document")
    given = await internet.fetch("https://shop/x", kind="document", name="../price.pdf")

    assert (own.name, own.media_type) == ("Прайс.pdf", "application/pdf")
    assert given.name == "_price.pdf"


async def test_a_type_that_the_bytes_do_not_tell_is_taken_as_the_host_declares_it() -> None:
    def csv(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"a;b", headers={"content-type": "text/csv; charset=utf-8"})

    assert (await Internet(csv, shop=["8.8.8.8"]).fetch("https://shop/x", kind="document")).media_type == (
        "text/csv"
    )


@pytest.mark.parametrize(("content", "declared"), [(b"<html>", "text/html"), (PNG, "audio/ogg")])
async def test_what_is_no_voice_note_is_not_sent_as_one(content: bytes, declared: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content, headers={"content-type": declared})

    with pytest.raises(Rejected, match=r"takes audio/ogg"):
        await Internet(answer, shop=["8.8.8.8"]).fetch("https://shop/a.ogg", kind="voice")


async def test_a_voice_note_is_fetched_as_one() -> None:
    internet = Internet(lambda _: httpx.Response(200, content=OGG), shop=["8.8.8.8"])

    voice = await internet.fetch("https://shop/note.oga", kind="voice")

    assert (voice.media_type, voice.name) == ("audio/ogg", "note.ogg")
    assert internet.asked[0].headers["accept"].startswith("audio/*")


async def test_a_kind_that_the_messenger_lacks_is_not_even_fetched() -> None:
    internet = Internet(png, shop=["8.8.8.8"])

    with pytest.raises(Rejected, match="takes no videos"):
        await internet.fetch("https://shop/a.mp4", kind="video")
    assert internet.asked == []


@pytest.mark.parametrize("url", ["data:image/png;base64,iVBORw0KGgo=", "DATA:,x"])
async def test_an_address_that_holds_the_bytes_itself_is_none(url: str) -> None:
    with pytest.raises(Rejected, match="must start with https"):
        await Internet(png).fetch(url)
