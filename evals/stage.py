"""The real system for the evals: `eldoleado run` in a folder of its own, on free ports, with quick turns."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.registry import CHANNELS, SERVICES
from evals.ear import MODEL, ear
from evals.loopback import listening
from evals.settings import of_system
from launcher.child import Child
from launcher.keyring import open_keyring
from launcher.ports import LOOPBACK, free_port

SILENCE = 2.0
_PROJECT = Path(__file__).parent.parent
_START_SECONDS = 180.0
_IS_UP = "Everything is up"
_SETTINGS = {
    "SILENCE_SECONDS": f"{SILENCE:g}",
    "LONGEST_SECONDS": "30",
    "SWEEP_SECONDS": "0",
    "LOG_LEVEL": "WARNING",
    "ELDOLEADO_AGENT": "off",
    **{
        f"{channel.channel.upper()}_{what}": "1000"
        for channel in CHANNELS
        for what in ("REQUESTS_PER_SECOND", "BURST")
    },
}


class NotStarted(Exception):
    """The system or the agent did not start; the text has their last words."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A system that is up."""

    sandbox: str
    hub: str
    operator_key: str
    agent_key: str

    @property
    def of_agent(self) -> dict[str, str]:
        """The variables by which an agent finds the hub."""
        return {"HUB_URL": f"{self.hub}/mcp", "HUB_API_KEY": self.agent_key}


@contextmanager
def stage(folder: Path, channels: Iterable[str]) -> Iterator[Stage]:
    """Everything up with these messengers, and voice notes heard; stopped at the end. Raises NotStarted."""
    ports = {one: free_port() for one in SERVICES}
    with listening(ear()) as url:
        settings = {
            **of_system(),
            **_SETTINGS,
            **{one.port_variable: str(port) for one, port in ports.items()},
            "ELDOLEADO_STATE": str(folder),
            "ELDOLEADO_CHANNELS": ",".join(sorted(set(channels))),
            "ELDOLEADO_REDIS_PORT": str(free_port()),
            "ELDOLEADO_PG_PORT": str(free_port()),
            "TRANSCRIBE_URL": url,
            "TRANSCRIBE_MODEL": MODEL,
        }
        run = Child("eldoleado run", folder / "run.log")
        run.start([sys.executable, "-m", "launcher", "run"], settings, cwd=_PROJECT)
        try:
            _await_readiness(run)
            yield _found(folder, {one.name: port for one, port in ports.items()})
        finally:
            run.stop(40)


@contextmanager
def agent_at_work(command: list[str], settings: dict[str, str], log: Path) -> Iterator[Child]:
    """Any program that is an MCP client, ended at the end."""
    agent = Child("the agent", log)
    agent.start(command, settings, cwd=_PROJECT)
    try:
        yield agent
    finally:
        agent.stop()


def _await_readiness(run: Child) -> None:
    ends = time.monotonic() + _START_SECONDS
    while _IS_UP not in (run.log.read_text("utf-8") if run.log.exists() else ""):
        if not run.alive or time.monotonic() > ends:
            raise NotStarted(f"The system did not start:\n{run.last_words(15)}")
        time.sleep(0.1)


def _found(folder: Path, ports: dict[str, int]) -> Stage:
    keys = open_keyring(folder)
    return Stage(
        sandbox=f"http://{LOOPBACK}:{ports['sandbox']}",
        hub=f"http://{LOOPBACK}:{ports['orchestrator']}",
        operator_key=keys["OPERATOR_API_KEY"],
        agent_key=keys["AGENT_API_KEY"],
    )
