"""Settings of the launcher, and the environment that it hands on."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from core.settings import EnvironmentSettings

PORT_BASES = range(1024, 65_001)


class LauncherSettings(EnvironmentSettings):
    """`ELDOLEADO_*`: where `eldoleado run` keeps things and on which ports its engines listen."""

    model_config = SettingsConfigDict(env_prefix="ELDOLEADO_")

    state: Path = Field(
        default=Path("var"), description="folder of data, logs and secrets of `eldoleado run`"
    )
    redis_port: int = Field(default=56379, ge=1, le=65535, description="port of the embedded Redis")
    pg_port: int = Field(default=55432, ge=1, le=65535, description="port of the embedded PostgreSQL")
    redis_server: str | None = Field(default=None, description="a Redis or Valkey server to embed instead")
    pg_bin: str | None = Field(default=None, description="a folder of PostgreSQL programs to embed instead")
    agent: Literal["on", "off"] | None = Field(
        default=None, description="start the demo agent; on by default where every messenger is simulated"
    )
    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="channels to start, comma separated; else those with an account, else all, simulated",
    )
    port_base: int | None = Field(
        default=None,
        ge=1024,
        le=65000,
        description="moves every port of `eldoleado run` to this and the next 99",
    )

    hub_url: str | None = Field(
        default=None, description="the hub that operator commands ask; else that of the run on this machine"
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip().lower() for name in value.split(",") if name.strip())
        return value


class BridgeSettings(EnvironmentSettings):
    """`HUB_*`: the server that `eldoleado bridge` leads to."""

    hub_url: str = Field(
        default="http://127.0.0.1:8780/mcp", description="address of the hub, or of a channel, ending in /mcp"
    )
    hub_api_key: SecretStr = Field(description="an agent's key at that address")


def environment() -> dict[str, str]:
    """What the caller set; an empty variable counts as absent."""
    return {name: value for name, value in os.environ.items() if value}
