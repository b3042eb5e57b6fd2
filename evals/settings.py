"""Settings of the evals, and what of the caller's environment the system under test may see."""

import os
from collections.abc import Mapping

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from examples.agent.settings import AgentSettings

#: Nothing else is handed on: an account of a real messenger must not get into an eval.
_HANDED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "ELDOLEADO_REDIS_SERVER", "ELDOLEADO_PG_BIN")


class EvalSettings(BaseSettings):
    """`EVALS_*`. Both models are asked where the demo agent's is: at Anthropic, or at LLM_BASE_URL."""

    model_config = SettingsConfigDict(env_prefix="EVALS_", frozen=True, env_ignore_empty=True)

    judge_model: str = Field(default="", description="the model that judges; empty: nobody does")
    customer_model: str = Field(default="", description="the model that plays customers; empty: their rules")


def model_settings() -> AgentSettings:
    """The demo agent's settings, for its models; the hub's key is not known yet."""
    return AgentSettings(hub_api_key="none")  # type: ignore[arg-type]  # pydantic makes it a secret


def of_system() -> dict[str, str]:
    """What the system finds of the caller's variables."""
    return {name: os.environ[name] for name in _HANDED_ON if name in os.environ}


def of_agent(more: Mapping[str, str], *, without_models: bool = False) -> dict[str, str]:
    """All of the caller's variables and `more`; the caller's win, but for those that lead to the hub."""
    own = {name: value for name, value in os.environ.items() if value}
    if without_models:
        own = {name: value for name, value in own.items() if not name.startswith(("ANTHROPIC_", "LLM_"))}
    hub = {name: value for name, value in more.items() if name.startswith("HUB_")}
    return {**more, **own, **hub}
