"""The whole system as real processes on free ports, for end-to-end and chaos tests."""

import os
import secrets
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

from core.registry import SERVICES, service

_PROJECT = Path(__file__).parent.parent
_START_SECONDS = 40.0


class System:
    """Starts, kills and asks the services; ends only processes that it started."""

    def __init__(self, folder: Path, *, redis_url: str, database_url: str, **settings: str) -> None:
        self.folder = folder
        self.ports = {one.name: _free_port() for one in SERVICES}
        self.keys = {name: secrets.token_urlsafe(24) for name in ("operator", "orchestrator", "agent")}
        self.webhook_secret = secrets.token_urlsafe(32)
        self._environment = self._settings(redis_url, database_url) | settings
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(timeout=20, headers={"X-API-Key": self.keys["operator"]})

    def url(self, name: str) -> str:
        """Where a service listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, *names: str) -> None:
        """Start services and wait until each answers /health."""
        for name in names:
            self._spawn(name)
        for name in names:
            if name in self.ports:
                self._await_health(name)

    def start_all(self, *, agent: bool = False) -> None:
        """Migrate, start every service, subscribe the webhook, and start the demo agent if wanted."""
        self._run("orchestrator.store.migrate")
        self.start(*self.ports)
        self.subscribe()
        if agent:
            self.start("agent")

    def subscribe(self) -> None:
        """Have the simulated Avito deliver to our channel."""
        url = f"{self.url('mcp_avito')}/webhook/avito/default/{self.webhook_secret}"
        self.post("mcp_avito", "/api/webhook/subscribe", {"url": url})

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

    def get(self, name: str, path: str, **query: Any) -> Any:
        """GET as the operator; the parsed answer."""
        return self.http.get(self.url(name) + path, params=query).raise_for_status().json()

    def post(self, name: str, path: str, body: Any) -> Any:
        """POST as the operator; the parsed answer."""
        return self.http.post(self.url(name) + path, json=body).raise_for_status().json()

    def write(self, customer: str, **message: Any) -> Any:
        """The customer writes on the simulated Avito."""
        return self.post("sandbox", f"/control/avito/customers/{customer}/messages", message)

    def seen_by(self, customer: str) -> list[dict[str, Any]]:
        """What the customer sees of our side, oldest first."""
        shown = self.get("sandbox", f"/control/avito/customers/{customer}/messages")["messages"]
        return [message for message in shown if message["direction"] == "out"]

    def environment(self, name: str) -> dict[str, str]:
        """The variables that a service is started with."""
        port = {"PORT": str(self.ports[name])} if name in self.ports else {}
        spool = {"SPOOL_DIR": str(self.folder / "spool" / name)}
        return {**_inherited(), **self._environment, **port, **spool}

    def _settings(self, redis_url: str, database_url: str) -> dict[str, str]:
        client_id, client_secret = "sandbox-shop", secrets.token_urlsafe(24)
        return {
            "HOST": "127.0.0.1",
            "REDIS_URL": redis_url,
            "DATABASE_URL": database_url,
            "API_KEYS": ",".join(f"{name}={key}" for name, key in self.keys.items()),
            "CHANNEL_API_KEY": self.keys["orchestrator"],
            "MCP_AVITO_URL": self.url("mcp_avito"),
            "AVITO_CLIENT_ID": client_id,
            "AVITO_CLIENT_SECRET": client_secret,
            "AVITO_WEBHOOK_SECRET": self.webhook_secret,
            "AVITO_BASE_URL": f"{self.url('sandbox')}/avito",
            "AVITO_REQUESTS_PER_SECOND": "1000",
            "AVITO_BURST": "1000",
            "SANDBOX_AVITO_CLIENT_ID": client_id,
            "SANDBOX_AVITO_CLIENT_SECRET": client_secret,
            "SANDBOX_PORT": str(self.ports["sandbox"]),
            "SANDBOX_WEBHOOK_RETRIES": "0.2,0.5,1,1,2,2,5",
            "HUB_URL": f"{self.url('orchestrator')}/mcp",
            "HUB_API_KEY": self.keys["agent"],
            "SILENCE_SECONDS": "1",
            "LONGEST_SECONDS": "10",
            "BATCH_LEASE_SECONDS": "3",
            "DELIVERY_LEASE_SECONDS": "3",
            "SEND_SECONDS": "4",
            "TURN_LEASE_SECONDS": "5",
        }

    def _spawn(self, name: str) -> None:
        module = "examples.agent" if name == "agent" else service(name).package
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


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
