"""The official suite against every server, as two or three replicas without sticky sessions."""

from pathlib import Path

import pytest

from tests.conformance.conftest import SERVERS, House
from tests.conformance.foreign import Foreign
from tests.conformance.suite import SPECS, promised, run_suite


@pytest.mark.promise("conformance")
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", SERVERS)
async def test_the_official_suite_finds_what_the_page_says(
    house: House, node: Foreign, tmp_path: Path, name: str, spec: str
) -> None:
    """Every request goes to another replica than the one before."""
    async with house.balanced(name) as url:
        found, said = await run_suite(node, url, spec, tmp_path)

    assert found == promised(spec), said[-4000:]
