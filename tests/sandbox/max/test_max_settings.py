import os

import pytest

from sandbox.max.settings import from_environment
from sandbox.settings import SettingsError


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SANDBOX_MAX_")]:
        monkeypatch.delenv(name)


def test_without_any_variable_max_is_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment() is None
    monkeypatch.setenv("SANDBOX_MAX_TOKEN", "")
    assert from_environment() is None


def test_a_token_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_MAX_TOKEN", "secret")
    settings = from_environment()

    assert settings is not None
    assert settings.policy.timeout == 30
    assert settings.policy.retries[:4] == (60, 150, 375, 937.5)
    assert (len(settings.policy.retries), settings.patience) == (10, 28_800)
    assert "secret" not in repr(settings)


def test_the_token_alone_cannot_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_MAX_BOT_ID", "7")
    with pytest.raises(SettingsError, match=r"set SANDBOX_MAX_TOKEN\.$"):
        from_environment()


def test_a_wrong_value_is_named_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_MAX_TOKEN", "secret")
    monkeypatch.setenv("SANDBOX_MAX_TEXT_UNIT", "bytes")
    with pytest.raises(SettingsError, match="SANDBOX_MAX_TEXT_UNIT") as caught:
        from_environment()
    assert "secret" not in str(caught.value)


def test_hosts_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_MAX_TOKEN", "secret")
    monkeypatch.setenv("SANDBOX_MAX_PLAIN_WEBHOOK_HOSTS", "Localhost, mcp_max")
    settings = from_environment()
    assert settings is not None
    assert settings.plain_webhook_hosts == ("localhost", "mcp_max")
