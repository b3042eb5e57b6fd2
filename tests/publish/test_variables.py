"""What a bundle and the registry say of a variable is what the server does."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.registry import CHANNELS, Service
from core.vendor_settings import load_accounts
from launcher.bridge import main as bridge
from launcher.keyring import open_keyring
from launcher.vendors import vendor_of
from publish.variables import of_channel, of_hub, settings_of

PLACES = {"sandbox": "http://127.0.0.1:1", "channel": "http://127.0.0.1:2"}


@pytest.fixture(params=CHANNELS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    """In an environment as `eldoleado stdio` makes it for an account."""
    one: Service = request.param
    keyring, vendor = open_keyring(tmp_path), vendor_of(one.channel)
    for name, template in {**vendor.kept, **vendor.played}.items():
        monkeypatch.setenv(name, keyring.fill(template, **PLACES))
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("API_KEYS", keyring.api_keys)
    return one


@pytest.mark.promise("ready")
def test_without_a_required_variable_the_channel_does_not_start(
    channel: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of them is missed by name."""
    for one in of_channel(channel):
        if one.required:
            with monkeypatch.context() as without:
                without.delenv(one.name)
                with pytest.raises(SystemExit):
                    load_accounts(settings_of(channel))
            assert f"{one.name}: is missing" in capsys.readouterr().err


@pytest.mark.promise("ready")
def test_without_all_the_others_it_starts(channel: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for REDIS_URL, which is brought."""
    for one in of_channel(channel):
        if not one.required and one.name != "REDIS_URL":
            monkeypatch.delenv(one.name, raising=False)

    _, accounts = load_accounts(settings_of(channel))

    assert list(accounts) == ["default"]


@pytest.mark.promise("ready")
@pytest.mark.promise("no-secrets")
def test_what_the_settings_hide_is_called_a_secret(channel: Service) -> None:
    """So that a client asks for it with stars, and keeps it apart."""
    _, accounts = load_accounts(settings_of(channel))
    prefix = f"{channel.channel}_"
    values = {f"{prefix}{name}".upper(): value for name, value in next(iter(accounts.values()))}

    told = [one for one in of_channel(channel) if values.get(one.name) is not None]

    assert [one.name for one in told if one.secret != isinstance(values[one.name], SecretStr)] == []
    assert any(one.secret for one in told)


@pytest.mark.promise("ready")
def test_the_bridge_misses_its_key_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in of_hub():
        monkeypatch.delenv(one.name, raising=False)

    with pytest.raises(SystemExit):
        bridge()

    assert [one.name for one in of_hub() if one.required] == ["HUB_API_KEY"]
    assert capsys.readouterr().err.count("is missing") == 1
