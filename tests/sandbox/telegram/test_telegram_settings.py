"""The settings from the environment: absent, complete, or a sentence that says what is wrong."""

import pytest

from sandbox.settings import SettingsError
from sandbox.telegram.settings import PREFIX, from_environment
from tests.sandbox.telegram.world import TOKEN


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "READ_TIMEOUT", "USERNAME"):
        monkeypatch.delenv(f"{PREFIX}{name}", raising=False)


def test_without_any_variable_telegram_is_not_simulated() -> None:
    assert from_environment() is None


def test_a_token_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setenv("SANDBOX_TELEGRAM_READ_TIMEOUT", "5")

    settings = from_environment()

    assert settings is not None
    assert (settings.bot_id, settings.read_timeout) == (7_000_000_001, 5)
    assert TOKEN not in repr(settings)


def test_other_variables_without_the_token_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_TELEGRAM_USERNAME", "my_bot")

    with pytest.raises(SettingsError, match="SANDBOX_TELEGRAM_TOKEN"):
        from_environment()


@pytest.mark.parametrize("token", ["nonsense", "0123:abc", f"1:{'a' * 80}", "1:a/b"])
def test_a_token_that_cannot_be_one_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("SANDBOX_TELEGRAM_TOKEN", token)

    with pytest.raises(SettingsError, match="SANDBOX_TELEGRAM_TOKEN") as caught:
        from_environment()
    assert token not in str(caught.value)
