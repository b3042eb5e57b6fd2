"""Settings of the form service, read from FORM_* variables."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from phonenumbers import SUPPORTED_REGIONS
from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from core.settings import EnvironmentSettings

Network = IPv4Network | IPv6Network


class FormSettings(EnvironmentSettings):
    """Who may post, how often, and what gives a robot away."""

    model_config = SettingsConfigDict(env_prefix="FORM_")

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="sites whose pages may post, comma separated: https://shop.ru; * = every site"
    )
    rate_per_minute: float = Field(default=10, gt=0, description="submissions of one address, on average")
    rate_burst: int = Field(default=5, ge=1, description="submissions of one address at once")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="addresses or networks whose X-Forwarded-For is believed, comma separated"
    )
    min_fill_seconds: float = Field(default=2, ge=0, description="nobody fills a form faster")
    honeypot_field: str = Field(default="website", description="hidden field that only robots fill")
    default_region: str = Field(default="RU", description="country of phones written without a code")
    max_bytes: int = Field(default=65_536, ge=1_024, description="largest body")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        return _entries(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        """10.0.0.7/8 means 10.0.0.0/8."""
        entries = _entries(value)
        return (
            tuple(ip_network(entry, strict=False) for entry in entries)
            if isinstance(entries, tuple)
            else entries
        )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if origin != "*" and (scheme not in ("http", "https") or not host or "/" in host):
                raise ValueError(f"{origin!r} is not an origin such as https://shop.ru (no path, no slash)")
        return tuple(origin.lower() for origin in origins)

    @field_validator("default_region")
    @classmethod
    def _is_region(cls, region: str) -> str:
        if region.upper() not in SUPPORTED_REGIONS:
            raise ValueError("must be a country of two letters, such as RU")
        return region.upper()


def _entries(value: object) -> object:
    if isinstance(value, str):
        return tuple(entry.strip() for entry in value.split(",") if entry.strip())
    return value
