"""Settings of OAuth: whose access tokens open our doors beside the keys (docs/authorization.md)."""

import re
from collections.abc import Mapping
from typing import cast, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from core.auth import Mode, Scope

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: scope-token of RFC 6749, without the comma that separates entries here.
_SCOPE_NAME = re.compile(r"[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+")
_CLAIM = re.compile(r"[^\s=]+=\S.*")


class OAuthSettings(BaseSettings):
    """Without an issuer there are only keys."""

    oauth_issuer: str = Field(
        default="", description="the authorization server, as its tokens name it in iss; empty: keys only"
    )
    oauth_resource: str = Field(
        default="", description="address of our /mcp as clients know it; empty: PUBLIC_URL and /mcp"
    )
    oauth_audience: str = Field(
        default="", description="what tokens for us have in aud; empty: OAUTH_RESOURCE"
    )
    oauth_jwks_url: str = Field(
        default="", description="where the issuer's public keys are; empty: the issuer's metadata tells"
    )
    oauth_scopes: str = Field(
        default="read=read,answer=answer,send=send,manage=manage",
        description="what each scope of a token opens: theirs=ours+ours,theirs=ours",
    )
    oauth_mode: Mode = Field(default="guarded", description="mode of a token that names none")
    oauth_mode_claim: str = Field(default="", description="claim that names the mode, if any")
    oauth_operator: str = Field(default="", description="claim=value by which a token is an operator's")
    oauth_require: str = Field(default="", description="claim=value that a token must have, such as a tenant")

    @field_validator("oauth_issuer", "oauth_resource", "oauth_jwks_url")
    @classmethod
    def _is_safe_to_ask(cls, value: str) -> str:
        if value and not is_safe(value):
            raise ValueError("must be an https address (http only on this machine), without a fragment")
        return value

    @field_validator("oauth_scopes")
    @classmethod
    def _names_ours(cls, value: str) -> str:
        parse_scopes(value)
        return value

    @field_validator("oauth_operator", "oauth_require")
    @classmethod
    def _is_a_claim(cls, value: str) -> str:
        if value and not _CLAIM.fullmatch(value):
            raise ValueError("must be claim=value")
        return value


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what such an address answers."""
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return bool(parts.hostname) and (parts.scheme == "https" or here) and not parts.fragment


def parse_scopes(text: str) -> Mapping[str, frozenset[Scope]]:
    """`theirs=ours+ours,theirs=ours`; ValueError names what is wrong."""
    found: dict[str, frozenset[Scope]] = {}
    for entry in (part.strip() for part in text.split(",")):
        theirs, _, ours = entry.rpartition("=")
        named = frozenset(ours.split("+"))
        if not _SCOPE_NAME.fullmatch(theirs) or not named <= set(get_args(Scope)):
            known = ", ".join(get_args(Scope))
            raise ValueError(f"{entry!r} must be theirs=ours+ours, with ours of {known}")
        found[theirs] = cast(frozenset[Scope], named)
    return found
