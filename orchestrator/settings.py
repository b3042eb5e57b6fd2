"""Settings of the orchestrator: windows, leases, database and where the channels are."""

import math
import os
import re
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from core.closing import COMMAND_NAME, EVERY
from core.registry import CHANNEL_NAMES, CHANNELS
from orchestrator.media_settings import MediaSettings
from orchestrator.takeover_settings import TakeoverSettings
from orchestrator.waking_settings import WakingSettings

InFlight = Literal["supersede", "collect"]
#: What stands for no command.
NO = "none"
_LONGEST_SECONDS = 24 * 3600.0


class Timing(NamedTuple):
    """How long a channel gathers, in seconds; `max_count` None: as the others."""

    silence: float
    longest: float
    max_count: int | None = None


class OrchestratorSettings(WakingSettings, MediaSettings, TakeoverSettings):
    """Times are seconds."""

    database_url: SecretStr = Field(description="postgresql://… of PostgreSQL >= 15")
    database_connections: int = Field(default=10, ge=2, le=100)
    channel_api_key: SecretStr = Field(description="the orchestrator's key at the channels")
    silence_seconds: float = Field(
        default=20.0, ge=0, le=_LONGEST_SECONDS, description="a turn closes after this much silence"
    )
    longest_seconds: float = Field(
        default=300.0, ge=0, le=_LONGEST_SECONDS, description="a turn never waits longer than this"
    )
    max_count: int = Field(
        default=0, ge=0, description="a turn closes at once with this many messages; 0: never"
    )
    channel_windows: str = Field(
        default="", description="per channel: avito=10/120/20,form=0/0 (silence/longest/max count)"
    )
    closing_commands: str = Field(
        default=EVERY, description="commands that close a turn at once: start,help; * every one, none: none"
    )
    in_flight: InFlight = Field(
        default="supersede",
        description="a reply that has not seen the newest message is refused (supersede) or sent (collect)",
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
    breaker_failures: int = Field(
        default=5, ge=1, description="failures in a row after which an account is left alone for a while"
    )
    breaker_seconds: float = Field(
        default=10.0, gt=0, le=300, description="the first such pause; doubled up to 300"
    )
    audit_keep_days: int = Field(
        default=365,
        ge=0,
        description="entries of the audit log older than so many days are removed; 0: never",
    )
    turn_lease_seconds: float = Field(
        default=120.0, gt=0, description="an agent's turn is offered again then"
    )
    channels: str = Field(default="", description="channels that have a server, comma separated; empty: all")
    enrichment_seconds: float = Field(default=3.0, gt=0, description="longest wait for names, ads and links")

    @field_validator("longest_seconds")
    @classmethod
    def _not_below_the_silence(cls, longest: float, others: ValidationInfo) -> float:
        silence = others.data.get("silence_seconds", 0.0)
        if longest < silence:
            raise ValueError(f"{longest:g} is less than SILENCE_SECONDS ({silence:g})")
        return longest

    @field_validator("channel_windows")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_windows(text)
        return text

    @field_validator("closing_commands")
    @classmethod
    def _names(cls, text: str) -> str:
        parse_commands(text)
        return text

    @field_validator("channels")
    @classmethod
    def _known(cls, text: str) -> str:
        known = {service.channel for service in CHANNELS}
        if unknown := _listed(text) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        return text


def parse_windows(text: str) -> dict[str, Timing]:
    """`avito=10/120/20,form=0/0` -> {"avito": (10, 120, 20), "form": (0, 0, None)}.

    ValueError names everything that is wrong.
    """
    windows: dict[str, Timing] = {}
    wrong = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        channel, _, numbers = entry.partition("=")
        channel = channel.strip()
        try:
            if channel in windows:
                raise ValueError(f"{channel!r} stands twice")
            windows[channel] = _timing(channel, numbers.split("/"))
        except ValueError as error:
            wrong.append(f"{entry!r}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return windows


def _timing(channel: str, numbers: list[str]) -> Timing:
    if channel not in CHANNEL_NAMES:
        raise ValueError(f"unknown channel {channel!r}; known: {', '.join(sorted(CHANNEL_NAMES))}")
    try:
        silence, longest, *count = (float(number) for number in numbers)
        if len(count) > 1:
            raise ValueError
    except ValueError:
        raise ValueError("not channel=silence/longest or channel=silence/longest/max count") from None
    if not 0 <= silence <= longest <= _LONGEST_SECONDS:
        raise ValueError(f"0 <= silence <= longest <= {_LONGEST_SECONDS:.0f} must hold")
    if count and not (math.isfinite(count[0]) and count[0] >= 0 and count[0].is_integer()):
        raise ValueError("the max count is a whole number, 0 for none")
    return Timing(silence, longest, int(count[0]) if count else None)


def parse_commands(text: str) -> tuple[str, ...]:
    """`start,/help` -> ("start", "help"); `*` -> ("*",); `none` -> ().

    ASCII letters are made small. ValueError names what is no command.
    """
    if text.strip() in (EVERY, NO):
        return (EVERY,) if text.strip() == EVERY else ()
    given = [name.strip().removeprefix("/") for name in text.split(",") if name.strip()]
    if wrong := [name for name in given if not re.fullmatch(COMMAND_NAME, name)]:
        raise ValueError(f"no command: {', '.join(map(repr, wrong))}; like start,help or * or none")
    names = [name.encode().lower().decode() for name in given]
    return tuple(dict.fromkeys(names))


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
