"""compose.yaml and Dockerfile, checked without a container engine."""

import importlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from core.registry import CHANNELS, SERVICES, Service

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
ENGINES = {"redis", "postgres", "migrate"}
VARIABLE = re.compile(r"(?:# )?([A-Z][A-Z0-9_]*)=")
DEMO = {"sandbox", "agent"}
SERVICE_SETTINGS = (
    "core.settings",
    "orchestrator.settings",
    *(f"{channel.package}.settings" for channel in CHANNELS),
    "form_api.settings",
    "sandbox.settings",
    "examples.agent.settings",
)
SETTINGS = (*SERVICE_SETTINGS, "launcher.settings", "evals.settings")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def run(*command: str) -> None:
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_follows_the_specification() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_dockerfile_is_clean() -> None:
    run("hadolint", "Dockerfile")


def test_the_services_are_those_of_the_registry(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {service.name for service in SERVICES} | ENGINES | {"agent"}


def test_the_demo_and_each_channel_start_only_when_asked_for(compose: dict[str, Any]) -> None:
    profiles = {name: one["profiles"] for name, one in compose["services"].items() if "profiles" in one}
    channels = {channel.name: [channel.channel, "demo"] for channel in CHANNELS}
    assert profiles == {name: ["demo"] for name in DEMO} | channels


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_further_accounts_of_a_channel_have_a_file_that_it_alone_reads(
    compose: dict[str, Any], channel: Service
) -> None:
    files = compose["services"][channel.name]["env_file"]
    assert files == [{"path": f"{channel.name}.env", "required": False}]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_listens_where_the_registry_says(compose: dict[str, Any], service: Service) -> None:
    entry = compose["services"][service.name]
    assert entry["command"] == [service.name]
    assert entry["environment"]["PORT"] == str(service.port)
    address = f"${{BIND_ADDRESS:-127.0.0.1}}:${{{service.port_variable}:-{service.port}}}:{service.port}"
    assert entry["ports"] == [address]


def test_engines_are_not_published_and_keep_their_data(compose: dict[str, Any]) -> None:
    for name in ("redis", "postgres"):
        assert "ports" not in compose["services"][name]
        assert compose["services"][name]["volumes"]
        assert compose["services"][name]["healthcheck"]
    assert "--appendonly" in compose["services"]["redis"]["command"]


def test_a_secret_has_no_default() -> None:
    for name, rest in re.findall(
        r"\$\{(\w*(?:KEYS?|SECRET(?:_2)?|PASSWORD))(:.*?)\}", (ROOT / "compose.yaml").read_text()
    ):
        assert rest in (":?is missing, see .env.example", ":-"), name


def test_the_packages_reach_the_image(compose: dict[str, Any]) -> None:
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    for service in SERVICES:
        assert f"!{service.package}" in let_through


def test_every_variable_is_documented_with_a_line_of_explanation() -> None:
    documented = set(explained((ROOT / ".env.example").read_text().splitlines()))
    ports = {service.port_variable for service in SERVICES}
    assert ports | variables_of_compose() | variables_of_settings(SETTINGS) <= documented


def test_every_variable_of_a_service_can_be_set_in_the_file(compose: dict[str, Any]) -> None:
    """Compose hands on what it names only. The tests add fixtures; no container is on stdio; each tokens'
    resource is its public address."""
    passed = {name for service in compose["services"].values() for name in service.get("environment", {})}
    assert variables_of_settings(SERVICE_SETTINGS) - passed == {
        "MCP_FIXTURES",
        "MCP_STDIO_MODE",
        "OAUTH_RESOURCE",
    }


def test_the_example_holds_no_secret() -> None:
    for line in (ROOT / ".env.example").read_text().splitlines():
        if re.match(r"#? ?\w*(KEYS?|SECRET|PASSWORD)=", line):
            assert line.endswith("="), line


def explained(lines: list[str]) -> Iterator[str]:
    for before, line in itertools.pairwise(lines):
        named = VARIABLE.match(line)
        if named and before.startswith("# ") and not VARIABLE.match(before):
            yield named.group(1)


def variables_of_compose() -> set[str]:
    return set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))


def variables_of_settings(modules: Iterable[str]) -> set[str]:
    classes = {found for module in modules for found in settings_classes(module)}
    return {variable(settings, field) for settings in classes for field in settings.model_fields}


def settings_classes(module: str) -> Iterator[type[BaseSettings]]:
    for thing in vars(importlib.import_module(module)).values():
        if isinstance(thing, type) and issubclass(thing, BaseSettings) and thing.__module__ == module:
            yield thing


def variable(settings: type[BaseSettings], field: str) -> str:
    alias = settings.model_fields[field].validation_alias
    return (alias if isinstance(alias, str) else settings.model_config.get("env_prefix", "") + field).upper()
