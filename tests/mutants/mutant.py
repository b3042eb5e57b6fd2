"""One deliberate mistake: which promise it breaks, what it changes, which tests must notice."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_FOLDER = Path(__file__).parent
_DEFINED = r"^\s*(?:async )?def {name}\b"
_CLASS = r"^class {name}\b"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` occurs once in `file` and becomes `new`; each of `tests` is a pytest node id.

    `source` is the toml file it stands in.
    """

    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    source: str

    @property
    def name(self) -> str:
        """How a report calls it: the promise, the file, and what is changed, on one line."""
        return f"{self.promise}: {self.file}: {brief(self.old)} -> {brief(self.new)}"

    def mistakes(self, root: Path = ROOT) -> list[str]:
        """Why it cannot be tried on the tree at `root`; empty when it can."""
        path = root / self.file
        if not path.is_file():
            return [f"{self.file} does not exist"]
        found = path.read_text("utf-8").count(self.old)
        wrong = [f"its old text occurs {found} times, not once"] * (found != 1)
        wrong += ["its new text is the old one"] * (self.old == self.new)
        wrong += ["it names no test"] * (not self.tests)
        return wrong + [f"there is no test {test}" for test in self.tests if not _exists(test, root)]


def every_mutant(folder: Path = _FOLDER) -> list[Mutant]:
    """All of them, in the order of the files. Raises KeyError or TypeError for a malformed one."""
    return [mutant for path in sorted(folder.glob("*.toml")) for mutant in _read(path)]


def brief(text: str, longest: int = 60) -> str:
    """A text on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _read(path: Path) -> Iterator[Mutant]:
    for row in tomllib.loads(path.read_text("utf-8")).get("mutant", []):
        yield Mutant(**{**row, "tests": tuple(row["tests"])}, source=path.name)


def _exists(test: str, root: Path) -> bool:
    """Whether a node id leads to a function; the values of a parametrised one are not looked at."""
    file, *names = test.partition("[")[0].split("::")
    path = root / file
    if not path.is_file() or not names:
        return False
    text = path.read_text("utf-8")
    patterns = [_CLASS.format(name=name) for name in names[:-1]] + [_DEFINED.format(name=names[-1])]
    return all(re.search(pattern, text, re.MULTILINE) for pattern in patterns)
