"""The bundles as the published command line of MCPB sees them."""

from pathlib import Path

import pytest

from publish.bundle import write_bundle
from publish.products import PRODUCTS, Product
from tests.conformance.foreign import Foreign
from tests.conformance.programs import output_of


@pytest.mark.promise("ready")
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
async def test_a_bundle_is_unpacked_and_its_manifest_is_valid(
    node: Foreign, product: Product, tmp_path: Path
) -> None:
    """npm @anthropic-ai/mcpb."""
    mcpb = node.packages / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    bundle, unpacked = write_bundle(product, tmp_path), tmp_path / "unpacked"

    for command in (("unpack", bundle, unpacked), ("validate", unpacked / "manifest.json")):
        code, said, complained = await output_of(node.node, mcpb, *command)
        assert code == 0, said + complained
