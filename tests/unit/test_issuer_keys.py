"""The issuer's keys: asked for when needed, no more often, and believed for a while when it is away."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from core.errors import IssuerAway
from core.issuer_keys import ASK_AGAIN_MS, FRESH_MS, STALE_MS, IssuerKeys, metadata_urls
from tests.integration.chats_fixture import ManualClock

ISSUER = "https://auth.example.org/acme"
JWKS = "https://auth.example.org/keys"
FIRST = "https://auth.example.org/.well-known/oauth-authorization-server/acme"
OPENID = "https://auth.example.org/acme/.well-known/openid-configuration"


class Web:
    """What stands where; what is not there is away. `asked` is what was asked for."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.asked: list[str] = []
        self.there: dict[str, Mapping[str, Any]] = {FIRST: {"issuer": ISSUER, "jwks_uri": JWKS}}
        self.publish(key("a"))
        self.held = asyncio.Event()
        self.held.set()

    def publish(self, *keys: Mapping[str, Any]) -> None:
        self.there[JWKS] = {"keys": list(keys)}

    async def fetch(self, url: str) -> Mapping[str, Any]:
        self.asked.append(url)
        await self.held.wait()
        if url not in self.there:
            raise IssuerAway(f"{url} cannot be read.")
        return self.there[url]

    def keys(self, jwks_url: str = JWKS, patience: float = 20) -> IssuerKeys:
        return IssuerKeys(ISSUER, jwks_url, self.clock, self.fetch, patience)


_RSA = RSAKey.generate_key(2048)


def key(kid: str, **more: object) -> dict[str, Any]:
    """A public RSA key of this id."""
    return {**_RSA.as_dict(private=False), "kid": kid, **more}


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.mark.promise("oauth")
async def test_keys_are_kept_while_they_are_fresh(web: Web) -> None:
    keys = web.keys()
    for _ in range(3):
        assert await keys.key("a", "RS256")
    web.clock.move(FRESH_MS)
    assert await keys.key("a", "RS256")
    assert web.asked == [JWKS]

    web.clock.move(1)
    assert await keys.key("a", "RS256")
    assert web.asked == [JWKS, JWKS]


@pytest.mark.promise("oauth")
async def test_a_withdrawn_key_is_believed_no_longer_than_it_is_fresh(web: Web) -> None:
    keys = web.keys()
    assert await keys.key("a", "RS256")
    web.publish(key("b"))
    web.clock.move(FRESH_MS + 1)

    assert await keys.key("a", "RS256") is None
    assert await keys.key("b", "RS256")


@pytest.mark.promise("oauth")
async def test_an_unknown_id_makes_us_ask_again_but_not_at_once(web: Web) -> None:
    """The issuer may have rotated; a stranger may make ids up."""
    keys = web.keys()
    assert await keys.key("a", "RS256")
    web.publish(key("a"), key("b"))
    web.clock.move(10_000)
    for _ in range(3):
        with pytest.raises(IssuerAway, match="not known yet") as unknown:
            await keys.key("b", "RS256")
        assert unknown.value.retry_after == ASK_AGAIN_MS / 1000 - 10
    assert web.asked == [JWKS]

    web.clock.move(ASK_AGAIN_MS - 10_000)
    assert await keys.key("b", "RS256")
    assert web.asked == [JWKS, JWKS]


@pytest.mark.promise("oauth")
async def test_what_the_issuer_was_just_asked_for_in_vain_is_no_key(web: Web) -> None:
    """Whoever shows it again is told the same."""
    keys = web.keys()

    assert [await keys.key("c", "RS256") for _ in range(3)] == [None] * 3
    assert web.asked == [JWKS]


@pytest.mark.promise("oauth")
async def test_many_at_once_ask_once(web: Web) -> None:
    keys = web.keys()
    web.held.clear()
    asking = [asyncio.create_task(keys.key("a", "RS256")) for _ in range(10)]
    await asyncio.sleep(0)
    web.held.set()

    assert all(await asyncio.gather(*asking))
    assert web.asked == [JWKS]


@pytest.mark.promise("oauth")
async def test_an_issuer_that_was_never_reached_is_away_and_left_alone_for_a_while(web: Web) -> None:
    keys, kept = web.keys(), web.there.pop(JWKS)
    for _ in range(3):
        with pytest.raises(IssuerAway, match="cannot be read") as away:
            await keys.key("a", "RS256")
        assert away.value.retry_after == ASK_AGAIN_MS / 1000
    assert web.asked == [JWKS]

    web.there[JWKS] = kept
    web.clock.move(ASK_AGAIN_MS)
    assert await keys.key("a", "RS256")


