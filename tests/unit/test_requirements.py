"""Every promise has a test, and every test that names a promise names one that exists."""

import re
from pathlib import Path

from tests.requirements import PROMISES

_TESTS = Path(__file__).parent.parent
_NAMED = re.compile(r'pytest\.mark\.promise\(\s*"([^"]+)"')


def _named() -> set[str]:
    files = (path for path in _TESTS.rglob("test_*.py") if path != Path(__file__))
    return {name for path in files for name in _NAMED.findall(path.read_text(encoding="utf-8"))}


def test_every_promise_has_a_test() -> None:
    """A promise that nobody checks is a wish."""
    assert set(PROMISES) - _named() == set()


def test_every_named_promise_exists() -> None:
    """A test must not claim to show what was never promised."""
    assert _named() - set(PROMISES) == set()
