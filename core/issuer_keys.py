"""The public keys of an authorization server: asked for when needed, kept, and kept on when it is away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import Context
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import structlog

from core.clock import Clock
from core.errors import IssuerAway
from core.jsontext import UnreadableJSON, read_json
from core.oauth_settings import is_safe

#: Asymmetric ones only: who can check a token must not be able to make one.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: A key that the issuer withdraws is believed so long.
FRESH_MS = 10 * 60_000
#: With an issuer that is away, its last keys are believed so long.
STALE_MS = 24 * 3_600_000
#: Tokens with unknown keys, or an issuer that fails, make us ask no more often.
ASK_AGAIN_MS = 30_000
_PATIENCE_SECONDS = 5.0
#: Whoever has a key that is not fresh any more waits so long for a fresh one, and then goes on with theirs.
_PATIENCE_WITH_A_KEY = 1.0
_LARGEST = 512 * 1024
#: By the first letters of an algorithm.
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}

#: The JSON object at an address; raises IssuerAway.
Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]
log = structlog.get_logger()


async def fetch_json(url: str) -> Mapping[str, Any]:
    """What stands at an address of the issuer. No redirect is followed: it could leave https."""
    try:
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            httpx.AsyncClient() as http,
            http.stream("GET", url, headers={"Accept": "application/json"}) as answer,
        ):
            answer.raise_for_status()
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise IssuerAway(f"{url} is too large.")
        parsed = read_json(bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnreadableJSON, RecursionError) as error:
        raise IssuerAway(f"{url} cannot be read ({type(error).__name__}).") from error
    if not isinstance(parsed, dict):
        raise IssuerAway(f"{url} is no JSON object.")
    return parsed


class IssuerKeys:
    """`jwks_url` "": the metadata of the issuer names it (RFC 8414, OpenID Connect Discovery)."""

    def __init__(
        self,
        issuer: str,
        jwks_url: str,
        clock: Clock,
        fetch: Fetch = fetch_json,
        patience: float = _PATIENCE_WITH_A_KEY,
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._clock = clock
        self._fetch = fetch
        self._patience = patience
        self._renewal: asyncio.Task[None] | None = None
        self._set: list[Mapping[str, Any]] = []
        self._made: dict[tuple[str, str], jwt.PyJWK] = {}
        self._missing: set[tuple[str, str]] = set()  # asked for, and not among the last keys
        self._fetched_ms: int | None = None
        self._asked_ms: int | None = None
        self._away = ""

    async def key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """The key of this id, "" for the only one that fits; None: the issuer has none.

        Raises IssuerAway when that cannot be told now.
        """
        found = self._found(kid, algorithm)
        if found is None:
            return await self._asked_for(kid, algorithm)
        if self._age() <= FRESH_MS or self._is_under_way() or not self._is_due():
            return found
        await asyncio.wait((self._begin(),), timeout=self._patience)
        return self._found(kid, algorithm)

    async def _asked_for(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        if not self._is_under_way() and not self._is_due():
            if (kid, algorithm) in self._missing:
                return None
            # The issuer may have begun to sign with it since we asked.
            raise IssuerAway(
                self._away or "The key of this token is not known yet.", retry_after=self._rest()
            )
        await asyncio.shield(self._begin())
        found = self._found(kid, algorithm)
        if found is None and self._away:
            raise IssuerAway(self._away, retry_after=self._rest())
        if found is None:
            self._missing.add((kid, algorithm))
        return found

    def _is_under_way(self) -> bool:
        return self._renewal is not None and not self._renewal.done()

    def _begin(self) -> "asyncio.Task[None]":
        """The renewal, which goes on when whoever began it waits no more."""
        if self._renewal is None or self._renewal.done():
            loop = asyncio.get_running_loop()
            self._renewal = loop.create_task(self._renew(), context=Context())  # of no caller in particular
        return self._renewal

    def _age(self) -> float:
        return float("inf") if self._fetched_ms is None else self._clock.now_ms() - self._fetched_ms

    def _is_due(self) -> bool:
        return self._rest() <= 0

    def _rest(self) -> float:
        """For so many seconds the issuer is asked no more."""
        if self._asked_ms is None:
            return 0.0
        return (self._asked_ms + ASK_AGAIN_MS - self._clock.now_ms()) / 1000

    async def _renew(self) -> None:
        self._asked_ms = self._clock.now_ms()
        try:
            keys = (await self._fetch(self._jwks_url or await self._discovered())).get("keys")
            if not isinstance(keys, list):
                raise IssuerAway("The issuer's key set has no keys.")
        except IssuerAway as error:
            self._away = error.detail
            log.warning("issuer_away", why=error.detail)
            return
        self._missing.clear()
        self._set, self._made, self._away = [one for one in keys if isinstance(one, dict)], {}, ""
        self._fetched_ms = self._clock.now_ms()

    async def _discovered(self) -> str:
        """Where the keys are, by the issuer's own metadata."""
        why = ""
        for url in metadata_urls(self._issuer):
            try:
                told = await self._fetch(url)
            except IssuerAway as error:
                why = why or error.detail
                continue
            where = told.get("jwks_uri")
            if told.get("issuer") != self._issuer:
                why = f"{url} is the metadata of another issuer."
            elif isinstance(where, str) and is_safe(where):
                return where
            else:
                why = f"{url} names no jwks_uri that is safe to ask."
        raise IssuerAway(why)

    def _found(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        if self._age() > STALE_MS:
            return None
        known = self._made.get((kid, algorithm))
        if known is None and (known := self._make(kid, algorithm)):
            self._made[kid, algorithm] = known
        return known

    def _make(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        fitting = [one for one in self._set if _fits(one, algorithm) and (not kid or one.get("kid") == kid)]
        if len(fitting) != 1:
            return None
        try:
            return jwt.PyJWK(dict(fitting[0]), algorithm)
        except (jwt.PyJWTError, TypeError, ValueError):
            log.warning("issuer_key_unreadable", kid=kid)
            return None


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether it may check signatures of this algorithm, by what it says of itself."""
    operations = key.get("key_ops")
    return (
        key.get("kty") == _KINDS[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (not isinstance(operations, list) or "verify" in operations)
    )


def metadata_urls(issuer: str) -> Iterator[str]:
    """Where an issuer's metadata may be, the specification's first."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"
