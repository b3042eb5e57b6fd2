"""Every test of this folder runs once per channel."""

import pytest

from tests.contract.vendor_side import SIDES, VendorSide


@pytest.fixture(params=sorted(SIDES))
def vendor(request: pytest.FixtureRequest) -> VendorSide:
    side: VendorSide = SIDES[request.param]()
    return side
