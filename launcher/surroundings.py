"""What each program finds in its environment. Pure: the caller's variables win over ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.registry import CHANNELS, SERVICES, Service
from launcher.addresses import Addresses
from launcher.errors import LauncherError
from launcher.keyring import Keyring
from launcher.ports import LOOPBACK
from launcher.vendors import VENDORS, Vendor, vendor_of

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
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.channels) - {channel.channel for channel in CHANNELS}
        if unknown:
            known = ", ".join(channel.channel for channel in CHANNELS)
            raise LauncherError(f"ELDOLEADO_CHANNELS names {', '.join(sorted(unknown))}; known: {known}.")

    @property
    def served(self) -> tuple[Service, ...]:
        """The channels of this run: those asked for, else those with an account, else all as simulations."""
        wanted = self.channels or tuple(one.channel for one in VENDORS if one.is_real(self.caller))
        return tuple(one for one in CHANNELS if not wanted or one.channel in wanted)

    @property
    def services(self) -> tuple[Service, ...]:
        """Everything that this run starts."""
        return tuple(one for one in SERVICES if one.role != "channel" or one in self.served)

    @property
    def simulated(self) -> tuple[Vendor, ...]:
        """The messengers that the sandbox plays in this run."""
        vendors = (vendor_of(one.channel) for one in self.served)
        return tuple(vendor for vendor in vendors if not vendor.is_real(self.caller))

    @property
    def all_simulated(self) -> bool:
        """Whether no real customer can be met."""
        return len(self.simulated) == len(self.served)

    @property
    def embedded_redis(self) -> bool:
        return "REDIS_URL" not in self.caller

    @property
    def embedded_postgres(self) -> bool:
        return "DATABASE_URL" not in self.caller

    @property
    def operator_key(self) -> str:
        return key_of("operator", self._callers())

    @property
    def agent_key(self) -> str:
        return key_of("agent", self._callers())

    def of_service(self, service: Service) -> dict[str, str]:
        listens = {"HOST": LOOPBACK, "PORT": str(self.addresses.services[service.name])}
        if service.role == "sandbox":
            ours = self._sandbox()
            listens |= {f"SANDBOX_{name}": value for name, value in listens.items()}
        else:
            ours = self._shared() | self._own(service)
            listens |= {"SPOOL_DIR": str(self.state / "spool" / service.name)}
        return {**self._plain(), **ours, **self.caller, **listens}

    def of_agent(self) -> dict[str, str]:
        hub = {
            "HUB_URL": f"{self.addresses.url('orchestrator')}/mcp",
            "HUB_API_KEY": self.agent_key,
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

    def _own(self, service: Service) -> dict[str, str]:
        if service.role == "orchestrator":
            return self._orchestrator()
        return self._channel(service) if service.role == "channel" else {}

    def _orchestrator(self) -> dict[str, str]:
        return {
            "CHANNEL_API_KEY": key_of("orchestrator", self._callers()),
            "CHANNELS": ",".join(channel.channel for channel in self.served),
            "SILENCE_SECONDS": _DEMO_SILENCE,
            "PUBLIC_URL": self.addresses.url("orchestrator"),
            "CONTENT_STORE": str(self.state / "media"),
            "MEDIA_ALLOW_HOSTS": self._simulated_host(),
            **{channel.url_variable: self.addresses.url(channel.name) for channel in self.served},
        }

    def _simulated_host(self) -> str:
        """The files of simulated messengers lie on this machine; no others may."""
        return f"{LOOPBACK}:{self.addresses.services['sandbox']}" if self.simulated else ""

    def _channel(self, service: Service) -> dict[str, str]:
        vendor = vendor_of(service.channel)
        if vendor not in self.simulated:
            return self._filled(vendor.kept, service)
        address = {"PUBLIC_URL": self.addresses.url(service.name)}
        return address | self._filled({**vendor.kept, **vendor.played}, service)

    def _sandbox(self) -> dict[str, str]:
        # It knows no life without Avito.
        played = {vendor.channel for vendor in self.simulated} | {"avito"}
        told = [
            self._filled(vendor_of(channel.channel).sandbox, channel)
            for channel in CHANNELS
            if channel.channel in played
        ]
        return {name: value for one in told for name, value in one.items()}

    def _filled(self, templates: Mapping[str, str], channel: Service) -> dict[str, str]:
        places = {"sandbox": self.addresses.url("sandbox"), "channel": self.addresses.url(channel.name)}
        return {name: self.keyring.fill(template, **places) for name, template in templates.items()}


def key_of(caller: str, api_keys: str) -> str:
    """The key of a caller in an API_KEYS variable."""
    pairs = (pair.strip().partition("=") for pair in api_keys.split(","))
    key = next((key for named, _, key in pairs if named.partition(":")[0].strip() == caller), None)
    if key is None:
        raise LauncherError(f"API_KEYS has no key for {caller!r}: add {caller}=<key> to it, or unset it.")
    return key
