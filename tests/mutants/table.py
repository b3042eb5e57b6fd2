"""The table of promises and mutants in docs/reliability.md: `python -m tests.mutants.table` renews it."""

from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant, brief, every_mutant
from tests.requirements import PROMISES

PAGE = ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- mutants: made by python -m tests.mutants.table -->", "<!-- /mutants -->"
_LONGEST = 70


def table() -> str:
    """A row for each mutant, in the order of the promises."""
    order = {name: place for place, name in enumerate(PROMISES)}
    mutants = sorted(every_mutant(), key=lambda mutant: (order[mutant.promise], mutant.file, mutant.old))
    rows = "\n".join(map(_row, mutants))
    return f"{_BEGIN}\n| promise | the change | makes this fail |\n|---|---|---|\n{rows}\n{_END}"


def renewed(page: str) -> str:
    """The page with the table as it should be. Raises ValueError when it has no place for it."""
    before, found, rest = page.partition(_BEGIN)
    _, ends, after = rest.partition(_END)
    if not found or not ends:
        raise ValueError("the page has no place for the table")
    return f"{before}{table()}{after}"


def _row(mutant: Mutant) -> str:
    change = f"{_code(mutant.old)} → {_code(mutant.new)}"
    tests = ", ".join(f"`{_named(test)}`" for test in mutant.tests)
    return f"| {mutant.promise} | `{mutant.file}`: {change} | {tests} |"


def _code(text: str) -> str:
    shown = brief(text, _LONGEST).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else "nothing"


def _named(test: str) -> str:
    file, _, name = test.partition("::")
    return f"{Path(file).stem}: {name}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
