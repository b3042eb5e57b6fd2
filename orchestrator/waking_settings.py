"""Settings of how agents are woken: the webhook to call and the stream to write."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from core.settings import EnvironmentSettings
from orchestrator.standard_webhooks import keys_of


class WakingSettings(EnvironmentSettings):
    """Times are seconds. A part of the orchestrator's settings."""

    agent_webhook_private: bool = Field(
        default=False, description="the agent's webhook may have a private address, and http:// there"
    )
    agent_webhook_url: str = Field(
        default="", description="https://… that is called when a turn waits; empty: nobody is called"
    )
    agent_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        validate_default=True,
        description="whsec_… that signs these calls; two, comma separated, while one replaces the other",
    )
    agent_webhook_seconds: float = Field(
        default=15.0, gt=0, le=60, description="longest wait for the webhook's answer"
    )
    turns_stream_length: int = Field(
        default=10_000, ge=0, description="entries kept in stream:turns, about; 0: none is written"
    )

    @field_validator("agent_webhook_url")
    @classmethod
    def _callable(cls, url: str, others: ValidationInfo) -> str:
        if url:
            parts = _parts(url)
            plain = parts.scheme == "http"
            if plain and not (is_this_machine(parts.hostname or "") or others.data["agent_webhook_private"]):
                raise ValueError("must be https:// unless AGENT_WEBHOOK_PRIVATE=true")
        return url

    @field_validator("agent_webhook_secret")
    @classmethod
    def _usable(cls, secret: SecretStr, others: ValidationInfo) -> SecretStr:
        keys = keys_of(secret.get_secret_value())
        if others.data.get("agent_webhook_url") and not keys:
            raise ValueError("is missing: AGENT_WEBHOOK_URL needs it")
        return secret


def is_this_machine(host: str) -> bool:
    """Whether a host is called loopback, by name or number."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("must be https://host[:port]/path, without a user name")
    return parts
