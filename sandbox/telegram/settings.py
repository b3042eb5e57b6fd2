"""Settings of the simulated Telegram: the token, and what the contract leaves open."""

import os
import re
from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.settings import SettingsError, sentence

PREFIX = "SANDBOX_TELEGRAM_"


class TelegramSandboxSettings(BaseSettings):
    """`SANDBOX_TELEGRAM_*`; only the token has no default. `SANDBOX_WEBHOOK_*` is not for it.

    `strict_webhook`: https and the four ports, as the public server wants them (contract §2.1).
    `read_timeout`: silence of a webhook in seconds; `retry_speed` divides the pauses of §2.2.
    `album_spread`: an album's updates come 0 to this many seconds apart.
    `callback_life`: how long an undelivered button press is kept; `callback_answer_within`: how long it
    may be answered (§2.2 and §4 tell neither). `wrong_token_status`: old servers said 404 (§1).
    `never_started_status`: whom the bot may not write first (§7 has 400 and, from memory, 403).
    `text_unit`: what the 4096 and 1024 count (§5). `business_echo`: whether messages sent over a business
    connection come back as updates (§3 and §11 say no, §9 hints at it).
    `chat_*`, `group_per_minute`, `all_per_second`: §8. `webhook_check`: seconds a setWebhook takes.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    token: SecretStr
    first_name: str = Field(default="Ремонт Про", min_length=1)
    username: str = "remont_pro_bot"
    test_environment: bool = False
    wrong_token_status: Literal[401, 404] = 401
    strict_webhook: bool = False
    webhook_check: NonNegativeFloat = 0.0
    read_timeout: PositiveFloat = 60.0
    retry_speed: PositiveFloat = 1.0
    update_life: PositiveFloat = 86_400.0
    callback_life: PositiveFloat = 150.0
    callback_answer_within: PositiveFloat = 900.0
    first_update_id: PositiveInt = 500_000_001
    album_spread: NonNegativeFloat = 0.3
    never_started_status: Literal[400, 403] = 400
    text_unit: Literal["utf16", "characters"] = "utf16"
    strict_url_documents: bool = False
    business_echo: bool = False
    file_link_life: PositiveFloat = 3600.0
    chat_per_second: PositiveFloat = 1.0
    chat_burst: PositiveInt = 5
    group_per_minute: PositiveInt = 20
    all_per_second: PositiveInt = 30

    @field_validator("token")
    @classmethod
    def _well_formed(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if len(token) > 80 or not re.fullmatch(r"[1-9]\d{0,17}:[A-Za-z0-9_-]+", token):
            raise ValueError("must look like 7000000001:letters-and-digits, 80 characters at most")
        return value

    @property
    def bot_id(self) -> int:
        return int(self.token.get_secret_value().partition(":")[0])


def from_environment() -> TelegramSandboxSettings | None:
    """The settings; None when no variable is set, SettingsError when the token is missing or one is wrong."""
    known = {f"{PREFIX}{name}".upper() for name in TelegramSandboxSettings.model_fields}
    if not any(name.upper() in known and value for name, value in os.environ.items()):
        return None
    try:
        return TelegramSandboxSettings()  # type: ignore[call-arg]  # the values come from the environment
    except ValidationError as error:
        raise SettingsError(sentence(error, PREFIX)) from None
