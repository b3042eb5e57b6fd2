"""Secrets of a local run: made on the first one, kept in the state folder, readable by their owner only."""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from launcher.vendors import secret_names

_BYTES = 32
_CALLERS = ("operator", "orchestrator", "agent")
_NAMES = tuple(dict.fromkeys([*(f"{caller.upper()}_API_KEY" for caller in _CALLERS), *secret_names()]))
_ABOUT = "# Made by `eldoleado run` for this folder. Delete the file to get new secrets.\n"


class Keyring:
    def __init__(self, values: Mapping[str, SecretStr]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name].get_secret_value()

    def fill(self, template: str, **given: str) -> str:
        """The template with our secrets and what is given; other text stays as it is."""
        values = {name: secret.get_secret_value() for name, secret in self._values.items()}
        return template.format(**values, **given)

    @property
    def api_keys(self) -> str:
        """The API_KEYS variable: who may call the services."""
        return ",".join(f"{caller}={self[f'{caller.upper()}_API_KEY']}" for caller in _CALLERS)


def secrets_file(state: Path) -> Path:
    return state / "secrets.env"


def open_keyring(state: Path, make: Callable[[int], str] = secrets.token_urlsafe) -> Keyring:
    """What is there is kept; what is missing is made."""
    file = secrets_file(state)
    found = _read(file) if file.exists() else {}
    values = {name: found.get(name) or make(_BYTES) for name in _NAMES}
    if values != found:
        _write(file, found | values)
    return Keyring({name: SecretStr(value) for name, value in values.items()})


def _read(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def _write(file: Path, values: Mapping[str, str]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(_ABOUT + "".join(f"{name}={value}\n" for name, value in values.items()))
    unfinished.rename(file)
