"""An embedded Redis (or Valkey) server that keeps what it was told."""

import os
import signal
from pathlib import Path

from launcher.child import Child
from launcher.ports import LOOPBACK, answers, require_free
from launcher.readiness import wait_until


class RedisEngine:
    variable = "REDIS_URL"

    def __init__(self, state: Path, server: Path, port: int) -> None:
        self.port = port
        self._server = server
        self._home = state / "redis"
        self.child = Child("Redis", state / "redis.log", signal.SIGTERM)

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def require_port(self) -> None:
        require_free(self.port, owner="Redis", variable="ELDOLEADO_REDIS_PORT")

    def start(self) -> None:
        if self.child.alive:
            return
        self.require_port()
        self._home.mkdir(exist_ok=True, mode=0o700)
        self.child.start(self._command(), {"PATH": os.defpath, "LC_ALL": "C.UTF-8"})
        wait_until(self.child, self._is_ready, timeout=30)

    def stop(self) -> None:
        self.child.stop()

    def _command(self) -> list[str]:
        options = {
            "port": self.port,
            "bind": LOOPBACK,
            "dir": self._home,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "databases": 64,
        }
        return [
            str(self._server),
            *(part for name, value in options.items() for part in (f"--{name}", str(value))),
        ]

    def _is_ready(self) -> bool:
        return answers(self.port, b"PING\r\n", (b"+PONG",))  # -LOADING while it reads its log
