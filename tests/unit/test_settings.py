"""Settings are complete or the process does not start, and the whole list of mistakes is told at once."""

import httpx
import pytest
from starlette.applications import Starlette

from core.clock import SystemClock
from core.oauth import tokens_of
from core.settings import ServiceSettings, load, load_one, secret_texts
from mcp_avito.settings import AvitoSettings
from orchestrator.__main__ import _parts
from orchestrator.settings import OrchestratorSettings, parse_commands, parse_windows

GOOD = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "API_KEYS": "operator=0123456789abcdef0123",
    "AVITO_CLIENT_ID": "shop",
    "AVITO_CLIENT_SECRET": "not-a-real-one-0123456789",
    "AVITO_WEBHOOK_SECRET": "not-a-real-one-0123456789-9876543210",
    "DATABASE_URL": "postgresql://127.0.0.1/x",
    "CHANNEL_API_KEY": "0123456789abcdef0123",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Complete settings and nothing else of ours."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.promise("settings")
def test_every_missing_and_wrong_variable_is_named_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the first one only, and never the value."""
    environment.delenv("REDIS_URL")
    environment.setenv("PORT", "99999")
    environment.setenv("API_KEYS", "operator=too-short")
    environment.setenv("AVITO_CLIENT_ID", "")
    environment.setenv("AVITO_WEBHOOK_SECRET", "short-secret")

    with pytest.raises(SystemExit) as ended:
        load(ServiceSettings, AvitoSettings)

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "REDIS_URL: is missing" in told
    assert "PORT: " in told
    assert "the key of operator is shorter than 16 characters" in told
    assert "too-short" not in told
    assert "AVITO_CLIENT_ID: is missing" in told
    assert "AVITO_WEBHOOK_SECRET: " in told
    assert "short-secret" not in told


def test_complete_settings_start(environment: pytest.MonkeyPatch) -> None:
    """Production's defaults are 20 and 300 seconds."""
    environment.setenv("ALLOWED_HOSTS", "mcp.example.test, hub.example.test")

    common, own = load(ServiceSettings, OrchestratorSettings)

    assert common.allowed_hosts == ("mcp.example.test", "hub.example.test")
    assert (own.silence_seconds, own.longest_seconds, own.debounce_workers) == (20, 300, 10)


@pytest.mark.promise("no-secrets")
def test_secrets_are_known_to_the_log_and_hidden_in_print(environment: pytest.MonkeyPatch) -> None:
    """Each key within API_KEYS as well."""
    common, own = load(ServiceSettings, AvitoSettings)

    assert GOOD["AVITO_CLIENT_SECRET"] in secret_texts(own)
    assert GOOD["API_KEYS"].partition("=")[2] in secret_texts(common)
    assert not any(secret in f"{common!r}{own!r}" for secret in (*secret_texts(common), *secret_texts(own)))


