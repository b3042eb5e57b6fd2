"""Settings of a MAX bot, read from MAX_* variables (core/vendor_settings.py says how)."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from core.vendor_settings import VendorSettings


def _fits_into_a_header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]{1,4096}", value.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces")
    return value


def _is_webhook_secret(value: SecretStr) -> SecretStr:
    """MAX takes 5 characters and more (§5.1); so few could be guessed."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value.get_secret_value()):
        raise ValueError("must be 16 to 256 characters of A-Z a-z 0-9 _ -")
    return value


class MaxSettings(VendorSettings):
    """Keys and limits of one bot. MAX allows 30 calls a second, bursts included (§1)."""

    model_config = SettingsConfigDict(env_prefix="MAX_")
    identified_by = "token"

    token: Annotated[SecretStr, AfterValidator(_fits_into_a_header)] = Field(
        description="from business.max.ru: Chat-bots, Settings"
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_is_webhook_secret)] = Field(
        description="what MAX shall send with every delivery, 16 characters or more"
    )
    base_url: str = Field(
        default="https://platform-api2.max.ru", description="address of the API, or of the sandbox"
    )
    requests_per_second: float = Field(default=25.0, gt=0, description="calls of the API, on average")
    bot_id: int | None = Field(
        default=None, gt=0, description="user_id of the bot; asked from MAX when absent"
    )
