"""`eldoleado run` from the outside: real engines, stand-ins for the services, signals."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.registry import CHANNELS, SERVICES
from launcher.ports import is_free
from tests.launcher import stand_in
from tests.launcher.waiting import eventually

ROOT = Path(__file__).parents[2]
SPAN = 100  # ports of one run


@pytest.fixture
def port_base() -> int:
    return next(base for base in range(20_000 + os.getpid() % 50 * SPAN, 30_000, SPAN) if _all_free(base))


def _all_free(base: int) -> bool:
    return all(map(is_free, range(base, base + SPAN)))


class Launched:
    """A launcher in a folder of its own, and everything it started."""

    def __init__(self, folder: Path, port_base: int) -> None:
        self.folder = stand_in.build(folder)
        self.state = folder / "state"
        self.port_base = port_base
        self.console = folder / "console"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **variables: str) -> "Launched":
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AVITO", "ELDOLEADO"))
        }
        command = [sys.executable, "-m", "launcher", "run", "--state", str(self.state)]
        with self.console.open("wb") as out:
            self._process = subprocess.Popen(
                [*command, "--ports-from", str(self.port_base)],
                cwd=self.folder,
                env=clean | {"PYTHONPATH": str(ROOT)} | variables,
                stdout=out,
                stderr=out,
            )
        return self

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process
        return self._process

    def said(self) -> str:
        return self.console.read_text()

    def says(self, text: str) -> bool:
        return (
            eventually(lambda: text in self.said() or self.process.poll() is not None) and text in self.said()
        )

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, package: str) -> psutil.Process:
        return next(child for child in self.children() if child.cmdline()[-1] == package)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


@pytest.fixture
def launched(tmp_path: Path, port_base: int) -> Iterator[Launched]:
    it = Launched(tmp_path, port_base)
    yield it
    if it._process and it._process.poll() is None:
        it.stop()


def gone(processes: list[psutil.Process]) -> bool:
    return eventually(lambda: not any(map(psutil.Process.is_running, processes)))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_and_the_next_run_keeps_its_secrets(
    launched: Launched, how: signal.Signals
) -> None:
    launched.start()
    assert launched.says("Everything is up"), launched.said()
    assert launched.says("agent        | agent saw a turn")
    children = launched.children()
    assert len(children) >= len(SERVICES) + 3  # the agent, Redis, PostgreSQL and its own children
    secrets = (launched.state / "secrets.env").read_text()

    assert launched.stop(how) == 0
    assert gone(children)

    launched.start()
    assert launched.says("Everything is up"), launched.said()
    assert (launched.state / "secrets.env").read_text() == secrets


def test_secrets_are_the_owners_alone(launched: Launched) -> None:
    launched.start()
    assert launched.says("Everything is up"), launched.said()

    file = launched.state / "secrets.env"
    values = [line.partition("=")[2] for line in file.read_text().splitlines() if "=" in line]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [value for value in values if value in launched.said()]


def test_a_channel_that_hears_nobody_is_named(launched: Launched) -> None:
    """The run goes on: the other messengers work."""
    (launched.folder / f"{launched.port_base + 2}.deaf").touch()
    launched.start()

    assert launched.says("mcp_vk hears no customers yet: `eldoleado doctor` tells why"), launched.said()
    assert launched.says("Everything is up"), launched.said()


def test_only_the_channels_that_are_asked_for_are_started(launched: Launched) -> None:
    launched.start(ELDOLEADO_CHANNELS="telegram,max")
    assert launched.says("Everything is up"), launched.said()

    started = {child.cmdline()[-1] for child in launched.children()} & {one.package for one in CHANNELS}
    assert started == {"mcp_telegram", "mcp_max"}


def test_the_demo_agent_does_not_answer_real_customers_unless_asked(launched: Launched) -> None:
    """Its rules know invented prices."""
    real = {"AVITO_CLIENT_ID": "mine", "AVITO_CLIENT_SECRET": "made-up-0123456789"}
    launched.start(**real)
    assert launched.says("Everything is up"), launched.said()
    assert "The demo agent stays off" in launched.said()
    launched.stop()

    launched.start(**real, ELDOLEADO_AGENT="on")
    assert launched.says("agent saw a turn"), launched.said()


def test_a_killed_launcher_leaves_no_orphans(launched: Launched) -> None:
    launched.start()
    assert launched.says("Everything is up"), launched.said()
    children = launched.children()

    launched.stop(signal.SIGKILL)

    assert gone(children)
    launched.start()
    assert launched.says("Everything is up"), launched.said()


def test_a_service_that_dies_is_started_again(launched: Launched) -> None:
    launched.start()
    assert launched.says("Everything is up"), launched.said()

    launched.child("orchestrator").kill()

    assert launched.says("orchestrator ended (signal SIGKILL); starting it again in 0.5 s")
    assert launched.says("orchestrator is started again")


def test_an_engine_that_dies_is_started_again(launched: Launched) -> None:
    launched.start()
    assert launched.says("Everything is up"), launched.said()

    next(child for child in launched.children() if child.name() in ("valkey-server", "redis-server")).kill()

    assert launched.says("Redis is started again")


def test_a_service_that_does_not_start_stops_the_run_with_its_last_words(launched: Launched) -> None:
    (launched.folder / "form_api.refuses").touch()
    launched.start()

    assert launched.process.wait(30) == 1
    assert "form_api did not start (exit code 1):\n  form_api has lost its settings" in launched.said()
    assert "Traceback" not in launched.said()
    assert "hidden" not in launched.said()


def test_a_taken_port_is_told_before_anything_starts(launched: Launched) -> None:
    with socket.create_server(("127.0.0.1", launched.port_base)):
        launched.start()
        assert launched.process.wait(30) == 1

    assert f"eldoleado: Port {launched.port_base}, meant for mcp_avito, is taken" in launched.said()
    assert "set MCP_AVITO_PORT" in launched.said()
    assert not (launched.state / "redis").exists()


def test_a_second_run_on_the_same_folder_is_refused(launched: Launched, tmp_path: Path) -> None:
    launched.start()
    assert launched.says("Everything is up"), launched.said()

    second = Launched(tmp_path / "second", launched.port_base)
    second.state = launched.state
    second.start()

    assert second.process.wait(30) == 1
    assert "Already running on" in second.said()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"ELDOLEADO_CHANNELS": "avito,icq"}, "ELDOLEADO_CHANNELS names icq; known: avito, whatsapp"),
        ({"API_KEYS": "somebody=x"}, "API_KEYS has no key for 'orchestrator'"),
        ({"SANDBOX_PORT": "many"}, "SANDBOX_PORT is 'many': set it to a port"),
        ({"ELDOLEADO_PG_BIN": "/nowhere"}, "ELDOLEADO_PG_BIN leads to /nowhere/postgres"),
        ({"ELDOLEADO_PG_BIN": "/usr/bin/true"}, "ELDOLEADO_PG_BIN leads to"),
        ({"REDIS_URL": "redis://:hidden@127.0.0.1:1/0"}, "correct REDIS_URL or start that server"),
        ({"DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/d"}, "correct DATABASE_URL or start that"),
        ({"ELDOLEADO_STATE": "/proc/nowhere"}, "The state folder /proc/nowhere cannot be made"),
    ],
)
def test_bad_settings_are_told_in_one_sentence(
    launched: Launched, variables: dict[str, str], told: str
) -> None:
    launched.state = Path(variables.get("ELDOLEADO_STATE", launched.state))
    launched.start(**variables)

    assert launched.process.wait(30) == 1
    assert told in launched.said()
    assert "Traceback" not in launched.said()
    assert "hidden" not in launched.said()
