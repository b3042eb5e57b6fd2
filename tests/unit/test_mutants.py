"""The mutants are about promises, files and tests that exist; `make mutants` tries them."""

from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant, every_mutant
from tests.mutants.table import PAGE, renewed
from tests.requirements import PROMISES

MUTANTS = every_mutant()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_tried(mutant: Mutant) -> None:
    """Its file has the old text once, its tests exist, its promise is one of ours."""
    assert mutant.promise in PROMISES
    assert mutant.mistakes() == []


def test_every_promise_has_a_mutant() -> None:
    """A test that passes whatever the code does shows nothing."""
    assert set(PROMISES) - {mutant.promise for mutant in MUTANTS} == set()


def test_the_document_names_every_mutant() -> None:
    """python -m tests.mutants.table renews the table."""
    page = PAGE.read_text("utf-8")
    assert page == renewed(page)


def test_no_mutant_stands_twice() -> None:
    """Two files of mutants must not make the same change for the same promise."""
    changes = [(mutant.promise, mutant.file, mutant.old, mutant.new) for mutant in MUTANTS]
    assert len(set(changes)) == len(changes)


def test_what_cannot_be_tried_is_told(tmp_path: Path) -> None:
    """A mutant that went stale with the code says what is wrong with it."""
    (tmp_path / "code.py").write_text("one\none\n")
    (tmp_path / "test_it.py").write_text("def test_there() -> None: ...\n")
    tests = ("test_it.py::test_there", "test_it.py::test_gone", "test_it.py")
    stale = Mutant("order", "code.py", "one", "two", tests, "mine.toml")
    gone = Mutant("order", "gone.py", "one", "two", tests, "mine.toml")
    assert stale.mistakes(tmp_path) == [
        "its old text occurs 2 times, not once",
        "there is no test test_it.py::test_gone",
        "there is no test test_it.py",
    ]
    assert gone.mistakes(tmp_path) == ["gone.py does not exist"]
