"""Settings of an Avito account, read from AVITO_* variables (core/vendor_settings.py says how)."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from core.vendor_settings import VendorSettings, fits_into_a_path


class AvitoSettings(VendorSettings):
    """Keys and limits of one Avito account."""

    model_config = SettingsConfigDict(env_prefix="AVITO_")
    identified_by = "client_id"

    client_id: str = Field(description="from avito.ru/professionals/api")
    client_secret: SecretStr = Field(description="from avito.ru/professionals/api")
    webhook_secret: Annotated[SecretStr, AfterValidator(fits_into_a_path)] = Field(
        description="last path segment of our webhook, 16 characters or more"
    )
    base_url: str = Field(default="https://api.avito.ru", description="address of the API, or of the sandbox")
    user_id: int | None = Field(default=None, gt=0, description="account id; asked from Avito when absent")
