"""Settings of the accounts of one vendor: several accounts of a channel from one environment.

The account `default` is read from AVITO_CLIENT_ID and so on. AVITO_ACCOUNTS=shop,second names accounts
instead, each with variables of its own after two underscores: AVITO_SHOP__CLIENT_ID. How the vendor is
reached (addresses, proxy, certificates, limits) may be said once for all of them, without the account's name;
keys and secrets never are.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import EnvSettingsSource

from core.ids import DEFAULT_ACCOUNT, AccountId
from core.messages import ACCOUNT_PATTERN
from core.settings import EnvironmentSettings, ServiceSettings, complaints, refuse

_WEB_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_PATH_SECRET = re.compile(r"[A-Za-z0-9_.~-]{16,200}")

#: What all accounts of a channel may share.
SHARED = frozenset({"base_url", "proxy", "ca_bundle", "timeout_seconds", "requests_per_second", "burst"})


class VendorSettings(EnvironmentSettings):
    """What every account of every vendor has; each channel adds its keys and gives its own defaults.

    `identified_by` names the field that tells whose account it is: two accounts with the same would hear, and
    answer, every message twice.
    """

    identified_by: ClassVar[str] = ""

    base_url: str = Field(description="address of the API, or of the sandbox")
    requests_per_second: float = Field(default=1.0, gt=0, description="calls of the API, on average")
    burst: int = Field(default=5, ge=1, description="calls of the API at once")
    proxy: SecretStr = Field(default=SecretStr(""), description="http://user:password@host:port, if any")
    ca_bundle: str = Field(default="", description="file of certificates to trust beside the usual ones")
    timeout_seconds: float = Field(default=10.0, gt=0, description="longest wait for one answer")

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if not _WEB_ADDRESS.fullmatch(value):
            raise ValueError("must be an http(s) address without user, query and fragment")
        return value.rstrip("/")


def fits_into_a_path(value: SecretStr) -> SecretStr:
    """A validator for secrets that stand in an address."""
    if not _PATH_SECRET.fullmatch(value.get_secret_value()):
        raise ValueError("must be 16 to 200 characters of A-Z a-z 0-9 _ . ~ -")
    return value


S = TypeVar("S", bound=VendorSettings)
T = TypeVar("T", bound=EnvironmentSettings)


def load_accounts(vendor: type[S]) -> tuple[ServiceSettings, dict[AccountId, S]]:
    """The service's settings and those of every account, or an end of the process with what is wrong."""
    wrong: list[str] = []
    common = _read(ServiceSettings, wrong)
    named = _read(AccountNames, wrong, prefix=_prefix(vendor))
    read = {name: _account(vendor, name, wrong) for name in (named.names if named else [])}
    made = {name: one for name, one in read.items() if one is not None}
    wrong += _twice(vendor, made)
    if wrong or common is None:
        refuse(wrong)
    return common, made


def _twice(vendor: type[S], accounts: Mapping[AccountId, S]) -> Iterator[str]:
    """A line for each account that is another one under a new name."""
    known: dict[object, AccountId] = {}
    for name, settings in accounts.items():
        identity = getattr(settings, vendor.identified_by, None)
        if identity is None:
            continue
        first = known.setdefault(identity, name)
        if first != name:
            variable = f"{account_prefix(vendor, name)}{vendor.identified_by}".upper()
            yield f"{variable}: is the same as that of the account {first}"


def account_prefix(vendor: type[VendorSettings], account: str) -> str:
    """How the variables of an account begin: AVITO_, or AVITO_MY_SHOP__ for the account my-shop."""
    own = "" if account == DEFAULT_ACCOUNT else f"{account.upper().replace('-', '_')}__"
    return _prefix(vendor) + own


class AccountNames(EnvironmentSettings):
    """AVITO_ACCOUNTS and the like."""

    accounts: str = Field(default=DEFAULT_ACCOUNT, description="names of the accounts, comma separated")

    @property
    def names(self) -> list[AccountId]:
        """As written, in order; the first one is shown first."""
        return [AccountId(name.strip()) for name in self.accounts.split(",")]

    @field_validator("accounts")
    @classmethod
    def _tell_apart(cls, text: str) -> str:
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if not re.fullmatch(ACCOUNT_PATTERN, name):
                raise ValueError(f"{name!r} must be a-z 0-9 _ - and 32 characters at most")
        if len({name.replace("-", "_") for name in names}) < len(names):
            raise ValueError("two names are the same, or differ in - and _ only")
        return text


def _account(vendor: type[S], account: AccountId, wrong: list[str]) -> S | None:
    if account == DEFAULT_ACCOUNT:
        return _read(vendor, wrong)
    prefix = account_prefix(vendor, account)
    own = EnvSettingsSource(vendor, env_prefix=prefix)()
    common = {name: value for name, value in EnvSettingsSource(vendor)().items() if name in SHARED}
    return _read(vendor, wrong, prefix=prefix, **{k: v for k, v in common.items() if k not in own})


def _read(settings: type[T], wrong: list[str], prefix: str | None = None, **given: Any) -> T | None:
    try:
        return settings(_env_prefix=prefix, **given)  # type: ignore[call-arg]  # pydantic-settings takes it
    except ValidationError as error:
        wrong.extend(complaints(error, prefix=_prefix(settings) if prefix is None else prefix))
        return None


def _prefix(settings: type[EnvironmentSettings]) -> str:
    return settings.model_config.get("env_prefix", "")
