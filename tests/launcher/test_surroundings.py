"""Who is given which variables."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.registry import CHANNELS, SERVICES, Service, service
from launcher.addresses import Addresses, addresses
from launcher.errors import LauncherError
from launcher.keyring import open_keyring
from launcher.settings import LauncherSettings
from launcher.surroundings import Surroundings
from launcher.vendors import VENDORS, vendor_of

PORTS = {one.name: number for number, one in enumerate(SERVICES, 1)}


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


def url(name: str) -> str:
    return f"http://127.0.0.1:{PORTS[name]}"


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_each_channel_meets_the_sandbox_with_the_same_account(around: Surroundings, channel: Service) -> None:
    given, sandbox = around.of_service(channel), around.of_service(service("sandbox"))
    prefix = channel.channel.upper()
    shared = {name: value for name, value in sandbox.items() if name.startswith(f"SANDBOX_{prefix}_")}

    assert given[f"{prefix}_BASE_URL"] == f"{url('sandbox')}/{channel.channel}"
    assert given["PUBLIC_URL"] == url(channel.name)
    credential = vendor_of(channel.channel).credential
    assert given[credential] == shared[f"SANDBOX_{credential}"]
    assert "{" not in "".join((*given.values(), *shared.values()))


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_an_account_of_the_callers_means_the_real_api_and_this_channel_alone(
    tmp_path: Path, channel: Service
) -> None:
    """Nobody wants simulated customers beside real ones."""
    credential = vendor_of(channel.channel).credential
    own = surroundings(tmp_path, {credential: "mine"})
    given = own.of_service(channel)

    assert (own.served, own.simulated, own.all_simulated) == ((channel,), (), False)
    assert given[credential] == "mine"
    assert not {"PUBLIC_URL", f"{channel.channel.upper()}_BASE_URL"} & given.keys()


def test_named_accounts_are_real_too(tmp_path: Path) -> None:
    own = surroundings(tmp_path, {"VK_ACCOUNTS": "first,second"})

    assert [one.name for one in own.served] == ["mcp_vk"]


def test_channels_that_are_asked_for_are_simulated_beside_a_real_one(tmp_path: Path) -> None:
    own = replace(surroundings(tmp_path, {"MAX_TOKEN": "mine"}), channels=("max", "vk"))

    assert [one.name for one in own.served] == ["mcp_vk", "mcp_max"]
    assert [one.channel for one in own.simulated] == ["vk"]
    assert {one.name for one in own.services} == {
        "mcp_vk",
        "mcp_max",
        "form_api",
        "orchestrator",
        "sandbox",
    }


def test_every_channel_has_a_vendor() -> None:
    assert [vendor.channel for vendor in VENDORS] == [channel.channel for channel in CHANNELS]


def test_the_orchestrator_finds_the_channels_and_hurries(around: Surroundings) -> None:
    given = around.of_service(service("orchestrator"))

    assert {given[one.url_variable] for one in CHANNELS} == {url(one.name) for one in CHANNELS}
    assert given["CHANNELS"] == ",".join(one.channel for one in CHANNELS)
    assert given["SILENCE_SECONDS"] == "3"
    assert f"orchestrator={given['CHANNEL_API_KEY']}" in given["API_KEYS"].split(",")


def test_the_callers_variables_win_but_each_service_keeps_its_own_port(tmp_path: Path) -> None:
    own = surroundings(
        tmp_path, {"SILENCE_SECONDS": "20", "PORT": "80", "HOST": "example", "LOG_LEVEL": "DEBUG"}
    )
    given = own.of_service(service("orchestrator"))

    assert (given["SILENCE_SECONDS"], given["LOG_LEVEL"]) == ("20", "DEBUG")
    assert (given["HOST"], given["PORT"]) == ("127.0.0.1", str(PORTS["orchestrator"]))


def test_the_agent_is_given_its_own_key_and_no_other(around: Surroundings) -> None:
    given = around.of_agent()

    assert given["HUB_URL"] == f"{url('orchestrator')}/mcp"
    assert given["HUB_API_KEY"] == around.keyring["AGENT_API_KEY"]
    assert not {"API_KEYS", "AVITO_CLIENT_SECRET", "DATABASE_URL", "REDIS_URL"} & given.keys()


def test_the_sandbox_is_given_nothing_of_ours(around: Surroundings) -> None:
    given = around.of_service(service("sandbox"))

    assert not {"API_KEYS", "AVITO_WEBHOOK_SECRET", "DATABASE_URL", "REDIS_URL"} & given.keys()
    assert given["SANDBOX_PORT"] == given["PORT"] == str(PORTS["sandbox"])


def test_a_base_moves_every_port_and_a_services_own_variable_wins() -> None:
    where = addresses(LauncherSettings(port_base=20_000), {"SANDBOX_PORT": "9"})

    assert dict(where.services) == {
        "mcp_avito": 20_000,
        "mcp_whatsapp": 20_001,
        "mcp_vk": 20_002,
        "mcp_max": 20_003,
        "mcp_instagram": 20_004,
        "form_api": 20_005,
        "mcp_telegram": 20_006,
        "orchestrator": 20_015,
        "sandbox": 9,
    }
    assert (where.redis, where.postgres) == (20_098, 20_099)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "٣"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(LauncherError, match="FORM_API_PORT is"):
        addresses(LauncherSettings(), {"FORM_API_PORT": port})
