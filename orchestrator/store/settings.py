"""What the migrations need from the environment."""

from pydantic import Field, SecretStr

from core.settings import EnvironmentSettings


class DatabaseSettings(EnvironmentSettings):
    """Where PostgreSQL is."""

    database_url: SecretStr = Field(description="postgresql://… of PostgreSQL >= 15")
