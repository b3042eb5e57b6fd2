"""Settings of a VK community, read from VK_* variables (core/vendor_settings.py says how); what VK offers."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from core.capabilities import Capabilities, MediaLimit, Rate
from core.media import FILE_MAX_BYTES
from core.vendor_settings import VendorSettings

#: What VK takes as a picture, with the ending that its name must have (§3.4).
IMAGE_TYPES = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}
#: The practical limit; the schema says 9,000 (§3.1).
TEXT_LIMIT = 4_096
#: What a callback server of ours tells (§3.5), and what the key must be allowed to do (§1).
EVENTS = (
    *("message_new", "message_reply", "message_edit", "message_allow", "message_deny"),
    *("message_read", "message_event", "message_reaction_event"),
)
#: What it tells where it can: a lack of it is no trouble.
PASSING_EVENTS = ("message_typing_state",)
RIGHTS = ("messages", "manage", "photos", "docs")
CAPABILITIES = Capabilities(
    text_limit=TEXT_LIMIT,
    media={
        "image": MediaLimit(types=tuple(IMAGE_TYPES), max_bytes=FILE_MAX_BYTES, caption_limit=TEXT_LIMIT),
        "voice": MediaLimit(types=("audio/ogg", "audio/opus"), max_bytes=FILE_MAX_BYTES),
        "document": MediaLimit(max_bytes=FILE_MAX_BYTES, caption_limit=TEXT_LIMIT),
    },
    most_buttons=10,
    button_limit=40,
    edit_window_seconds=24 * 3_600,
    rates=(
        Rate(applies_to="every call", calls=20, seconds=1),
        Rate(applies_to="sends to one person", calls=1_000, seconds=3_600),
    ),
    webhook_authenticity="secret_in_body",
    webhook_answer="ok",
    # Older pages of VK say "the whole history" (§3.1), today's "the chat's last hour, at most 100 messages":
    # a repeat that comes later is looked up in the history first.
    repeat_window_seconds=600,
)

#: VK takes 50 characters at most (§3.5); fewer than 16 could be guessed.
_CALLBACK_SECRET = re.compile(r"[A-Za-z0-9_.~-]{16,50}")
_CONFIRMATION = re.compile(r"[A-Za-z0-9]{0,64}")


def _fits_a_callback_server(value: SecretStr) -> SecretStr:
    if not _CALLBACK_SECRET.fullmatch(value.get_secret_value()):
        raise ValueError("must be 16 to 50 characters of A-Z a-z 0-9 _ . ~ -")
    return value


class VkSettings(VendorSettings):
    """Keys and limits of one community."""

    model_config = SettingsConfigDict(env_prefix="VK_")
    identified_by = "group_id"

    access_token: SecretStr = Field(min_length=1, description="community key: Manage, Working with API")
    group_id: int = Field(gt=0, lt=2**63, description="number of the community, without a minus")
    webhook_secret: Annotated[SecretStr, AfterValidator(_fits_a_callback_server)] = Field(
        description="VK writes it into every event; 16 to 50 characters"
    )
    confirmation: str = Field(
        default="", description="answer to VK's check of an address that was added by hand, not by us"
    )
    base_url: str = Field(default="https://api.vk.ru", description="address of the API, or of the sandbox")
    requests_per_second: float = Field(default=15.0, gt=0, description="calls of the API, on average")

    @field_validator("base_url")
    @classmethod
    def _without_method(cls, value: str) -> str:
        """VK's own pages write the address with /method/ at its end."""
        return value.removesuffix("/method")

    @field_validator("confirmation")
    @classmethod
    def _looks_like_a_code(cls, value: str) -> str:
        if not _CONFIRMATION.fullmatch(value):
            raise ValueError("must be letters and digits, as VK shows it")
        return value
