"""What of a log a person sees on the console. Pure but for reading the file."""

import json
from pathlib import Path
from typing import Any

_LOUD = ("warning", "error", "critical")
_FRAME = ("event", "level", "timestamp", "service", "logger", "exception")


class LogFollower:
    """The lines added to a file since we began to follow it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0

    def new_lines(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as log:
            log.seek(self._at)
            added = log.read()
        whole = added[: added.rfind(b"\n") + 1]  # the rest of a line may still be on its way
        self._at += len(whole)
        return whole.decode(errors="replace").splitlines()


def shown(line: str, *, everything: bool) -> str | None:
    """A short form of a line that a person should see now; None for the others."""
    text = _short(line, everything=everything)
    # A stranger's text may hold sequences that command a terminal.
    return text and "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _short(line: str, *, everything: bool) -> str | None:
    entry = _entry(line)
    if entry is None:
        return line if everything or line.startswith(("WARNING", "ERROR", "CRITICAL")) else None
    level = str(entry.get("level", "info"))
    if not everything and level not in _LOUD:
        return None
    details = " ".join(f"{name}={value}" for name, value in entry.items() if name not in _FRAME)
    return " ".join(part for part in (level if level in _LOUD else "", str(entry["event"]), details) if part)


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "event" in entry else None
