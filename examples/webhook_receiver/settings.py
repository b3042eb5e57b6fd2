"""Settings of the receiver, from the environment: those of the demo agent that it needs, and the secret."""

import sys

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ReceiverSettings(BaseSettings):
    """The hub and the secret that both sides share."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    hub_url: str = Field(default="http://127.0.0.1:8780/mcp", description="the hub's MCP address")
    hub_api_key: SecretStr = Field(description="the agent's key at the hub")
    agent_name: str = Field(default="demo-agent", max_length=80, description="shown in the hub's log")
    agent_webhook_secret: SecretStr = Field(description="whsec_…, the same as the hub's; one")

    @field_validator("agent_webhook_secret")
    @classmethod
    def _one(cls, secret: SecretStr) -> SecretStr:
        if not secret.get_secret_value().startswith("whsec_") or "," in secret.get_secret_value():
            raise ValueError("must be one secret that begins with whsec_")
        return secret


def load() -> ReceiverSettings:
    """The settings, or an end of the process that names what is missing (exit code 2)."""
    try:
        return ReceiverSettings()  # type: ignore[call-arg]  # the environment has them
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            sys.stderr.write(f"{'_'.join(map(str, wrong['loc'])).upper()}: {wrong['msg']}\n")
        raise SystemExit(2) from error
