"""Every test of this folder runs once per channel."""

import pytest

from tests.contract.vendor_side import SIDES, VendorSide


@pytest.fixture(params=sorted(SIDES))
def vendor(request: pytest.FixtureRequest) -> VendorSide:
    """Of every channel, or of those that the test is marked for (those_with)."""
    side: VendorSide = SIDES[request.param]()
    return side
