import pytest

from sandbox.settings import SettingsError
from sandbox.whatsapp.settings import Number, from_environment


def test_without_any_variable_the_vendor_is_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_WHATSAPP_TOKEN", "")

    assert from_environment() is None


def test_a_token_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_WHATSAPP_TOKEN", "the-token")

    settings = from_environment()

    assert settings is not None
    assert settings.token.get_secret_value() == "the-token"
    assert settings.profiles == (Number("a1b2c3d4-e5f6", "79000000001"),)
    assert (settings.webhook_retries, settings.read_after) == ((5, 30, 120), None)
    assert "the-token" not in repr(settings)


def test_a_variable_without_the_token_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_WHATSAPP_PROFILE_NAME", "Мастерская")

    with pytest.raises(SettingsError, match=r"set SANDBOX_WHATSAPP_TOKEN\.$"):
        from_environment()


def test_lists_are_written_with_commas_and_switches_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_WHATSAPP_TOKEN", "the-token")
    monkeypatch.setenv("SANDBOX_WHATSAPP_PROFILES", "a1b2c3d4-e5f6:79000000001, 00000000-0001:79000000009")
    monkeypatch.setenv("SANDBOX_WHATSAPP_WEBHOOK_RETRIES", "1, 2")
    monkeypatch.setenv("SANDBOX_WHATSAPP_SWITCHES", '{"auth_header": "x-wappi-auth"}')

    settings = from_environment()

    assert settings is not None
    assert settings.profiles[1] == Number("00000000-0001", "79000000009")
    assert (settings.webhook_retries, settings.switches) == ((1, 2), {"auth_header": "x-wappi-auth"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROFILES", "a1b2c3d4-e5f6"),
        ("PROFILES", ","),
        ("SWITCHES", "{"),
        ("SWITCHES", '{"explode": true}'),
        ("DELIVERED_AFTER", "soon"),
    ],
)
def test_a_wrong_value_is_named_without_the_token(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("SANDBOX_WHATSAPP_TOKEN", "the-token")
    monkeypatch.setenv(f"SANDBOX_WHATSAPP_{name}", value)

    with pytest.raises(SettingsError, match=f"SANDBOX_WHATSAPP_{name}") as caught:
        from_environment()
    assert "the-token" not in str(caught.value)
