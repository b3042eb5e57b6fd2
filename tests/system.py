"""The whole system as real processes on free ports, for end-to-end and chaos tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from core.registry import SERVICES, Service, service
from launcher.addresses import Addresses
from launcher.keyring import open_keyring
from launcher.surroundings import Surroundings

_PROJECT = Path(__file__).parent.parent
_START_SECONDS = 120.0
_QUICK = {
    "AVITO_REQUESTS_PER_SECOND": "1000",
    "AVITO_BURST": "1000",
    "SANDBOX_WEBHOOK_RETRIES": "0.2,0.5,1,1,2,2,5",
    "SILENCE_SECONDS": "1",
    "LONGEST_SECONDS": "10",
    "BATCH_LEASE_SECONDS": "3",
    "DELIVERY_LEASE_SECONDS": "3",
    "SEND_SECONDS": "4",
    "TURN_LEASE_SECONDS": "5",
    "SWEEP_SECONDS": "0",
}


class System:
    """Starts, kills and asks the services; ends only processes that it started.

    Its variables are those of `eldoleado run`, but for quicker timing. `channels` are the messengers that it
    has; each meets its simulation.
    """

    def __init__(
        self,
        folder: Path,
        *,
        redis_url: str,
        database_url: str,
        channels: tuple[str, ...] = ("avito",),
        **settings: str,
    ) -> None:
        self.folder = folder
        self.ports = {one.name: _free_port() for one in SERVICES}
        keyring = open_keyring(folder)
        self.keys = {
            name: keyring[f"{name.upper()}_API_KEY"] for name in ("operator", "orchestrator", "agent")
        }
        self.webhook_secret = keyring["AVITO_WEBHOOK_SECRET"]
        self._around = Surroundings(
            caller={**_inherited(), **_QUICK, **settings},
            addresses=Addresses(self.ports, redis=0, postgres=0),
            keyring=keyring,
            redis_url=redis_url,
            database_url=database_url,
            state=folder,
            channels=channels,
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._told: dict[str, dict[str, str]] = {}
        self.http = httpx.Client(timeout=20, headers={"X-API-Key": self.keys["operator"]})

    def url(self, name: str) -> str:
        """Where a service listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def tell(self, name: str, **settings: str) -> None:
        """Further variables of one service alone; they win over those of all."""
        self._told[name] = self._told.get(name, {}) | settings

    def add_sandbox(self, name: str, **settings: str) -> None:
        """One more sandbox, called `sandbox-…`: a sandbox plays one account of a messenger."""
        self.add_replica(name, **settings)
        self.tell(name, SANDBOX_PORT=str(self.ports[name]))

    def add_replica(self, name: str, **settings: str) -> None:
        """One more process of a service, called `{service}-…`."""
        self.ports[name] = _free_port()
        spool = self.folder / "spool" / name
        self.tell(name, PORT=str(self.ports[name]), SPOOL_DIR=str(spool), **settings)

    def start(self, *names: str) -> None:
        """Start services and wait until each answers /health."""
        for name in names:
            self._spawn(name)
        for name in names:
            if name in self.ports:
                self._await_health(name)

    def start_all(self, *, agent: bool = False) -> None:
        """Migrate, start what does not run yet, await the subscriptions, start the demo agent if wanted."""
        self.migrate()
        self.start(*(one.name for one in self._around.services if one.name not in self._processes))
        for channel in self._around.served:
            self.await_subscription(channel.name)
        if agent:
            self.start("agent")

    def migrate(self) -> None:
        """Bring the database to our schema."""
        self._run("orchestrator.store.migrate")

    def await_subscription(self, name: str = "mcp_avito") -> None:
        """Wait until the channel has seen to it that its messenger delivers to it."""
        for _ in patiently(_START_SECONDS):
            accounts = self.get(name, "/health")["accounts"].values()
            if all(account["healthy"] for account in accounts):
                return
        raise AssertionError(f"{name} is not subscribed: {self.get(name, '/info')['accounts']}")

    def kill(self, name: str) -> None:
        """kill -9, and wait until the process is gone."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(10)

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(30)

    def close(self) -> None:
        """End everything."""
        self.http.close()
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(10)

    def log(self, name: str) -> str:
        """What the service has written so far."""
        return (self.folder / f"{name}.log").read_text()

    def logged(self, name: str, event: str) -> list[dict[str, Any]]:
        """The service's log lines of that event."""
        lines = [json.loads(line) for line in self.log(name).splitlines() if f'"{event}"' in line]
        return [line for line in lines if line["event"] == event]

    def get(self, name: str, path: str, **query: Any) -> Any:
        """GET as the operator; the parsed answer."""
        return self.http.get(self.url(name) + path, params=query).raise_for_status().json()

    def post(self, name: str, path: str, body: Any) -> Any:
        """POST as the operator; the parsed answer."""
        return self.http.post(self.url(name) + path, json=body).raise_for_status().json()

    def write(
        self, customer: str, channel: str = "avito", *, sandbox: str = "sandbox", **message: Any
    ) -> Any:
        """The customer writes on a simulated messenger."""
        return self.post(sandbox, f"/control/{channel}/customers/{customer}/messages", message)

    def seen_by(
        self, customer: str, channel: str = "avito", *, sandbox: str = "sandbox"
    ) -> list[dict[str, Any]]:
        """What the customer sees of our side, oldest first."""
        shown = self.get(sandbox, f"/control/{channel}/customers/{customer}/messages")["messages"]
        return [message for message in shown if message["direction"] == "out"]

    def environment(self, name: str) -> dict[str, str]:
        """The variables that a service is started with."""
        return self._usual(name) | self._told.get(name, {})

    def _usual(self, name: str) -> dict[str, str]:
        if name == "agent":
            return self._around.of_agent()
        return self._around.of_service(_service(name)) if name else self._around.of_migration()

    def _spawn(self, name: str) -> None:
        module = "examples.agent" if name == "agent" else _service(name).package
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=_PROJECT,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _run(self, module: str) -> None:
        command = [sys.executable, "-m", module]
        done = subprocess.run(command, cwd=_PROJECT, env=self.environment(""), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _await_health(self, name: str) -> None:
        for _ in patiently(_START_SECONDS):
            assert self._processes[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
            try:
                if self.http.get(f"{self.url(name)}/health").is_success:
                    return
            except httpx.TransportError:
                continue
        raise AssertionError(f"{name} is not healthy:\n{self.log(name)[-3000:]}")


@contextmanager
def running(system: System) -> Iterator[System]:
    """The system, ended at the end."""
    try:
        yield system
    finally:
        system.close()


def patiently(seconds: float, *, every: float = 0.05) -> Iterator[None]:
    """Ticks for a condition of another process, which has no event to wait for; ends after `seconds`."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield
        time.sleep(every)


def _service(name: str) -> Service:
    return service(name.partition("-")[0])


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
