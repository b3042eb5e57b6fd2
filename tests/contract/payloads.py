"""The recorded bodies: `tests/payloads/<channel>/NAME.json` and what each means, `NAME.expected.json`."""

import json
from pathlib import Path
from typing import Any

from tests.contract.vendor_side import SIDES

_FOLDER = Path(__file__).parent.parent / "payloads"


def pairs() -> list[tuple[str, str]]:
    """(channel, name) of every pair."""
    return [(channel, name) for channel in sorted(SIDES) for name in names(channel)]


def names(channel: str) -> list[str]:
    """The pairs of one channel."""
    files = sorted((_FOLDER / channel).glob("*.expected.json"))
    return [path.name.removesuffix(".expected.json") for path in files]


def body(channel: str, name: str) -> Any:
    """What the vendor sends."""
    return _read(channel, f"{name}.json")


def expected(channel: str, name: str) -> Any:
    """What it means: a list of arrivals, or an object where there is more to say."""
    return _read(channel, f"{name}.expected.json")


def _read(channel: str, file: str) -> Any:
    return json.loads((_FOLDER / channel / file).read_text(encoding="utf-8"))
