"""Settings of the demo agent, from the environment."""

import sys
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class AgentSettings(BaseSettings):
    """Without a model's key the agent answers from its rule table."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    hub_url: str = Field(default="http://127.0.0.1:8780/mcp", description="the hub's MCP address")
    hub_api_key: SecretStr = Field(description="the agent's key at the hub")
    agent_name: str = Field(default="demo-agent", max_length=80, description="shown in the hub's log")
    agent_concurrency: int = Field(default=4, ge=1, le=100, description="turns answered at once")
    agent_system_prompt: str = Field(default="", description="what the model is told about the business")
    agent_fallback: Literal["rules", "person"] = Field(
        default="rules", description="who answers when the model fails: the rule table, or a person"
    )
    anthropic_api_key: SecretStr | None = Field(default=None, description="answer with Claude")
    anthropic_base_url: str = Field(default="https://api.anthropic.com", description="where Claude is asked")
    anthropic_model: str = Field(default="claude-sonnet-4-5", description="which Claude")
    llm_base_url: str = Field(default="", description="an OpenAI-compatible API, such as http://host:8000/v1")
    llm_api_key: SecretStr = Field(default=SecretStr(""), description="its key, if it wants one")
    llm_model: str = Field(default="", description="its model; needed with LLM_BASE_URL")
    llm_timeout_seconds: float = Field(default=30.0, gt=0, description="longest wait for one answer")

    @model_validator(mode="after")
    def _model_is_named(self) -> "AgentSettings":
        if self.llm_base_url and not self.llm_model:
            raise ValueError("LLM_BASE_URL is set, so LLM_MODEL must name the model")
        return self


def load() -> AgentSettings:
    """The settings, or an end of the process that names what is missing (exit code 2)."""
    try:
        return AgentSettings()  # type: ignore[call-arg]  # the environment has them
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in wrong["loc"]).upper() or "settings"
            sys.stderr.write(f"{name}: {wrong['msg']}\n")
        raise SystemExit(2) from error
