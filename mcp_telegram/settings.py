"""Settings of a Telegram bot, read from TELEGRAM_* variables (core/vendor_settings.py says how)."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from core.vendor_settings import VendorSettings

LONGEST_TOKEN = 80
_TOKEN = re.compile(r"[1-9][0-9]{0,18}:[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")


def _well_formed(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise ValueError("must look like 7000000001:letters-and-digits, 80 characters at most")
    return value


def _fits_into_a_header(value: SecretStr) -> SecretStr:
    if not _SECRET.fullmatch(value.get_secret_value()):
        raise ValueError("must be 16 to 256 characters of A-Z a-z 0-9 _ -")
    return value


class TelegramSettings(VendorSettings):
    """Keys and limits of one bot."""

    model_config = SettingsConfigDict(env_prefix="TELEGRAM_")
    identified_by = "token"

    token: Annotated[SecretStr, AfterValidator(_well_formed)] = Field(description="from @BotFather")
    webhook_secret: Annotated[SecretStr, AfterValidator(_fits_into_a_header)] = Field(
        description="Telegram shows it with every delivery, 16 characters or more"
    )
    base_url: str = Field(
        default="https://api.telegram.org",
        description="address of the API, of a local server, or the sandbox",
    )
    requests_per_second: float = Field(default=25.0, gt=0, description="calls of the API, on average")

    @property
    def bot_id(self) -> int:
        """The bot's user id: the token begins with it."""
        return int(self.token.get_secret_value().partition(":")[0])
