"""Settings of the Avito channel: one account, read from AVITO_* variables."""

import re

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from core.settings import EnvironmentSettings

_WEB_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_PATH_SECRET = re.compile(r"[A-Za-z0-9_.~-]{16,200}")


class AvitoSettings(EnvironmentSettings):
    """Keys and limits of one Avito account."""

    model_config = SettingsConfigDict(env_prefix="AVITO_")

    client_id: str = Field(description="from avito.ru/professionals/api")
    client_secret: SecretStr = Field(description="from avito.ru/professionals/api")
    webhook_secret: SecretStr = Field(description="last path segment of our webhook, 16 characters or more")
    base_url: str = Field(default="https://api.avito.ru", description="address of the API, or of the sandbox")
    user_id: int | None = Field(default=None, gt=0, description="account id; asked from Avito when absent")
    requests_per_second: float = Field(default=1.0, gt=0, description="calls of the API, on average")
    burst: int = Field(default=5, ge=1, description="calls of the API at once")
    proxy: SecretStr = Field(default=SecretStr(""), description="http://user:password@host:port, if any")
    ca_bundle: str = Field(default="", description="file of certificates to trust instead of the usual ones")
    timeout_seconds: float = Field(default=10.0, gt=0, description="longest wait for one answer of Avito")

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if not _WEB_ADDRESS.fullmatch(value):
            raise ValueError("must be an http(s) address without user, query and fragment")
        return value.rstrip("/")

    @field_validator("webhook_secret")
    @classmethod
    def _fits_into_a_path(cls, value: SecretStr) -> SecretStr:
        if not _PATH_SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("must be 16 to 200 characters of A-Z a-z 0-9 _ . ~ -")
        return value
