"""The attempts, as they stand in attempts.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from core.untrusted import clean

_FILE = Path(__file__).parent / "attempts.yaml"
_ORDINARY = "Здравствуйте, сколько стоит экран"
#: So much of an attempt tells it from everything else.
_TELLING = 24


@dataclass(frozen=True, slots=True)
class Attempt:
    """`like` is the harmless text whose effect it must have; `name` says which attempt failed."""

    name: str
    kind: str
    language: str
    text: str
    like: str = _ORDINARY

    @property
    def telling(self) -> str:
        """What would be seen of it wherever it is shown."""
        return " ".join(clean(self.text).split())[:_TELLING]

    def about(self, case: Mapping[str, str]) -> "Attempt":
        """With the ids of a real case, which is somebody else's."""
        text = self.text
        for name, value in case.items():
            text = text.replace(f"<<{name}>>", value)
        return replace(self, text=text)


def attempts() -> list[Attempt]:
    """All of them, in the order of the file."""
    rows: list[dict[str, Any]] = yaml.safe_load(_FILE.read_text("utf-8"))
    return [
        Attempt(
            f"{number}-{row['kind']}-{row['language']}",
            row["kind"],
            row["language"],
            row["text"] * row.get("times", 1),
            row.get("like", _ORDINARY),
        )
        for number, row in enumerate(rows, 1)
    ]
