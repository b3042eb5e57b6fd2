"""Settings of the simulated MAX; what the contract leaves open is a setting here."""

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

from sandbox.courier import Policy
from sandbox.settings import SettingsError, sentence

PREFIX = "SANDBOX_MAX_"


class MaxSandboxSettings(BaseSettings):
    """`SANDBOX_MAX_*` variables; the token has no default.

    Contract §1: rates. §3: `text_unit` (unknown), `most_attachments` (from memory), `from_is_newer` (a
    reading of the docs), `mark_seen` (gone from the schema, still in SDKs). §4: `processing`, seconds before
    an uploaded video, recording or file may be sent; `file_id` in the answer to a file. §5: `time_scale`
    shortens the vendor's pauses; `plain_webhook_hosts` may be subscribed over http and with a port (`*`: all
    hosts). §6: the numbers of long polling, and what a call without marker sees. §7: `echo` of the bot's own
    messages, which no source tells of.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    token: SecretStr
    bot_id: PositiveInt = 70_700_001
    bot_name: str = "Мастерская «Эльдорадо»"
    bot_username: str = "eldorado_bot"

    calls_per_second: PositiveInt = 30
    messages_per_second: PositiveInt = 2
    retry_after: NonNegativeFloat | None = None

    longest_text: PositiveInt = 4000
    text_unit: Literal["characters", "utf-16"] = "characters"
    most_attachments: PositiveInt = 12
    from_is_newer: bool = True
    mark_seen: bool = True

    processing: NonNegativeFloat = 1.0
    file_id: bool = False

    webhook_timeout: PositiveFloat = 30.0
    retry_first: PositiveFloat = 60.0
    retry_factor: PositiveFloat = 2.5
    most_retries: int = Field(default=10, ge=0, le=20)
    unsubscribe_after: PositiveFloat = 8 * 3600.0
    time_scale: PositiveFloat = 1.0
    plain_webhook_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    polls_per_second: PositiveInt = 2
    poll_longest: NonNegativeFloat = 30.0
    poll_most: PositiveInt = 100
    events_live: PositiveFloat = 24 * 3600.0
    without_marker: Literal["latest", "uncommitted"] = "latest"
    echo: bool = False

    @field_validator("plain_webhook_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip().lower() for part in value.split(",") if part.strip()]

    @property
    def policy(self) -> Policy:
        """The pauses 60, 150, 375, ... s, scaled (§5.2); they may not fit into the 8 hours."""
        pauses = (self.retry_first * self.retry_factor**n for n in range(self.most_retries))
        scaled = tuple(pause * self.time_scale for pause in pauses)
        return Policy(self.webhook_timeout, scaled, keeps_order=False)

    @property
    def patience(self) -> float:
        """Seconds without one success before a subscription is dropped, scaled."""
        return self.unsubscribe_after * self.time_scale


def from_environment() -> MaxSandboxSettings | None:
    """The settings, or None when none of the variables is set: then MAX is not simulated."""
    known = {f"{PREFIX}{name}".upper() for name in MaxSandboxSettings.model_fields}
    if not any(name.upper() in known and value for name, value in os.environ.items()):
        return None
    try:
        return MaxSandboxSettings()  # type: ignore[call-arg]  # the values come from the environment
    except ValidationError as error:
        raise SettingsError(sentence(error, PREFIX)) from None
