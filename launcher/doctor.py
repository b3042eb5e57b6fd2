"""`eldoleado doctor`: what is fine, what is not, and what to do about it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from core.auth import ALL_SCOPES, Caller, KeyRing
from core.registry import SERVICES, Service
from launcher.addresses import Addresses
from launcher.binaries import postgres_server, redis_server
from launcher.brought import postgres_problem, redis_problem
from launcher.errors import LauncherError
from launcher.http_calls import is_healthy
from launcher.keyring import open_keyring, secrets_file
from launcher.ports import is_free
from launcher.settings import LauncherSettings

_OLDEST = (3, 11)
_PRIVATE = 0o600
_DAY_SECONDS = 24 * 3600
_LONGEST_LETTER_SECONDS = 2 * _DAY_SECONDS
_MOST_LETTER_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    fine: bool
    says: str

    @property
    def row(self) -> tuple[str, str]:
        return f"{'OK' if self.fine else '!!'}  {self.subject}", self.says


def examine(
    settings: LauncherSettings, where: Addresses, environ: Mapping[str, str], http: httpx.Client
) -> Iterator[Finding]:
    """One finding after the other, the slow ones last."""
    yield python_version(sys.version_info[:2])
    yield secrets(settings.state)
    yield keys(settings.state, environ)
    yield _redis(settings, where, environ)
    yield _postgres(settings, where, environ)
    for service in SERVICES:
        yield _service(service, where, settings.state, http)


def python_version(version: tuple[int, int]) -> Finding:
    says = ".".join(map(str, version))
    if version < _OLDEST:
        return Finding("Python", fine=False, says=f"{says}: install 3.11 or newer")
    return Finding("Python", fine=True, says=says)


def secrets(state: Path) -> Finding:
    file = secrets_file(state)
    if not file.exists():
        return Finding("secrets", fine=True, says="none yet: `eldoleado run` makes them")
    mode = file.stat().st_mode & 0o777
    if mode != _PRIVATE:
        return Finding("secrets", fine=False, says=f"others may read them: chmod 600 {file}")
    return Finding("secrets", fine=True, says=str(file))


def keys(state: Path, environ: Mapping[str, str]) -> Finding:
    """Who may call and what they may do: by the environment, else by the run of the state folder."""
    known = open_keyring(state).api_keys if secrets_file(state).exists() else ""
    written = environ.get("API_KEYS") or known
    if not written:
        return Finding("keys", fine=True, says="none yet: `eldoleado run` makes them")
    try:
        callers = KeyRing.parse(SecretStr(written)).callers
    except ValueError as error:
        return Finding("keys", fine=False, says=str(error))
    return Finding("keys", fine=True, says="; ".join(map(_may, callers)))


def _may(caller: Caller) -> str:
    scopes = "" if caller.scopes == ALL_SCOPES else f", {' and '.join(sorted(caller.scopes))} only"
    return f"{caller.name}: {caller.role}, {caller.mode}{scopes}"


def _redis(settings: LauncherSettings, where: Addresses, environ: Mapping[str, str]) -> Finding:
    url = environ.get("REDIS_URL")
    if url:
        return _brought("Redis", redis_problem(url))
    return _embedded("Redis", where.redis, lambda: redis_server(settings.redis_server))


def _postgres(settings: LauncherSettings, where: Addresses, environ: Mapping[str, str]) -> Finding:
    url = environ.get("DATABASE_URL")
    if url:
        return _brought("PostgreSQL", postgres_problem(url))
    return _embedded("PostgreSQL", where.postgres, lambda: postgres_server(settings.pg_bin))


def _embedded(name: str, port: int, find: Callable[[], Path]) -> Finding:
    try:
        server = find()
    except LauncherError as error:
        return Finding(name, fine=False, says=str(error))
    return Finding(
        name, fine=True, says=f"embedded, port {port} {'free' if is_free(port) else 'in use'}: {server}"
    )


def _brought(name: str, problem: str) -> Finding:
    return Finding(name, fine=not problem, says=problem or "answers")


def _service(service: Service, where: Addresses, state: Path, http: httpx.Client) -> Finding:
    port, url = where.services[service.name], where.url(service.name)
    if is_free(port):
        return Finding(service.name, fine=True, says=f"not running, port {port} is free")
    if not is_healthy(http, url):
        mend = f"stop what uses the port, or set {service.port_variable}"
        return Finding(
            service.name, fine=False, says=f"port {port} is taken, but not by a healthy service: {mend}"
        )
    info = _info(service, url, state, http)
    troubles = list(_troubles(info))
    if troubles:
        return Finding(service.name, fine=False, says="; ".join(troubles))
    return Finding(service.name, fine=True, says=f"healthy at {url}{_version(service, info)}")


def _info(service: Service, url: str, state: Path, http: httpx.Client) -> dict[str, Any]:
    """What the service says of itself; {} when it says nothing that can be read."""
    if service.role == "sandbox":
        return {}
    key = open_keyring(state)["OPERATOR_API_KEY"] if secrets_file(state).exists() else ""
    try:
        answer = http.get(f"{url}/info", headers={"X-API-Key": key})
        told = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _troubles(info: dict[str, Any]) -> Iterator[str]:
    """A sentence for everything that is wrong with an account of a channel, or with the dead letters."""
    for account, seen in info.get("accounts", {}).items():
        for trouble in seen.get("troubles", []):
            yield f"account {account}: {trouble['code']}: {trouble['detail']}"
    letters = info.get("dead_letters", {})
    if letters.get("oldest_seconds", 0) > _LONGEST_LETTER_SECONDS:
        days = letters["oldest_seconds"] / _DAY_SECONDS
        yield f"{letters['waiting']} dead letters wait, the oldest for {days:.0f} days: eldoleado dead list"
    if letters.get("bytes", 0) > _MOST_LETTER_BYTES:
        yield f"dead letters take {letters['bytes'] >> 20} MB of Redis: eldoleado dead purge"


def _version(service: Service, info: dict[str, Any]) -> str:
    if service.role == "sandbox":
        return ""
    return f", version {info['version']}" if "version" in info else ", /info is unreadable"
