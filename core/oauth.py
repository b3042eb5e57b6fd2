"""OAuth 2.1 resource server: access tokens of one authorization server, beside the keys.

A token is a JWT (RFC 9068) for us, signed by the issuer. It says who calls and with which scopes; settings
say what these are here (core/oauth_settings.py). The issuer is asked for its public keys, sometimes; who has
a known key waits a second for that at most.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import jwt
import structlog
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from pydantic import AnyHttpUrl, TypeAdapter
from starlette.routing import Route

from core.auth import LONGEST_SUBJECT, Caller, Mode, Role, Scope
from core.clock import Clock
from core.issuer_keys import ALGORITHMS, IssuerKeys
from core.oauth_settings import OAuthSettings, parse_scopes

_LONGEST_TOKEN = 16 * 1024
#: A logout token or a proof of possession is signed by the same issuer and is no access token.
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
#: Clocks differ.
_LEEWAY_SECONDS = 30
#: The least first: of several, a token has the least.
_MODES: tuple[Mode, ...] = ("read_only", "guarded", "full")
_ROOT = "/.well-known/oauth-protected-resource"
_WEB = TypeAdapter(AnyHttpUrl, config={"url_preserve_empty_path": True})
log = structlog.get_logger()


class Tokens:
    """What a token opens at `resource`, our /mcp and the REST beside it."""

    def __init__(self, settings: OAuthSettings, resource: str, keys: IssuerKeys) -> None:
        self._settings = settings
        self._resource = resource
        self._keys = keys
        self._scopes = parse_scopes(settings.oauth_scopes)
        self._metadata_url = str(build_resource_metadata_url(_WEB.validate_python(resource)))

    async def caller(self, token: str) -> Caller | None:
        """Whose token this is; None for one that is not for us. IssuerAway when that cannot be told."""
        claims = await self._claims(token)
        who = _text(claims.get("sub")) or _text(claims.get("client_id"))
        # What cannot be seen can be neither stored nor told apart, in the log of who did what least of all.
        known = who.isprintable() and 0 < len(who) <= LONGEST_SUBJECT
        if not known or not self._is_of_ours(claims):
            return None
        # No name of API_KEYS has a colon: a subject cannot pass for one of them.
        return Caller(
            f"oauth:{who}",
            self._role(claims),
            self._mode(claims),
            self._given(claims),
            issuer=self._issuer,
            ends_ms=(int(claims["exp"]) + _LEEWAY_SECONDS) * 1000,
        )

    @property
    def _issuer(self) -> str:
        return self._settings.oauth_issuer

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """What a genuine, valid token for us says; {} for any other."""
        try:
            if len(token) > _LONGEST_TOKEN:
                return {}
            header = jwt.get_unverified_header(token)
            algorithm, kid, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "JWT")
            if algorithm not in ALGORITHMS or str(kind).lower() not in _TYPES or not isinstance(kid, str):
                return {}
            if not self._says_issuer(token):
                return {}
            key = await self._keys.key(kid, algorithm)
            return self._checked(token, key, algorithm) if key else {}
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            log.info("token_refused", why=type(error).__name__)
            return {}

    def _says_issuer(self, token: str) -> bool:
        """Before anybody is asked for keys: a token of somebody else needs none of ours."""
        said = jwt.decode(token, options={"verify_signature": False})
        return said.get("iss") == self._issuer

    def _checked(self, token: str, key: jwt.PyJWK, algorithm: str) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._settings.oauth_audience or self._resource,
            issuer=self._issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )
        return claims

    def _is_of_ours(self, claims: Mapping[str, Any]) -> bool:
        return not self._settings.oauth_require or _has(claims, self._settings.oauth_require)

    def _role(self, claims: Mapping[str, Any]) -> Role:
        operator = self._settings.oauth_operator
        return "operator" if operator and _has(claims, operator) else "agent"

    def _mode(self, claims: Mapping[str, Any]) -> Mode:
        name = self._settings.oauth_mode_claim
        said = _texts(claims, name) if name else []
        if not said:
            return self._settings.oauth_mode
        return next((mode for mode in _MODES if mode in said), "read_only")

    def _given(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        said = claims.get("scope", claims.get("scp", ""))
        names = said.split() if isinstance(said, str) else _texts({"scp": said}, "scp")
        return frozenset(scope for name in names for scope in self._scopes.get(name, ()))

    def names_of(self, scopes: frozenset[Scope]) -> str:
        """What a client asks its authorization server for to have these scopes: the narrowest names."""
        narrow = sorted(self._scopes, key=lambda theirs: len(self._scopes[theirs]))
        names = [[theirs for theirs in narrow if scope in self._scopes[theirs]] for scope in sorted(scopes)]
        return " ".join(dict.fromkeys(found[0] for found in names if found))

    def challenge(self, error: str = "", scopes: frozenset[Scope] = frozenset()) -> str:
        """The header WWW-Authenticate: where to get a token, and what was wrong with this one."""
        parts = [f'error="{error}"'] if error else []
        parts += [f'scope="{self.names_of(scopes)}"'] if scopes else []
        parts += [f'resource_metadata="{self._metadata_url}"']
        return f"Bearer {', '.join(parts)}"

    def routes(self, title: str) -> Sequence[Route]:
        """RFC 9728: which authorization server to go to; under the resource's path, and without it."""
        [found] = create_protected_resource_routes(
            _WEB.validate_python(self._resource),
            [_WEB.validate_python(self._issuer)],
            scopes_supported=list(self._scopes),
            resource_name=title,
        )
        return [found, Route(_ROOT, found.endpoint, methods=["GET", "OPTIONS"])]


def tokens_of(settings: OAuthSettings, public_url: str, clock: Clock) -> Tokens | None:
    """None without an issuer, or where clients could not name us: tokens are made for an address.

    `public_url`: where this service is reached, without a path.
    """
    resource = settings.oauth_resource or (f"{public_url}/mcp" if public_url else "")
    if not settings.oauth_issuer:
        return None
    if not resource:
        log.warning("oauth_off", why="neither PUBLIC_URL nor OAUTH_RESOURCE is set: keys only")
        return None
    return Tokens(settings, resource, IssuerKeys(settings.oauth_issuer, settings.oauth_jwks_url, clock))


def _has(claims: Mapping[str, Any], wanted: str) -> bool:
    name, _, value = wanted.partition("=")
    return value in _texts(claims, name)


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    """A claim's text, or its list of texts. `realm_access.roles` is a claim within one, unless it is one."""
    found: object = claims.get(name)
    if found is None:
        found = claims
        for step in name.split("."):
            found = cast(Mapping[str, Any], found).get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else ""
