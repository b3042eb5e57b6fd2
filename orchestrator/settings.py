"""Settings of the orchestrator: windows, leases, database and where the channels are."""

import os

from pydantic import Field, SecretStr, field_validator

from core.registry import CHANNEL_NAMES, CHANNELS
from core.settings import EnvironmentSettings


class OrchestratorSettings(EnvironmentSettings):
    """Times are seconds."""

    database_url: SecretStr = Field(description="postgresql://… of PostgreSQL >= 15")
    database_connections: int = Field(default=10, ge=2, le=100)
    channel_api_key: SecretStr = Field(description="the orchestrator's key at the channels")
    silence_seconds: float = Field(default=20.0, ge=0, description="a turn closes after this much silence")
    longest_seconds: float = Field(default=300.0, ge=0, description="a turn never waits longer than this")
    channel_windows: str = Field(
        default="", description="per channel: avito=10/120,form=0/0 (silence/longest)"
    )
    batch_lease_seconds: float = Field(
        default=300.0, gt=0, description="a dead worker's chat is taken over then"
    )
    debounce_workers: int = Field(default=10, ge=1, le=100)
    delivery_workers: int = Field(default=10, ge=1, le=100)
    delivery_lease_seconds: float = Field(default=120.0, gt=0)
    delivery_attempts: int = Field(
        default=20, ge=1, description="about an hour; then the message goes to the dead letters"
    )
    refused_account_seconds: float = Field(
        default=300.0, gt=0, le=300, description="an account that its vendor refuses is tried again then"
    )
    turn_lease_seconds: float = Field(
        default=120.0, gt=0, description="an agent's turn is offered again then"
    )
    channels: str = Field(default="", description="channels that have a server, comma separated; empty: all")
    enrichment_seconds: float = Field(default=3.0, gt=0, description="longest wait for names, ads and links")

    @field_validator("channel_windows")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_windows(text)
        return text

    @field_validator("channels")
    @classmethod
    def _known(cls, text: str) -> str:
        known = {service.channel for service in CHANNELS}
        if unknown := _listed(text) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        return text


def parse_windows(text: str) -> dict[str, tuple[float, float]]:
    """`avito=10/120,form=0/0` -> {"avito": (10, 120), "form": (0, 0)}; ValueError says what is wrong."""
    windows = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        channel, _, numbers = entry.partition("=")
        silence, _, longest = numbers.partition("/")
        if channel not in CHANNEL_NAMES:
            raise ValueError(f"unknown channel {channel!r} in {entry!r}")
        try:
            windows[channel] = (float(silence), float(longest))
        except ValueError:
            raise ValueError(f"{entry!r} is not channel=silence/longest") from None
    return windows


def channel_urls(settings: OrchestratorSettings) -> dict[str, str]:
    """Where each served channel is reached: MCP_AVITO_URL and so on, this machine by default."""
    served = _listed(settings.channels)
    return {
        service.channel: os.environ.get(service.url_variable) or f"http://127.0.0.1:{service.port}"
        for service in CHANNELS
        if not served or service.channel in served
    }


def _listed(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}
