"""Settings of the simulated Instagram app and account; what the contract leaves open is a setting here."""

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
from sandbox.settings import SettingsError

PREFIX = "SANDBOX_INSTAGRAM_"
HOUR, DAY = 3600.0, 86_400.0

_RETRIES = (0.0, 2.0, 5.0, 30.0, 120.0, 600.0, HOUR, 3 * HOUR, 10 * HOUR, 21 * HOUR)
_FIELDS = (
    "messages,message_echoes,messaging_postbacks,messaging_seen,message_reactions,messaging_referral,"
    "message_edits,messaging_optins,messaging_handover,messaging_policy_enforcement,standby,comments,"
    "live_comments,mentions"
)


class InstagramSandboxSettings(BaseSettings):
    """`SANDBOX_INSTAGRAM_*`; the token, the app's secret and the verify token have no default.

    §1: `flavour` (A `instagram`, B `facebook`); `meta_app_secret` signs webhooks instead of the app's secret.
    §5.4: `text_limit` bytes. §5.2: `strict_urls` takes https only for media and callbacks; `fetch_timeout`.
    §6: windows; `window_subcode`, `window_status` of the refusal; `actions_need_window` for sender actions
    (silent); `human_agent`: the app holds the feature; `second_private_reply`: its refusal (§12, §15).
    §8: page sizes and `details` of the newest messages. §9: `consent_code`; how long picture links live.
    §10: token lives; `token_age`, how old the given token is at the start; `refresh_ends_old` (silent);
    `wrapped_me`, the sample's `data` around `/me`. §11: rates; `call_limit` of other calls in 24 hours.
    §12: `token_status`; `blocked_code` towards a person who blocked the business.
    §13: the callback of the app (also set by `/_sandbox/webhook`), ticked `fields`, deadline, pauses and
    life of deliveries; `keeps_order` (no promise); `escape_slashes`; `attachment_lives` of file links.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    access_token: SecretStr
    app_secret: SecretStr
    verify_token: SecretStr
    meta_app_secret: SecretStr | None = None
    flavour: Literal["instagram", "facebook"] = "instagram"
    app_id: str = Field(default="1790000000000001", pattern=r"^\d{1,20}$")
    user_id: str = Field(default="17841400000000001", pattern=r"^\d{1,20}$")
    scoped_id: str = Field(default="28900000000000001", pattern=r"^\d{1,20}$")
    page_id: str = Field(default="100000000000001", pattern=r"^\d{1,20}$")
    username: str = "eldorado_remont"
    name: str = "Мастерская «Эльдорадо»"
    version: str = Field(default="v26.0", pattern=r"^v\d+\.\d+$")

    callback_url: str = ""
    fields: Annotated[tuple[str, ...], NoDecode] = tuple(_FIELDS.split(","))
    webhook_timeout: PositiveFloat = 5.0
    webhook_retries: Annotated[tuple[NonNegativeFloat, ...], NoDecode] = _RETRIES
    webhook_life: PositiveFloat = 36 * HOUR
    keeps_order: bool = False
    escape_slashes: bool = False
    attachment_lives: PositiveFloat = 7 * DAY
    story_lives: PositiveFloat = DAY

    text_limit: PositiveInt = 1000
    strict_urls: bool = False
    fetch_timeout: PositiveFloat = 75.0
    window: PositiveFloat = DAY
    human_window: PositiveFloat = 7 * DAY
    human_agent: bool = False
    private_reply_window: PositiveFloat = 7 * DAY
    window_subcode: Literal[2534022, 2018278] = 2534022
    window_status: Literal[400, 403] = 403
    actions_need_window: bool = True
    second_private_reply: Literal["comment", "window"] = "comment"
    blocked_code: Literal["551", "200/1545041", "10/2018108"] = "551"

    details: PositiveInt = 20
    page_size: PositiveInt = 25
    largest_page: PositiveInt = 100
    requests_live: PositiveFloat = 30 * DAY
    consent_code: Literal[9010, 230, 100] = 9010
    picture_lives: PositiveFloat = 3 * DAY
    wrapped_me: bool = False

    token_life: PositiveInt = 60 * 86_400
    token_age: NonNegativeFloat = 2 * DAY
    short_token_life: PositiveInt = 3600
    code_life: PositiveInt = 3600
    refresh_after: NonNegativeFloat = DAY
    refresh_ends_old: bool = False
    token_status: Literal[400, 401] = 400

    reads_per_second: PositiveInt = 2
    sends_per_second: PositiveInt = 100
    heavy_sends_per_second: PositiveInt = 10
    live_replies_per_second: PositiveInt = 100
    replies_per_hour: PositiveInt = 750
    call_limit: PositiveInt | None = None

    @field_validator("webhook_retries", "fields", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @property
    def policy(self) -> Policy:
        """An immediate retry, then growing gaps within 36 hours (§13.4)."""
        return Policy(self.webhook_timeout, self.webhook_retries, keeps_order=self.keeps_order)

    @property
    def signing_secret(self) -> bytes:
        return (self.meta_app_secret or self.app_secret).get_secret_value().encode()


def from_environment() -> InstagramSandboxSettings | None:
    """The settings, or None when none of the variables is set: then Instagram is not simulated."""
    if not any(os.environ.get(PREFIX + name.upper()) for name in InstagramSandboxSettings.model_fields):
        return None
    try:
        return InstagramSandboxSettings()  # type: ignore[call-arg]  # the values come from the environment
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    named = [(f"{PREFIX}{str(problem['loc'][0]).upper()}", problem) for problem in problems]
    missing = [name for name, problem in named if problem["type"] == "missing"]
    wrong = [f"{name}: {problem['msg']}" for name, problem in named if problem["type"] != "missing"]
    parts = ([f"set {', '.join(missing)}"] if missing else []) + wrong
    return f"The sandbox cannot simulate Instagram: {'; '.join(parts)}."
