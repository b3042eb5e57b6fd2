"""Several accounts of a channel from one environment: own keys, shared addresses, never mixed."""

import importlib

import pytest

from core.registry import CHANNELS, Service
from core.vendor_settings import VendorSettings, account_prefix, load_accounts
from mcp_avito.settings import AvitoSettings

COMMON = {"REDIS_URL": "redis://127.0.0.1:6379/0", "API_KEYS": "operator=0123456789abcdef0123"}
ONE = {
    "AVITO_CLIENT_ID": "shop",
    "AVITO_CLIENT_SECRET": "not-a-real-one-0123456789",
    "AVITO_WEBHOOK_SECRET": "path-secret-0123456789",
}
TWO = {
    "AVITO_ACCOUNTS": "shop, my-second",
    "AVITO_SHOP__CLIENT_ID": "first-id",
    "AVITO_SHOP__CLIENT_SECRET": "first-secret",
    "AVITO_SHOP__WEBHOOK_SECRET": "first-path-secret-0123",
    "AVITO_MY_SECOND__CLIENT_ID": "second-id",
    "AVITO_MY_SECOND__CLIENT_SECRET": "second-secret",
    "AVITO_MY_SECOND__WEBHOOK_SECRET": "second-path-secret-0123",
}


def _environment(patch: pytest.MonkeyPatch, *given: dict[str, str]) -> None:
    for name, value in {key: value for one in (COMMON, *given) for key, value in one.items()}.items():
        patch.setenv(name, value)


def test_without_names_there_is_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, ONE)

    _, accounts = load_accounts(AvitoSettings)

    assert {name: one.client_id for name, one in accounts.items()} == {"default": "shop"}


def test_each_account_has_its_own_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, TWO)

    _, accounts = load_accounts(AvitoSettings)

    keys = {name: (one.client_id, one.client_secret.get_secret_value()) for name, one in accounts.items()}
    assert keys == {"shop": ("first-id", "first-secret"), "my-second": ("second-id", "second-secret")}


def test_the_way_to_the_vendor_is_said_once_or_for_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {"AVITO_BASE_URL": "http://127.0.0.1:8790/avito", "AVITO_BURST": "3", "AVITO_SHOP__BURST": "9"}
    _environment(monkeypatch, TWO, shared)

    _, accounts = load_accounts(AvitoSettings)

    assert {one.base_url for one in accounts.values()} == {"http://127.0.0.1:8790/avito"}
    assert [one.burst for one in accounts.values()] == [9, 3]


def test_keys_are_never_shared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The default account's keys and id would let one account answer as another."""
    _environment(monkeypatch, TWO, ONE, {"AVITO_USER_ID": "701000001"})
    monkeypatch.delenv("AVITO_SHOP__CLIENT_SECRET")

    with pytest.raises(SystemExit):
        load_accounts(AvitoSettings)

    assert "AVITO_SHOP__CLIENT_SECRET: is missing" in capsys.readouterr().err


def test_an_id_of_the_default_account_is_not_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, TWO, {"AVITO_USER_ID": "701000001"})

    _, accounts = load_accounts(AvitoSettings)

    assert [one.user_id for one in accounts.values()] == [None, None]


def test_everything_wrong_with_every_account_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _environment(monkeypatch, TWO, {"API_KEYS": "", "AVITO_SHOP__USER_ID": "-1"})
    monkeypatch.delenv("AVITO_MY_SECOND__CLIENT_ID")

    with pytest.raises(SystemExit) as ended:
        load_accounts(AvitoSettings)

    told = capsys.readouterr().err
    assert ended.value.code == 2
    for name in ("API_KEYS", "AVITO_SHOP__USER_ID", "AVITO_MY_SECOND__CLIENT_ID"):
        assert f"{name}: " in told


@pytest.mark.parametrize("names", ["Shop", "shop,", "shop,shop", "a-b,a_b", "with space", "ы"])
def test_names_that_cannot_be_told_apart_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], names: str
) -> None:
    _environment(monkeypatch, ONE, {"AVITO_ACCOUNTS": names})

    with pytest.raises(SystemExit):
        load_accounts(AvitoSettings)

    assert "AVITO_ACCOUNTS: " in capsys.readouterr().err


def test_the_same_account_under_two_names_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copied line would have every customer answered twice."""
    _environment(monkeypatch, TWO, {"AVITO_MY_SECOND__CLIENT_ID": "first-id"})

    with pytest.raises(SystemExit):
        load_accounts(AvitoSettings)

    assert "AVITO_MY_SECOND__CLIENT_ID: is the same as that of the account shop" in capsys.readouterr().err


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_every_vendor_tells_its_accounts_apart(channel: Service) -> None:
    module = importlib.import_module(f"{channel.package}.settings")
    [settings] = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, VendorSettings) and one is not VendorSettings
    ]

    assert settings.identified_by in settings.model_fields


def test_the_variables_of_an_account_begin_with_its_name() -> None:
    assert account_prefix(AvitoSettings, "default") == "AVITO_"
    assert account_prefix(AvitoSettings, "my-shop") == "AVITO_MY_SHOP__"
