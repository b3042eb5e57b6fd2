import pytest

from sandbox.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_AVITO_CLIENT_ID", "id")
    monkeypatch.setenv("SANDBOX_AVITO_CLIENT_SECRET", "the-secret")


def test_defaults_are_those_of_the_contract() -> None:
    settings = load_settings()

    assert (settings.host, settings.port, settings.address) == ("127.0.0.1", 8790, "http://127.0.0.1:8790")
    assert (settings.avito_user_id, settings.avito_token_ttl) == (701_000_001, 86_400)
    assert (settings.webhook_timeout, settings.webhook_retries) == (2.0, (1.0, 5.0, 30.0))


def test_every_missing_key_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_AVITO_CLIENT_ID")
    monkeypatch.setenv("SANDBOX_AVITO_CLIENT_SECRET", "")

    with pytest.raises(SettingsError, match=r"set SANDBOX_AVITO_CLIENT_ID, SANDBOX_AVITO_CLIENT_SECRET\.$"):
        load_settings()


def test_a_wrong_value_is_named_without_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_PORT", "eighty")

    with pytest.raises(SettingsError, match=r"SANDBOX_PORT: .*integer") as caught:
        load_settings()
    assert "the-secret" not in str(caught.value)


def test_retries_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_WEBHOOK_RETRIES", "0.5, 2")
    monkeypatch.setenv("SANDBOX_PUBLIC_URL", "http://sandbox:8790/")

    assert load_settings().webhook_retries == (0.5, 2.0)
    assert load_settings().address == "http://sandbox:8790"
