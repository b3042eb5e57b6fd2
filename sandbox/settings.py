"""Settings of the sandbox, read from the environment once."""

from typing import Annotated

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class SettingsError(Exception):
    """The sandbox cannot start; the sentence names every setting that is missing or wrong."""


class SandboxSettings(BaseSettings):
    """`SANDBOX_*` variables; the two Avito keys have no default."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True, env_ignore_empty=True)

    avito_client_id: str
    avito_client_secret: SecretStr
    avito_user_id: PositiveInt = 701_000_001
    avito_token_ttl: PositiveInt = 86_400
    host: str = "127.0.0.1"
    port: int = Field(default=8790, ge=1, le=65_535)
    public_url: str = ""
    webhook_timeout: PositiveFloat = 2.0
    webhook_retries: Annotated[tuple[NonNegativeFloat, ...], NoDecode] = (1.0, 5.0, 30.0)

    @field_validator("webhook_retries", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def address(self) -> str:
        """Where media links lead, without a trailing slash."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")


def load_settings() -> SandboxSettings:
    try:
        return SandboxSettings()  # type: ignore[call-arg]  # the values come from the environment
    except ValidationError as error:
        raise SettingsError(sentence(error)) from None


def sentence(error: ValidationError, prefix: str = "SANDBOX_") -> str:
    """What is missing or wrong, by the names of the variables."""
    problems = error.errors(include_url=False, include_input=False)
    names = {id(problem): f"{prefix}{str(problem['loc'][0]).upper()}" for problem in problems}
    missing = [names[id(problem)] for problem in problems if problem["type"] == "missing"]
    wrong = [
        f"{names[id(problem)]}: {problem['msg']}" for problem in problems if problem["type"] != "missing"
    ]
    parts = ([f"set {', '.join(missing)}"] if missing else []) + wrong
    return f"The sandbox cannot start: {'; '.join(parts)}."
