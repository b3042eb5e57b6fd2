"""How `eldoleado run` plays each messenger: what its channel and the sandbox are told, from the same secrets.

The templates are filled with the names of the keyring and `{sandbox}` (the sandbox's address), `{channel}`
(the channel's own). A vendor counts as real when the caller sets its credential, or names accounts of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """One messenger. `kept` are made for a real account too, when the caller does not set them."""

    channel: str
    credential: str
    kept: Mapping[str, str]
    played: Mapping[str, str]
    sandbox: Mapping[str, str]

    def is_real(self, caller: Mapping[str, str]) -> bool:
        """Whether the caller brings an account."""
        return self.credential in caller or self._names_accounts in caller

    @property
    def _names_accounts(self) -> str:
        return f"{self.channel.upper()}_ACCOUNTS"


def _vendor(channel: str, credential: str, *, played: dict[str, str], sandbox: dict[str, str]) -> Vendor:
    """With a webhook secret of its own, as every channel has but Instagram."""
    name = f"{channel.upper()}_WEBHOOK_SECRET"
    address = {f"{channel.upper()}_BASE_URL": f"{{sandbox}}/{channel}"}
    return Vendor(channel, credential, {name: f"{{{name}}}"}, played | address, sandbox)


VENDORS: tuple[Vendor, ...] = (
    _vendor(
        "avito",
        "AVITO_CLIENT_ID",
        played={
            "AVITO_CLIENT_ID": "{SANDBOX_AVITO_CLIENT_ID}",
            "AVITO_CLIENT_SECRET": "{SANDBOX_AVITO_CLIENT_SECRET}",
        },
        sandbox={
            "SANDBOX_AVITO_CLIENT_ID": "{SANDBOX_AVITO_CLIENT_ID}",
            "SANDBOX_AVITO_CLIENT_SECRET": "{SANDBOX_AVITO_CLIENT_SECRET}",
        },
    ),
    _vendor(
        "whatsapp",
        "WHATSAPP_TOKEN",
        played={"WHATSAPP_TOKEN": "{SANDBOX_WHATSAPP_TOKEN}", "WHATSAPP_PROFILE_ID": "a1b2c3d4-e5f6"},
        sandbox={"SANDBOX_WHATSAPP_TOKEN": "{SANDBOX_WHATSAPP_TOKEN}"},
    ),
    _vendor(
        "vk",
        "VK_ACCESS_TOKEN",
        played={"VK_ACCESS_TOKEN": "{SANDBOX_VK_ACCESS_TOKEN}", "VK_GROUP_ID": "2200033"},
        sandbox={"SANDBOX_VK_ACCESS_TOKEN": "{SANDBOX_VK_ACCESS_TOKEN}"},
    ),
    _vendor(
        "max",
        "MAX_TOKEN",
        played={"MAX_TOKEN": "{SANDBOX_MAX_TOKEN}"},
        sandbox={
            "SANDBOX_MAX_TOKEN": "{SANDBOX_MAX_TOKEN}",
            "SANDBOX_MAX_PLAIN_WEBHOOK_HOSTS": "127.0.0.1",
        },
    ),
    Vendor(
        "instagram",
        "INSTAGRAM_ACCESS_TOKEN",
        kept={"INSTAGRAM_VERIFY_TOKEN": "{INSTAGRAM_VERIFY_TOKEN}"},
        played={
            "INSTAGRAM_ACCESS_TOKEN": "{SANDBOX_INSTAGRAM_ACCESS_TOKEN}",
            "INSTAGRAM_APP_SECRET": "{SANDBOX_INSTAGRAM_APP_SECRET}",
            "INSTAGRAM_BASE_URL": "{sandbox}/instagram",
        },
        sandbox={
            "SANDBOX_INSTAGRAM_ACCESS_TOKEN": "{SANDBOX_INSTAGRAM_ACCESS_TOKEN}",
            "SANDBOX_INSTAGRAM_APP_SECRET": "{SANDBOX_INSTAGRAM_APP_SECRET}",
            "SANDBOX_INSTAGRAM_VERIFY_TOKEN": "{INSTAGRAM_VERIFY_TOKEN}",
            "SANDBOX_INSTAGRAM_CALLBACK_URL": "{channel}/webhook/instagram",
        },
    ),
    _vendor(
        "telegram",
        "TELEGRAM_TOKEN",
        played={"TELEGRAM_TOKEN": "7000000001:{SANDBOX_TELEGRAM_TOKEN}"},
        sandbox={"SANDBOX_TELEGRAM_TOKEN": "7000000001:{SANDBOX_TELEGRAM_TOKEN}"},
    ),
)


def vendor_of(channel: str) -> Vendor:
    """The vendor of that channel; KeyError when there is none."""
    for vendor in VENDORS:
        if vendor.channel == channel:
            return vendor
    raise KeyError(channel)


def secret_names() -> Iterator[str]:
    """Every secret that the templates need from the keyring."""
    for vendor in VENDORS:
        for template in (*vendor.kept.values(), *vendor.played.values(), *vendor.sandbox.values()):
            name = template.partition("{")[2].partition("}")[0]
            if name.isupper():
                yield name
