"""Settings of a Wappi profile, read from WHATSAPP_* variables (core/vendor_settings.py says how)."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from core.vendor_settings import VendorSettings, fits_into_a_path


class WhatsAppSettings(VendorSettings):
    """Keys and limits of one Wappi profile: one WhatsApp number."""

    model_config = SettingsConfigDict(env_prefix="WHATSAPP_")
    identified_by = "profile_id"

    token: SecretStr = Field(min_length=1, description="API token of the Wappi account")
    profile_id: str = Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}$", description="id of the profile, such as a1b2c3d4-e5f6"
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(fits_into_a_path)] = Field(
        description="last path segment of our webhook, 16 characters or more"
    )
    webhook_auth_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]{0,60}$",
        description="header that must carry our phrase in every delivery; empty: checked where it comes",
    )
    base_url: str = Field(default="https://wappi.pro", description="address of the API, or of the sandbox")
    requests_per_second: float = Field(default=3.0, gt=0, description="calls of the API, on average")
    burst: int = Field(default=10, ge=1, description="calls of the API at once")
    sends_per_second: float = Field(default=1.0, gt=0, description="messages of this number, on average")
    timeout_seconds: float = Field(default=30.0, gt=0, description="longest wait for one answer")
