"""What each program finds in its environment. Pure: the caller's variables win over ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.registry import CHANNELS, Service
from launcher.addresses import Addresses
from launcher.errors import LauncherError
from launcher.keyring import Keyring
from launcher.ports import LOOPBACK

_DEMO_SILENCE = "3"  # seconds; nobody waits 20 s in a demo
_HERE = f"{LOOPBACK},localhost"  # the machine's proxy does not lead to itself


@dataclass(frozen=True, slots=True)
class Surroundings:
    caller: Mapping[str, str]
    addresses: Addresses
    keyring: Keyring
    redis_url: str
    database_url: str
    state: Path

    def __post_init__(self) -> None:
        if "AVITO_CLIENT_ID" in self.caller and "AVITO_CLIENT_SECRET" not in self.caller:
            raise LauncherError(
                "AVITO_CLIENT_SECRET is missing: set it as well, or unset AVITO_CLIENT_ID for the sandbox."
            )

    @property
    def simulated(self) -> bool:
        """Without an account of the caller's the sandbox plays Avito."""
        return "AVITO_CLIENT_ID" not in self.caller

    @property
    def embedded_redis(self) -> bool:
        return "REDIS_URL" not in self.caller

    @property
    def embedded_postgres(self) -> bool:
        return "DATABASE_URL" not in self.caller

    @property
    def avito_webhook(self) -> str:
        secret = self.caller.get("AVITO_WEBHOOK_SECRET") or self.keyring["AVITO_WEBHOOK_SECRET"]
        return f"{self.addresses.url('mcp_avito')}/webhook/avito/default/{secret}"

    @property
    def operator_key(self) -> str:
        return _key_of("operator", self._callers())

    def of_service(self, service: Service) -> dict[str, str]:
        listens = {"HOST": LOOPBACK, "PORT": str(self.addresses.services[service.name])}
        if service.role == "sandbox":
            ours = self._sandbox()
            listens |= {f"SANDBOX_{name}": value for name, value in listens.items()}
        else:
            ours = self._shared() | (
                self._orchestrator() if service.role == "orchestrator" else self._avito()
            )
            listens |= {"SPOOL_DIR": str(self.state / "spool" / service.name)}
        return {**self._plain(), **ours, **self.caller, **listens}

    def of_agent(self) -> dict[str, str]:
        hub = {
            "HUB_URL": f"{self.addresses.url('orchestrator')}/mcp",
            "HUB_API_KEY": _key_of("agent", self._callers()),
        }
        return {**self._plain(), **hub, **self.caller}

    def of_migration(self) -> dict[str, str]:
        return {**self._plain(), **self.caller, "DATABASE_URL": self.database_url}

    def _plain(self) -> dict[str, str]:
        return {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "NO_PROXY": _HERE, "no_proxy": _HERE}

    def _callers(self) -> str:
        return self.caller.get("API_KEYS") or self.keyring.api_keys

    def _shared(self) -> dict[str, str]:
        return {
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.database_url,
            "API_KEYS": self._callers(),
        }

    def _orchestrator(self) -> dict[str, str]:
        return {
            "CHANNEL_API_KEY": _key_of("orchestrator", self._callers()),
            "SILENCE_SECONDS": _DEMO_SILENCE,
            **{channel.url_variable: self.addresses.url(channel.name) for channel in CHANNELS},
        }

    def _avito(self) -> dict[str, str]:
        webhook = {"AVITO_WEBHOOK_SECRET": self.keyring["AVITO_WEBHOOK_SECRET"]}
        if not self.simulated:
            return webhook
        return webhook | {
            "AVITO_CLIENT_ID": self.keyring["SANDBOX_AVITO_CLIENT_ID"],
            "AVITO_CLIENT_SECRET": self.keyring["SANDBOX_AVITO_CLIENT_SECRET"],
            "AVITO_BASE_URL": f"{self.addresses.url('sandbox')}/avito",
        }

    def _sandbox(self) -> dict[str, str]:
        names = ("SANDBOX_AVITO_CLIENT_ID", "SANDBOX_AVITO_CLIENT_SECRET")
        return {name: self.keyring[name] for name in names}


def _key_of(caller: str, api_keys: str) -> str:
    pairs = (pair.strip().partition("=") for pair in api_keys.split(","))
    key = next((key for name, _, key in pairs if name == caller), None)
    if key is None:
        raise LauncherError(f"API_KEYS has no key for {caller!r}: add {caller}=<key> to it, or unset it.")
    return key
