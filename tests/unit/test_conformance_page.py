"""The page of conformance and the suite's own list of known failures say the same."""

import pytest
import yaml

from tests.conformance.suite import HERE, SPECS, promised


@pytest.mark.parametrize("spec", SPECS)
def test_the_page_lists_what_the_suite_is_told_to_expect(spec: str) -> None:
    """And its counts are those of its list."""
    known = yaml.safe_load((HERE / "known" / f"{spec}.yml").read_text("utf-8"))["server"]

    assert sorted(known) == sorted(promised(spec).others)
