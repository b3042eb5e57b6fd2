"""Who is given which variables."""

from pathlib import Path

import pytest

from core.registry import service
from launcher.addresses import Addresses, addresses
from launcher.errors import LauncherError
from launcher.keyring import open_keyring
from launcher.settings import LauncherSettings
from launcher.surroundings import Surroundings

PORTS = {"mcp_avito": 1, "form_api": 2, "orchestrator": 3, "sandbox": 4}


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return surroundings(tmp_path, {})


def surroundings(state: Path, caller: dict[str, str]) -> Surroundings:
    return Surroundings(
        caller=caller,
        addresses=Addresses(services=PORTS, redis=5, postgres=6),
        keyring=open_keyring(state, lambda size: f"{size}-made"),
        redis_url="redis://embedded",
        database_url="postgresql://embedded",
        state=state,
    )


def test_the_channel_meets_the_sandbox_with_the_same_account(around: Surroundings) -> None:
    channel = around.of_service(service("mcp_avito"))
    sandbox = around.of_service(service("sandbox"))

    assert channel["AVITO_BASE_URL"] == "http://127.0.0.1:4/avito"
    assert channel["AVITO_CLIENT_SECRET"] == sandbox["SANDBOX_AVITO_CLIENT_SECRET"]
    assert around.avito_webhook.endswith(f"/webhook/avito/default/{channel['AVITO_WEBHOOK_SECRET']}")
    assert around.avito_webhook.startswith("http://127.0.0.1:1/")


def test_an_account_of_the_callers_means_the_real_api(tmp_path: Path) -> None:
    own = surroundings(tmp_path, {"AVITO_CLIENT_ID": "mine", "AVITO_CLIENT_SECRET": "mine too"})
    channel = own.of_service(service("mcp_avito"))

    assert not own.simulated
    assert channel["AVITO_CLIENT_ID"] == "mine"
    assert "AVITO_BASE_URL" not in channel


def test_the_orchestrator_finds_the_channels_and_hurries(around: Surroundings) -> None:
    given = around.of_service(service("orchestrator"))

    assert given["MCP_AVITO_URL"] == "http://127.0.0.1:1"
    assert given["SILENCE_SECONDS"] == "3"
    assert f"orchestrator={given['CHANNEL_API_KEY']}" in given["API_KEYS"].split(",")


def test_the_callers_variables_win_but_each_service_keeps_its_own_port(tmp_path: Path) -> None:
    own = surroundings(
        tmp_path, {"SILENCE_SECONDS": "20", "PORT": "80", "HOST": "example", "LOG_LEVEL": "DEBUG"}
    )
    given = own.of_service(service("orchestrator"))

    assert (given["SILENCE_SECONDS"], given["LOG_LEVEL"]) == ("20", "DEBUG")
    assert (given["HOST"], given["PORT"]) == ("127.0.0.1", "3")


def test_the_agent_is_given_its_own_key_and_no_other(around: Surroundings) -> None:
    given = around.of_agent()

    assert given["HUB_URL"] == "http://127.0.0.1:3/mcp"
    assert given["HUB_API_KEY"] == around.keyring["AGENT_API_KEY"]
    assert not {"API_KEYS", "AVITO_CLIENT_SECRET", "DATABASE_URL", "REDIS_URL"} & given.keys()


def test_the_sandbox_is_given_nothing_of_ours(around: Surroundings) -> None:
    given = around.of_service(service("sandbox"))

    assert not {"API_KEYS", "AVITO_WEBHOOK_SECRET", "DATABASE_URL", "REDIS_URL"} & given.keys()
    assert given["SANDBOX_PORT"] == given["PORT"] == "4"


def test_a_base_moves_every_port_and_a_services_own_variable_wins() -> None:
    where = addresses(LauncherSettings(port_base=20_000), {"SANDBOX_PORT": "9"})

    assert dict(where.services) == {
        "mcp_avito": 20_000,
        "form_api": 20_005,
        "orchestrator": 20_015,
        "sandbox": 9,
    }
    assert (where.redis, where.postgres) == (20_098, 20_099)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "٣"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(LauncherError, match="FORM_API_PORT is"):
        addresses(LauncherSettings(), {"FORM_API_PORT": port})