@pytest.mark.promise("no-secrets")
@pytest.mark.parametrize("user", ["eldoleado", ""])
def test_the_password_within_an_address_is_a_secret_too(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    """As it is written and as it is meant: a library may show either."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{user}:p%40ssword-1@db/x")
    monkeypatch.setenv("CHANNEL_API_KEY", GOOD["CHANNEL_API_KEY"])

    assert {"p%40ssword-1", "p@ssword-1"} <= set(secret_texts(load_one(OrchestratorSettings)))


def test_windows_per_channel_are_read() -> None:
    """silence/longest in seconds, and a max count where one is given."""
    assert parse_windows("avito=10/120/20, form=0/0, vk=5/60/0") == {
        "avito": (10, 120, 20),
        "form": (0, 0, None),
        "vk": (5, 60, 0),
    }


@pytest.mark.promise("settings")
@pytest.mark.parametrize(
    "text",
    [
        *("avito", "avito=10", "avito=a/b", "pager=1/2", "avito=1/2/3/4", "avito=1/2/x", "avito=1/2/-1"),
        *("avito=1/2/1.5", "avito=30/20", "avito=-1/20", "avito=nan/20", "avito=1/inf", "avito=1/2/inf"),
        *("avito=1/2,avito=1/2", "avito=1/86401"),
    ],
)
def test_a_window_that_cannot_be_read_is_an_error(text: str) -> None:
    """Told at the start, not at the first message."""
    with pytest.raises(ValueError, match=r"avito|pager"):
        parse_windows(text)


@pytest.mark.promise("settings")
def test_every_wrong_window_is_named_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the silences, the commands and the policy."""
    environment.setenv("SILENCE_SECONDS", "30")
    environment.setenv("LONGEST_SECONDS", "20")
    environment.setenv("CHANNEL_WINDOWS", "pager=1/2,avito=9/3,vk=1/2")
    environment.setenv("CLOSING_COMMANDS", "start,a b")
    environment.setenv("IN_FLIGHT", "later")
    environment.setenv("MAX_COUNT", "-1")

    with pytest.raises(SystemExit):
        load(ServiceSettings, OrchestratorSettings)

    told = capsys.readouterr().err
    assert "LONGEST_SECONDS: Value error, 20 is less than SILENCE_SECONDS (30)" in told
    assert "unknown channel 'pager'" in told
    assert "'avito=9/3': 0 <= silence <= longest <= 86400 must hold" in told
    assert "CLOSING_COMMANDS: Value error, no command: 'a b'" in told
    assert "IN_FLIGHT: " in told
    assert "MAX_COUNT: " in told


@pytest.mark.parametrize(
    ("text", "commands"),
    [("*", ("*",)), ("none", ()), ("start, /Help,start", ("start", "help")), ("старт", ("старт",))],
)
def test_commands_that_close_a_turn_are_read(text: str, commands: tuple[str, ...]) -> None:
    """With and without the slash, in any case."""
    assert parse_commands(text) == commands


OAUTH = {"OAUTH_ISSUER": "https://auth.example.org", "PUBLIC_URL": "https://hub.example.org"}


@pytest.mark.parametrize("missing", OAUTH)
def test_without_an_issuer_or_an_address_there_are_only_keys(
    environment: pytest.MonkeyPatch, missing: str
) -> None:
    """A token is made for an address; a service that nobody is told of has keys."""
    for name, value in {**OAUTH, missing: ""}.items():
        environment.setenv(name, value)
    common, _ = load(ServiceSettings, OrchestratorSettings)

    assert tokens_of(common, common.public_url, SystemClock()) is None


@pytest.mark.parametrize(
    ("more", "resource"),
    [
        ({}, "https://hub.example.org/mcp"),
        ({"OAUTH_RESOURCE": "https://ai.example.org/hub/mcp"}, "https://ai.example.org/hub/mcp"),
        ({"OAUTH_RESOURCE": "https://ai.example.org/mcp", "PUBLIC_URL": ""}, "https://ai.example.org/mcp"),
    ],
)
async def test_the_resource_is_the_public_address_unless_it_is_named(
    environment: pytest.MonkeyPatch, more: dict[str, str], resource: str
) -> None:
    """As the hub makes its parts."""
    for name, value in {**OAUTH, **more}.items():
        environment.setenv(name, value)
    common, own = load(ServiceSettings, OrchestratorSettings)
    tokens = _parts(common, own).tokens

    assert tokens is not None
    [found, _] = tokens.routes("Hub")
    transport = httpx.ASGITransport(Starlette(routes=[found]))
    async with httpx.AsyncClient(transport=transport, base_url="https://x") as http:
        assert (await http.get(found.path)).json()["resource"] == resource


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OAUTH_ISSUER", "http://auth.example.org", "OAUTH_ISSUER: Value error, must be an https address"),
        ("OAUTH_ISSUER", "auth.example.org", "OAUTH_ISSUER: Value error, must be an https address"),
        ("OAUTH_RESOURCE", "https://x.example.org/mcp#a", "OAUTH_RESOURCE: Value error"),
        ("OAUTH_JWKS_URL", "http://keycloak/keys", "OAUTH_JWKS_URL: Value error"),
        ("OAUTH_SCOPES", "chats=write", "OAUTH_SCOPES: Value error, 'chats=write' must be theirs=ours+ours"),
        ("OAUTH_SCOPES", "read", "OAUTH_SCOPES: Value error"),
        ("OAUTH_SCOPES", "a b=read", "OAUTH_SCOPES: Value error"),
        ("OAUTH_MODE", "safe", "OAUTH_MODE: Input should be 'read_only', 'guarded' or 'full'"),
        ("OAUTH_OPERATOR", "roles", "OAUTH_OPERATOR: Value error, must be claim=value"),
        ("OAUTH_REQUIRE", "=acme", "OAUTH_REQUIRE: Value error, must be claim=value"),
    ],
)
def test_wrong_words_about_tokens_stop_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, told: str
) -> None:
    """Each is a door that would stand open, or never open."""
    for given, written in {**OAUTH, name: value}.items():
        environment.setenv(given, written)

    with pytest.raises(SystemExit):
        load(ServiceSettings, OrchestratorSettings)

    assert told in capsys.readouterr().err
