"""Where everything listens on this machine. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.registry import SERVICES, Service
from launcher.errors import LauncherError
from launcher.ports import LOOPBACK
from launcher.settings import LauncherSettings

_FIRST = min(service.port for service in SERVICES)
_REDIS, _POSTGRES = 98, 99  # from the base; services keep their distances from each other
_PORTS = range(1, 65_536)


@dataclass(frozen=True, slots=True)
class Addresses:
    services: Mapping[str, int]
    redis: int
    postgres: int

    def url(self, service: str) -> str:
        return f"http://{LOOPBACK}:{self.services[service]}"


def addresses(settings: LauncherSettings, environ: Mapping[str, str]) -> Addresses:
    """A service's own variable wins, then the base, then the registry."""
    base = settings.port_base
    chosen = settings.model_fields_set
    return Addresses(
        services={service.name: _port(service, base, environ) for service in SERVICES},
        redis=settings.redis_port if base is None or "redis_port" in chosen else base + _REDIS,
        postgres=settings.pg_port if base is None or "pg_port" in chosen else base + _POSTGRES,
    )


def _port(service: Service, base: int | None, environ: Mapping[str, str]) -> int:
    own = environ.get(service.port_variable)
    if own is None:
        return service.port if base is None else base + service.port - _FIRST
    if not (own.isascii() and own.isdecimal()) or int(own) not in _PORTS:
        raise LauncherError(
            f"{service.port_variable} is {own!r}: set it to a port from 1 to 65535, or unset it."
        )
    return int(own)
