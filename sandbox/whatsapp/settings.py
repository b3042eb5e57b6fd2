"""Settings of the simulated Wappi account, read from the environment once."""

import os
import re
from typing import Annotated, Any, NamedTuple

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic import field_validator as checks
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from sandbox.settings import SettingsError, sentence
from sandbox.whatsapp.faults import WhatsAppFaults

PREFIX = "SANDBOX_WHATSAPP_"


class Number(NamedTuple):
    """A profile of the account and the phone that is logged in there."""

    profile_id: str
    phone: str


class WhatsAppSandboxSettings(BaseSettings):
    """`SANDBOX_WHATSAPP_*`; only the token has no default.

    `profiles` is `id:phone,id:phone`; `switches` are fault switches (JSON) that hold from the start and
    after every reset: with them an answer the contract leaves open (§11) can be chosen for good.
    Numbers that the contract does not know: webhook deadline, retries and order (§6.1; retries are invented),
    after how many webhooks given up in a row the URL is switched off (`hook_off_after`, 0: never, §11.2),
    delays of the statuses (§9.4; without `read_after` a message is read when the customer reads), text,
    caption and file limits (§8), page sizes (§3.4), `download_takes` (how long a download runs, §3.5).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    token: SecretStr
    profiles: Annotated[tuple[Number, ...], NoDecode, Field(min_length=1)] = (
        Number("a1b2c3d4-e5f6", "79000000001"),
    )
    profile_name: str = "Мастерская «Эльдорадо»"
    paid_days: NonNegativeFloat = 365
    webhook_timeout: PositiveFloat = 10
    webhook_retries: Annotated[tuple[NonNegativeFloat, ...], NoDecode] = (5, 30, 120)
    keeps_order: bool = True
    hook_off_after: NonNegativeInt = 0
    pending_after: NonNegativeFloat = 0
    delivered_after: NonNegativeFloat = 1
    read_after: NonNegativeFloat | None = None
    text_limit: PositiveInt = 65_536
    caption_limit: PositiveInt = 1_024
    video_limit: PositiveInt = 16 * 1024 * 1024
    file_limit: PositiveInt = 64 * 1024 * 1024
    chats_limit: PositiveInt = 50
    messages_limit: PositiveInt = 50
    file_link_lives: PositiveFloat = 172_800
    media_kept: PositiveFloat = 20 * 86_400
    download_takes: NonNegativeFloat = 0.2
    restart_takes: NonNegativeFloat = 5
    switches: dict[str, Any] = Field(default_factory=dict)

    @checks("profiles", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        given = [part.strip() for part in value.split(",") if part.strip()]
        if any(not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}:7?\d{9,14}", part) for part in given):
            raise ValueError("must be id:phone pairs such as a1b2c3d4-e5f6:79000000001")
        return [Number(*part.split(":")) for part in given]

    @checks("webhook_retries", mode="before")
    @classmethod
    def _pauses(cls, value: object) -> object:
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @checks("switches")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        WhatsAppFaults.model_validate(value)
        return value


def from_environment() -> WhatsAppSandboxSettings | None:
    """The settings, or None when no variable of the vendor is set: then it is not simulated."""
    if not any(name.upper().startswith(PREFIX) and value for name, value in os.environ.items()):
        return None
    try:
        return WhatsAppSandboxSettings()  # type: ignore[call-arg]  # the values come from the environment
    except ValidationError as error:
        raise SettingsError(sentence(error, PREFIX)) from None
    except UnreadableSetting:
        raise SettingsError(f"The sandbox cannot start: {PREFIX}SWITCHES: not JSON.") from None
