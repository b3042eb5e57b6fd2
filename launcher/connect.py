"""`eldoleado connect`: the servers of the run on this machine, as an MCP client reaches them.

Their keys are read from the state folder; what is printed holds them and is for this machine only.
"""

import sys
from collections.abc import Mapping, Sequence

from core.registry import CHANNELS, Service, service
from launcher.addresses import addresses
from launcher.client_formats import OverHttp, Server, Started
from launcher.embedded import engine_urls, missing_engines
from launcher.errors import LauncherError
from launcher.keyring import open_keyring, secrets_file
from launcher.settings import LauncherSettings
from launcher.surroundings import Surroundings

HUB = "hub"
#: Of a service that listens; a server over stdio does not.
_LISTENING = frozenset({"HOST", "PORT", "SPOOL_DIR"})
_ENGINES = frozenset({"REDIS_URL", "DATABASE_URL", "API_KEYS"})


def found_servers(
    settings: LauncherSettings, environ: Mapping[str, str], names: Sequence[str], *, stdio: bool
) -> list[Server]:
    """Over HTTP, or as programs that the client starts beside the running system."""
    around = _surroundings(settings, environ)
    known = {HUB: service("orchestrator"), **{one.channel: one for one in around.served}}
    if unknown := [name for name in names if name not in known]:
        raise LauncherError(f"There is no server {', '.join(unknown)} here: choose of {', '.join(known)}.")
    reach = _started if stdio else _over_http
    return [reach(name, known[name], around) for name in names]


def _over_http(name: str, one: Service, around: Surroundings) -> Server:
    return OverHttp(_called(name), f"{around.addresses.url(one.name)}/mcp", around.agent_key)


def _started(name: str, one: Service, around: Surroundings) -> Server:
    needless = _LISTENING if name == HUB else _LISTENING | {"DATABASE_URL"}
    environment = {key: value for key, value in around.of_service(one).items() if key not in needless}
    return Started(_called(name), sys.executable, ("-m", one.package, "--stdio"), environment)


def _called(name: str) -> str:
    return "eldoleado" if name == HUB else f"eldoleado-{name}"


def _surroundings(settings: LauncherSettings, environ: Mapping[str, str]) -> Surroundings:
    if not secrets_file(settings.state).exists():
        raise LauncherError(f"{settings.state} is no folder of a run: start `eldoleado run`, or say --state.")
    where = addresses(settings, environ)
    at = engine_urls(missing_engines(settings, where, environ), environ)
    return Surroundings(
        caller={name: value for name, value in environ.items() if _is_of_a_service(name)},
        addresses=where,
        keyring=open_keyring(settings.state),
        redis_url=at["REDIS_URL"],
        database_url=at["DATABASE_URL"],
        state=settings.state.resolve(),
        channels=settings.channels,
    )


def _is_of_a_service(name: str) -> bool:
    """A client that starts a server needs its account, and nothing else of this shell."""
    channels = (one.channel.upper() for one in CHANNELS)
    return name in _ENGINES or name.startswith(tuple(f"{channel}_" for channel in channels))
