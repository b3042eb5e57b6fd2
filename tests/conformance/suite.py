"""Running the official suite, and reading what it found and what docs/mcp-conformance.md says of it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.foreign import Foreign
from tests.conformance.programs import output_of

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "mcp-conformance.md"
SPECS = ("2026-07-28", "2025-11-25")
_COUNTED = re.compile(r"^\| (\d{4}-\d\d-\d\d) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)
_LISTED = re.compile(r"^\| `([\w-]+:[\w-]+)` \| (\d{4}-\d\d-\d\d) \| (fails|warns) \|", re.MULTILINE)
_VERDICTS = {"FAILURE": "fails", "WARNING": "warns"}


@dataclass(frozen=True)
class Found:
    """How many checks passed, and the others: `scenario:check` -> fails or warns."""

    passed: int
    others: Mapping[str, str]

    @property
    def failed(self) -> int:
        return list(self.others.values()).count("fails")

    @property
    def warned(self) -> int:
        return list(self.others.values()).count("warns")


async def run_suite(foreign: Foreign, url: str, spec: str, folder: Path) -> tuple[Found, str]:
    """What it found at this address, and what it printed. AssertionError when it says that this is news."""
    suite = foreign.script("conformance", "dist/index.js")
    wanted = ["--suite", "all", "--spec-version", spec]
    known: list[str | Path] = ["--expected-failures", HERE / "known" / f"{spec}.yml"]
    code, said, complained = await output_of(
        foreign.node, suite, "server", *wanted, *known, "--url", url, "-o", folder
    )
    assert code == 0, said[-4000:] + complained[-2000:]
    return _read(folder), said


def promised(spec: str) -> Found:
    """The same as the page has it."""
    page = PAGE.read_text("utf-8")
    counted = {found[0]: [int(number) for number in found[1:]] for found in _COUNTED.findall(page)}
    passed, failed, warned = counted[spec]
    others = {check: verdict for check, version, verdict in _LISTED.findall(page) if version == spec}
    made = Found(passed, others)
    assert (made.failed, made.warned) == (failed, warned), f"{PAGE.name} counts other than it lists"
    return made


def _read(folder: Path) -> Found:
    verdicts = list(_verdicts(folder))
    others = {check: _VERDICTS[status] for check, status in verdicts if status in _VERDICTS}
    return Found(sum(status == "SUCCESS" for _, status in verdicts), others)


def _verdicts(folder: Path) -> Iterator[tuple[str, str]]:
    for file in folder.glob("server-*/checks.json"):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        for check in json.loads(file.read_text("utf-8")):
            yield f"{scenario}:{check['id']}", check["status"]
