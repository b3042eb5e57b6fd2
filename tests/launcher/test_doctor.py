"""The doctor's findings and calls, without a patient."""

import socket
from pathlib import Path

import httpx
import pytest

from launcher.addresses import addresses
from launcher.doctor import Finding, examine, python_version, secrets
from launcher.http_calls import accounts_are_well
from launcher.keyring import open_keyring, secrets_file
from launcher.ports import free_port
from launcher.settings import LauncherSettings


def findings(
    state: Path, environ: dict[str, str], answer: int = 200, told: object = None
) -> dict[str, Finding]:
    def service(request: httpx.Request) -> httpx.Response:
        return httpx.Response(answer, json=told or {"version": "1.2.3"})

    settings = LauncherSettings(state=state, port_base=free_port())
    with httpx.Client(transport=httpx.MockTransport(service)) as http:
        found = list(examine(settings, addresses(settings, environ), environ, http))
    return {finding.subject: finding for finding in found}


def test_a_machine_where_nothing_runs_is_fine(tmp_path: Path) -> None:
    found = findings(tmp_path, {})
    assert all(finding.fine for finding in found.values()), found
    assert found["orchestrator"].says.startswith("not running")


@pytest.mark.parametrize(
    ("written", "fine", "says"),
    [
        ("agent=0123456789abcdef", True, "agent: agent, guarded"),
        (
            "operator=0123456789abcdef,bot:agent:read_only:read+answer=0123456789abcde0",
            True,
            "operator: operator, full; bot: agent, read_only, answer and read only",
        ),
        (
            "bot:agent:careful=0123456789abcdef",
            False,
            "API keys: bot has no mode of read_only, guarded, full",
        ),
    ],
)
def test_the_doctor_says_what_each_key_may_do(tmp_path: Path, written: str, fine: bool, says: str) -> None:
    assert findings(tmp_path, {"API_KEYS": written})["keys"] == Finding("keys", fine, says)


def test_the_keys_of_a_run_are_shown_without_themselves(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)

    found = findings(tmp_path, {})["keys"]

    assert found.says == "operator: operator, full; orchestrator: service, full; agent: agent, guarded"
    assert keyring["AGENT_API_KEY"] not in found.says


def test_a_running_service_shows_its_version(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = findings(tmp_path, {"FORM_API_PORT": str(taken.getsockname()[1])})["form_api"]
    assert found.fine
    assert found.says.endswith(", version 1.2.3")


def test_a_port_taken_by_something_else_is_named_with_the_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = findings(tmp_path, {"FORM_API_PORT": str(taken.getsockname()[1])}, answer=404)["form_api"]
    assert not found.fine
    assert "set FORM_API_PORT" in found.says


def test_servers_of_the_callers_are_asked(tmp_path: Path, redis_url: str, database_url: str) -> None:
    found = findings(tmp_path, {"REDIS_URL": redis_url, "DATABASE_URL": database_url})
    assert found["Redis"].says == found["PostgreSQL"].says == "answers"


def test_servers_that_do_not_answer_are_named_with_the_mend(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    found = findings(
        tmp_path, {"REDIS_URL": f"redis://{nowhere}", "DATABASE_URL": f"postgresql://u@{nowhere}/d"}
    )
    assert not found["Redis"].fine
    assert not found["PostgreSQL"].fine
    assert "correct DATABASE_URL" in found["PostgreSQL"].says


def test_an_old_python_is_named() -> None:
    assert python_version((3, 10)) == Finding("Python", fine=False, says="3.10: install 3.11 or newer")


def test_secrets_that_others_may_read_are_named_with_the_mend(tmp_path: Path) -> None:
    open_keyring(tmp_path)
    assert secrets(tmp_path).fine
    secrets_file(tmp_path).chmod(0o644)
    assert secrets(tmp_path).says.startswith("others may read them: chmod 600 ")


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        ({"accounts": {"default": {"healthy": True}, "second": {"healthy": True}}}, True),
        ({"accounts": {"default": {"healthy": True}, "second": {"healthy": False}}}, False),
        ({"accounts": {"default": {"healthy": None}}}, False),
        ({"status": "ok"}, False),
        ([], False),
    ],
)
def test_accounts_are_well_when_each_was_looked_at_and_is(answer: object, well: bool) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with httpx.Client(transport=transport) as http:
        assert accounts_are_well(http, "http://x") == well


def test_the_troubles_of_an_account_are_told(tmp_path: Path) -> None:
    trouble = {"code": "session_lost", "detail": "Scan the code again."}
    info = {"version": "1.2.3", "accounts": {"shop": {"troubles": [trouble]}, "other": {"troubles": []}}}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {"MCP_WHATSAPP_PORT": str(taken.getsockname()[1])}
        found = findings(tmp_path, environ, told=info)["mcp_whatsapp"]

    assert not found.fine
    assert found.says == "account shop: session_lost: Scan the code again."


@pytest.mark.parametrize(
    ("letters", "says"),
    [
        (
            {"waiting": 3, "oldest_seconds": 400_000, "bytes": 10},
            "3 dead letters wait, the oldest for 5",
        ),
        ({"waiting": 1, "oldest_seconds": 60, "bytes": 300 << 20}, "dead letters take 300 MB of Redis"),
        ({"waiting": 1, "oldest_seconds": 60, "bytes": 10}, ""),
    ],
)
def test_dead_letters_that_nobody_looks_at_are_told(
    tmp_path: Path, letters: dict[str, int], says: str
) -> None:
    """They have no cap: each is kept whole until somebody purges it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {"ORCHESTRATOR_PORT": str(taken.getsockname()[1])}
        told = {"version": "1.2.3", "dead_letters": letters}
        found = findings(tmp_path, environ, told=told)["orchestrator"]
    assert found.fine == (not says)
    assert found.says.startswith(says)
