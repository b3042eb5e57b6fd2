import pytest

from sandbox.settings import SettingsError
from sandbox.vk.settings import from_environment


@pytest.fixture(autouse=True)
def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_TOKEN", "GROUP_ID", "WEBHOOK_RETRIES", "PERMISSIONS", "TEXT_LIMIT"):
        monkeypatch.delenv(f"SANDBOX_VK_{name}", raising=False)


def test_vk_is_simulated_only_when_it_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_VK_GROUP_ID", "")

    assert from_environment() is None


def test_with_the_key_alone_the_rest_is_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_VK_ACCESS_TOKEN", "vk1.a.x")
    settings = from_environment()

    assert settings is not None
    assert (settings.text_limit, settings.calls_per_second, settings.webhook_timeout) == (4096, 20, 10)
    assert settings.webhook_retries == (5, 15, 60, 300, 900)


def test_lists_have_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_VK_ACCESS_TOKEN", "vk1.a.x")
    monkeypatch.setenv("SANDBOX_VK_WEBHOOK_RETRIES", "1, 2.5")
    monkeypatch.setenv("SANDBOX_VK_PERMISSIONS", "messages,docs")
    settings = from_environment()

    assert settings is not None
    assert (settings.webhook_retries, settings.permissions) == ((1, 2.5), ("messages", "docs"))


def test_a_missing_key_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_VK_GROUP_ID", "5")

    with pytest.raises(SettingsError, match=r"set SANDBOX_VK_ACCESS_TOKEN\.$"):
        from_environment()


def test_a_wrong_value_is_named_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_VK_ACCESS_TOKEN", "vk1.a.secret")
    monkeypatch.setenv("SANDBOX_VK_TEXT_LIMIT", "9001")

    with pytest.raises(SettingsError, match="SANDBOX_VK_TEXT_LIMIT: ") as caught:
        from_environment()
    assert "secret" not in str(caught.value)
