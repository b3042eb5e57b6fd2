"""Settings of an Instagram account, read from INSTAGRAM_* variables (core/vendor_settings.py says how)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from core.ids import AccountId
from core.settings import refuse
from core.vendor_settings import VendorSettings, account_prefix

HOSTS = {"instagram": "https://graph.instagram.com", "facebook": "https://graph.facebook.com"}


def _fits_into_a_header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]{8,4096}", value.get_secret_value()):
        raise ValueError("must be 8 printable ASCII characters or more, without spaces")
    return value


Key = Annotated[SecretStr, AfterValidator(_fits_into_a_header)]


class InstagramSettings(VendorSettings):
    """Keys and limits of one account. Instagram takes 100 sends a second (§11)."""

    model_config = SettingsConfigDict(env_prefix="INSTAGRAM_")
    identified_by = "access_token"

    flavour: Literal["instagram", "facebook"] = Field(
        default="instagram",
        description="instagram: token of the Instagram Login; facebook: token of the linked Page",
    )
    access_token: Key = Field(description="long-lived token of the account, or of its Page")
    app_secret: Key = Field(description="secret of the Meta app: signs webhooks")
    app_secret_2: Key | None = Field(
        default=None, description="secret of the Instagram app, where the app has both: either may sign"
    )
    verify_token: Key = Field(
        description="our own word, entered beside the callback URL in the App Dashboard"
    )
    base_url: str = Field(default=HOSTS["instagram"], description="address of the API, or of the sandbox")
    api_version: str = Field(default="v26.0", pattern=r"^v[0-9]+\.[0-9]+$", description="of the Graph API")
    requests_per_second: float = Field(default=50.0, gt=0, description="calls of the API, on average")
    burst: int = Field(default=50, ge=1, description="calls of the API at once")
    user_id: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,19}$",
        validate_default=True,
        description="account id as webhooks name it, 1784...; asked from Instagram when absent",
    )

    @model_validator(mode="before")
    @classmethod
    def _host_of_the_flavour(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("flavour") == "facebook":
            return {"base_url": HOSTS["facebook"], **given}
        return given

    @field_validator("user_id")
    @classmethod
    def _known_to_a_page(cls, value: str | None, info: ValidationInfo) -> str | None:
        """With a Page's token `/me` is the Page: it does not tell the id that webhooks carry."""
        if value is None and info.data.get("flavour") == "facebook":
            raise ValueError("is needed with the flavour facebook")
        return value


def tell_apart(accounts: Mapping[AccountId, InstagramSettings]) -> None:
    """End the process when accounts on the one address of the app could take each other's events."""
    if len(accounts) < 2:
        return
    ids = [settings.user_id for settings in accounts.values()]
    wrong = {
        name: "is needed where there are several accounts"
        if settings.user_id is None
        else "is the same as another account's"
        for name, settings in accounts.items()
        if settings.user_id is None or ids.count(settings.user_id) > 1
    }
    if wrong:
        prefix = {name: account_prefix(InstagramSettings, name) for name in wrong}
        refuse([f"{prefix[name]}USER_ID: {said}" for name, said in wrong.items()])
