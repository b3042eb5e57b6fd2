"""The one list of services: names, packages and ports. Plain data that docs, compose and tests follow."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["channel", "forms", "orchestrator", "sandbox"]


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the system, started as `python -m <package>`."""

    name: str
    package: str
    port: int
    role: Role
    title: str
    channel: str = ""

    @property
    def port_variable(self) -> str:
        """The environment variable that moves this service to another port."""
        return f"{self.name.upper()}_PORT"

    @property
    def url_variable(self) -> str:
        """The environment variable by which other services find this one."""
        return f"{self.name.upper()}_URL"


SERVICES: tuple[Service, ...] = (
    Service("mcp_avito", "mcp_avito", 8765, "channel", "Avito", channel="avito"),
    Service("mcp_whatsapp", "mcp_whatsapp", 8766, "channel", "WhatsApp", channel="whatsapp"),
    Service("mcp_vk", "mcp_vk", 8767, "channel", "VK", channel="vk"),
    Service("mcp_max", "mcp_max", 8768, "channel", "MAX", channel="max"),
    Service("mcp_instagram", "mcp_instagram", 8769, "channel", "Instagram", channel="instagram"),
    Service("form_api", "form_api", 8770, "forms", "Web forms", channel="form"),
    Service("mcp_telegram", "mcp_telegram", 8771, "channel", "Telegram", channel="telegram"),
    Service("orchestrator", "orchestrator", 8780, "orchestrator", "Hub for agents"),
    Service("sandbox", "sandbox", 8790, "sandbox", "Simulated messengers"),
)

CHANNELS: tuple[Service, ...] = tuple(service for service in SERVICES if service.role == "channel")

#: Every channel that a unified message may name, with or without a server of ours (producers such as
#: an n8n flow may feed a channel that we do not serve ourselves).
CHANNEL_NAMES: frozenset[str] = frozenset({"telegram", "avito", "vk", "whatsapp", "max", "instagram", "form"})


def service(name: str) -> Service:
    """The service of that name; KeyError when there is none."""
    for candidate in SERVICES:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
