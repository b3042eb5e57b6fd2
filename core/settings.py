"""Settings from the environment: frozen, complete, or no start. Every mistake is told at once."""

import re
import sys
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from urllib.parse import unquote

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.auth import KeyRing, Mode
from core.oauth_settings import OAuthSettings
from core.profiles import Profile
from core.state_keys import check_state_keys

_ORIGIN = re.compile(r"https?://[^\s/?#@]+/?")
_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^:/@]*:([^@/]+)@")

S = TypeVar("S", bound=BaseSettings)
T = TypeVar("T", bound=BaseSettings)


class EnvironmentSettings(BaseSettings):
    """Read once from the environment; an empty variable counts as absent."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )


class ServiceSettings(OAuthSettings, EnvironmentSettings):
    """What every service of ours reads."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="port to listen on; 0 = the registry's")
    redis_url: SecretStr = Field(description="redis://… of Redis or Valkey >= 6.2, AOF on")
    redis_timeout_seconds: float = Field(default=1.0, gt=0, description="longest wait for an answer of Redis")
    redis_prefix: str = Field(default="", description="prefix of every key, such as {p0}: on a Redis Cluster")
    api_keys: SecretStr = Field(description="who may call: name=key,name:role:mode:scope+scope=key")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="public host names of /mcp, comma separated; localhost is always allowed"
    )
    mcp_stdio_mode: Mode = Field(
        default="guarded", description="what a program that starts us with --stdio may do"
    )
    mcp_state_keys: SecretStr = Field(
        default=SecretStr(""),
        description="what seals the rounds of a call: new key,old key; empty: made of API_KEYS",
    )
    mcp_profile: Profile = Field(
        default="core", description="tools that models are shown: core (a dozen) or all; REST has everything"
    )
    mcp_fixtures: str = Field(
        default="",
        pattern=r"^([\w.]+:\w+)?$",
        description="for the conformance tests only: module:function that adds tools, resources and prompts",
    )
    spool_dir: str = Field(default="var/spool", description="folder that keeps events while Redis is away")
    public_url: str = Field(
        default="",
        description="address under which messengers and clients reach this service, without a path",
    )
    watch_seconds: float = Field(
        default=60.0, gt=0, description="how often each account's subscription and session are looked at"
    )
    sweep_seconds: float = Field(
        default=300.0, ge=0, description="how often the history is searched for lost messages; 0: never"
    )
    sweep_young_seconds: float = Field(
        default=30.0,
        ge=0,
        description="a message younger than this may still come by itself: the search leaves it",
    )
    send_seconds: float = Field(
        default=60.0,
        gt=0,
        description="longest one call to send may take; a crashed send waits half as much again",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    shutdown_seconds: int = Field(default=10, ge=1, description="longest wait for requests at the end")

    @field_validator("api_keys")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        KeyRing.parse(value)
        return value

    @field_validator("mcp_state_keys")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        check_state_keys(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if value and not _ORIGIN.fullmatch(value):
            raise ValueError("must be http(s)://host[:port]")
        return value.rstrip("/")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value


def load(first: type[S], second: type[T]) -> tuple[S, T]:
    """Both settings, or an end of the process with the full list of what is wrong (exit code 2)."""
    made: list[Any] = []
    wrong: list[str] = []
    for settings in (first, second):
        try:
            made.append(settings())
        except ValidationError as error:
            wrong.extend(complaints(error, prefix=settings.model_config.get("env_prefix", "")))
    if wrong:
        refuse(wrong)
    return made[0], made[1]


def load_one(settings: type[S]) -> S:
    """One settings class, or an end of the process with the full list of what is wrong."""
    try:
        return settings()
    except ValidationError as error:
        refuse(complaints(error, prefix=settings.model_config.get("env_prefix", "")))


def secret_texts(settings: BaseSettings) -> list[str]:
    """Every secret value of the settings, and each key and password within, so that logs can mask them."""
    values = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    keys = [part.partition("=")[2].strip() for value in values for part in value.split(",")]
    passwords = [found for value in values for found in _passwords(value)]
    return [text for text in (*values, *keys, *passwords) if text]


def _passwords(address: str) -> tuple[str, str]:
    """The password of an address, as it is written and as it is meant; "" when it has none."""
    written = _PASSWORD.match(address)
    return (written[1], unquote(written[1])) if written else ("", "")


def complaints(error: ValidationError, *, prefix: str) -> list[str]:
    """A line for each wrong variable, by its name in the environment and without its value."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = prefix.upper() + "_".join(str(part) for part in problem["loc"]).upper()
        said = "is missing" if problem["type"] == "missing" else problem["msg"]
        lines.append(f"{name}: {said}")
    return lines


def refuse(wrong: list[str]) -> NoReturn:
    """End the process (exit code 2) with the list of what is wrong."""
    sys.stderr.write("The settings are not complete. Mend these variables (see .env.example):\n")
    sys.stderr.writelines(f"  {line}\n" for line in sorted(set(wrong)))
    raise SystemExit(2)
