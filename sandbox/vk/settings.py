"""Settings of the simulated VK community: `SANDBOX_VK_*` variables."""

import os
from typing import Annotated, Literal

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

from sandbox.settings import SettingsError, sentence

PREFIX = "SANDBOX_VK_"


class VkSandboxSettings(BaseSettings):
    """The key has no default; whatever the contract marks as unknown is a setting with its advice as default.

    - `text_limit`: 4096 or 9000 (§3.1, §8).  `random_id_scope`: over all peers or per peer (§3.1).
    - `repeated_answer`: what a repeated random_id is answered with (§3.1).
    - `messages_per_hour`: to one user, then error 9 (§1).  `edit_window`: seconds until 909 (§3.3).
    - `webhook_*`, `failures_allowed`: the delivery plan of §4.2.
    - `bare_confirmation`: without event_id, v and secret (§4.3).  `rotate_code`: a new confirmation
      code after each confirmation (§3.5).
    - `transcript_after`: seconds until a voice note has its transcript; 0 means never (§4.4).
    - `press_lives`: how long a pressed callback button may be answered (§3.3).
    - `longest_query`: bytes of a GET before 414 (§1).  `intents`: those that need no further consent.
    - `customer_edits`: whether a customer's edit is announced as `message_edit` (§4.3).
    - `photo_fields`: the form fields a photo upload is taken from (§3.4 names `photo` alone; vk_api sends
      `file0` and the like).
    - `posts_allowed`: wall posts in one message before 940 (§2).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    access_token: SecretStr
    group_id: PositiveInt = 2_200_033
    admin_id: PositiveInt = 1001
    calls_per_second: PositiveInt = 20
    text_limit: PositiveInt = Field(default=4096, le=9000)
    messages_per_hour: PositiveInt = 1000
    random_id_scope: Literal["token", "peer"] = "token"
    repeated_answer: Literal["first", "zero"] = "first"
    edit_window: PositiveFloat = 86_400
    press_lives: PositiveFloat = 60
    posts_allowed: PositiveInt = 1
    longest_query: PositiveInt = 2048
    webhook_timeout: PositiveFloat = 10
    webhook_retries: Annotated[tuple[NonNegativeFloat, ...], NoDecode] = (5.0, 15.0, 60.0, 300.0, 900.0)
    failures_allowed: PositiveInt = 50
    bare_confirmation: bool = False
    rotate_code: bool = True
    customer_edits: bool = True
    transcript_after: NonNegativeFloat = 5
    long_poll: bool = True
    long_poll_key_lives: PositiveFloat = 3600
    permissions: Annotated[tuple[Literal["messages", "photos", "docs", "manage"], ...], NoDecode] = (
        "messages",
        "photos",
        "docs",
        "manage",
    )
    intents: Annotated[tuple[str, ...], NoDecode] = ()
    photo_fields: Annotated[tuple[str, ...], NoDecode] = ("photo",)

    @field_validator("webhook_retries", "permissions", "intents", "photo_fields", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]


def from_environment() -> VkSandboxSettings | None:
    """The settings; None when VK is not mentioned, SettingsError when the key is missing or a value wrong."""
    mentioned = {name.upper() for name, value in os.environ.items() if value}
    if not mentioned & {f"{PREFIX}{name}".upper() for name in VkSandboxSettings.model_fields}:
        return None
    try:
        return VkSandboxSettings()  # type: ignore[call-arg]  # the values come from the environment
    except ValidationError as error:
        raise SettingsError(sentence(error, PREFIX)) from None