@pytest.mark.promise("oauth")
async def test_the_last_keys_of_an_issuer_that_is_away_open_for_a_day(web: Web) -> None:
    keys = web.keys()
    assert await keys.key("a", "RS256")
    del web.there[JWKS]
    web.clock.move(STALE_MS)
    assert await keys.key("a", "RS256")
    with pytest.raises(IssuerAway):
        await keys.key("b", "RS256")

    web.clock.move(1)
    with pytest.raises(IssuerAway):
        await keys.key("a", "RS256")


async def test_nobody_waits_for_fresh_keys_who_has_older_ones(web: Web) -> None:
    """One asks; a slow issuer holds up nobody else."""
    keys = web.keys()
    assert await keys.key("a", "RS256")
    web.clock.move(FRESH_MS + 1)
    web.held.clear()
    first = asyncio.create_task(keys.key("a", "RS256"))
    await asyncio.sleep(0)

    assert await keys.key("a", "RS256")
    assert not first.done()
    web.held.set()
    assert await first


@pytest.mark.promise("oauth")
async def test_an_issuer_that_hangs_holds_up_no_token_whose_key_is_known(web: Web) -> None:
    """The renewal goes on meanwhile, and counts when it comes."""
    keys = web.keys(patience=0.01)
    assert await keys.key("a", "RS256")
    web.publish(key("b"))
    web.clock.move(FRESH_MS + 1)
    web.held.clear()
    async with asyncio.timeout(10):
        assert await keys.key("a", "RS256")
        assert await keys.key("a", "RS256")
    assert web.asked == [JWKS, JWKS]

    web.held.set()
    assert await keys.key("b", "RS256")
    assert web.asked == [JWKS, JWKS]
    with pytest.raises(IssuerAway):
        await keys.key("a", "RS256")


@pytest.mark.promise("oauth")
@pytest.mark.parametrize(
    "published",
    [
        OctKey.generate_key(256, {"kid": "a"}).as_dict(),
        key("a", use="enc"),
        key("a", alg="PS256"),
        key("a", key_ops=["sign"]),
        ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=False),
        {"kty": "RSA", "kid": "a", "n": "x"},
        {"kid": "a"},
    ],
)
async def test_a_key_for_something_else_checks_no_signature(web: Web, published: dict[str, Any]) -> None:
    web.publish(published)

    assert await web.keys().key("a", "RS256") is None


async def test_without_an_id_the_only_key_that_fits_is_meant(web: Web) -> None:
    other = ECKey.generate_key("P-256", {"kid": "b"}).as_dict(private=False)
    web.publish(key("a"), other)
    assert await web.keys().key("", "RS256")
    assert await web.keys().key("", "ES256")

    web.publish(key("a"), key("b"))
    assert await web.keys().key("", "RS256") is None


@pytest.mark.parametrize("published", [{}, {"keys": "x"}, {"keys": {"a": 1}}])
async def test_what_is_no_key_set_is_an_issuer_away(web: Web, published: dict[str, Any]) -> None:
    web.there[JWKS] = published

    with pytest.raises(IssuerAway, match="has no keys"):
        await web.keys().key("a", "RS256")


async def test_the_issuer_says_where_its_keys_are(web: Web) -> None:
    assert await web.keys("").key("a", "RS256")
    assert web.asked == [FIRST, JWKS]


async def test_an_openid_provider_says_it_elsewhere(web: Web) -> None:
    web.there[OPENID] = web.there.pop(FIRST)

    assert await web.keys("").key("a", "RS256")
    assert web.asked[-2:] == [OPENID, JWKS]


@pytest.mark.promise("oauth")
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"issuer": "https://auth.example.org/other", "jwks_uri": JWKS}, "of another issuer"),
        ({"issuer": f"{ISSUER}/", "jwks_uri": JWKS}, "of another issuer"),
        ({"issuer": ISSUER, "jwks_uri": "http://auth.example.org/keys"}, "no jwks_uri that is safe"),
        ({"issuer": ISSUER}, "no jwks_uri that is safe"),
    ],
)
async def test_metadata_that_cannot_be_believed_leads_nowhere(
    web: Web, told: dict[str, str], why: str
) -> None:
    web.there[FIRST] = told

    with pytest.raises(IssuerAway, match=why):
        await web.keys("").key("a", "RS256")
    assert JWKS not in web.asked


def test_metadata_stands_where_the_specifications_say() -> None:
    assert list(metadata_urls(ISSUER)) == [
        FIRST,
        "https://auth.example.org/.well-known/openid-configuration/acme",
        OPENID,
    ]
    assert list(metadata_urls("https://auth.example.org/")) == [
        "https://auth.example.org/.well-known/oauth-authorization-server",
        "https://auth.example.org/.well-known/openid-configuration",
    ]
