"""server.json: by the registry's schema; the files of registry/ are what the settings make today."""

import json
import os
from pathlib import Path

import pytest

from core.registry import CHANNELS
from publish.bundle import write_bundle
from publish.products import PRODUCTS, Product
from publish.server_json import SCHEMA, server_json
from tests.publish.schemas import mistakes

ROOT = Path(__file__).parents[2]
EVERY = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


@EVERY
@pytest.mark.promise("ready")
def test_it_is_what_the_schema_asks_for(product: Product, tmp_path: Path) -> None:
    """Also under somebody's namespace and with the hash of the bundle."""
    bundle = write_bundle(product, tmp_path)
    ours = server_json(product, namespace="io.github.somebody", bundle=bundle)

    assert mistakes(server_json(product), "mcp-server-2025-12-11") == []
    assert mistakes(ours, "mcp-server-2025-12-11") == []
    assert len(ours["packages"][0]["fileSha256"]) == 64
    assert ours["name"] == f"io.github.somebody/{product.name}"


@EVERY
@pytest.mark.promise("ready")
def test_the_files_in_the_folder_are_of_today(product: Product) -> None:
    """UPDATE_SNAPSHOTS=1 renews them. They name nobody's namespace and no release: nothing is published."""
    file = ROOT / "registry" / f"{product.name}.server.json"
    made = json.dumps(server_json(product), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(made, "utf-8")

    assert file.read_text("utf-8") == made
    assert made.count("://example.com/releases/") == made.count('"com.example/') == 1


def test_there_is_one_for_every_server() -> None:
    """Six channels and the hub."""
    names = {f"eldoleado-{channel.channel}" for channel in CHANNELS} | {"eldoleado-hub"}
    assert {product.name for product in PRODUCTS} == names
    assert {path.name for path in (ROOT / "registry").iterdir()} == {f"{name}.server.json" for name in names}


def test_a_mistake_would_be_found() -> None:
    """The schema kept here is the one that is named, and refuses."""
    spoilt = server_json(PRODUCTS[0])
    del spoilt["packages"][0]["transport"]
    spoilt["description"] = "x" * 101

    found = mistakes(spoilt, "mcp-server-2025-12-11")

    assert len(found) == 2, found
    assert json.loads((ROOT / "tests/schemas/mcp-server-2025-12-11.schema.json").read_text())["$id"] == SCHEMA
