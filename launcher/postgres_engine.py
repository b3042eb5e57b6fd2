"""An embedded PostgreSQL server, made on its first start."""

import re
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from launcher.child import Child
from launcher.errors import EngineError
from launcher.ports import LOOPBACK, answers, require_free
from launcher.postgres_user import Residence, residence
from launcher.readiness import wait_until

OWNER = "omni"
_LOGIN = f"user\0{OWNER}\0database\0postgres\0\0".encode()
_LOGIN_MESSAGE = struct.pack("!ii", len(_LOGIN) + 8, 3 << 16) + _LOGIN  # protocol 3.0
_CHILDREN_NEED = 5.0  # seconds; after kill -9 of a server its children take up to 2 s to leave
_BUILTIN_LOCALE_SINCE = 17


class PostgresEngine:
    variable = "DATABASE_URL"

    def __init__(
        self,
        state: Path,
        server: Path,
        port: int,
        live_at: Callable[[Path, Path], Residence] = residence,
    ) -> None:
        self.port = port
        self.server = server
        self._state = state
        self._live_at = live_at
        self.child = Child("PostgreSQL", state / "postgres.log", signal.SIGINT)

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@{LOOPBACK}:{self.port}/postgres?sslmode=disable"

    @cached_property
    def home(self) -> Residence:
        return self._live_at(self._state, self.server.parent)

    def require_port(self) -> None:
        require_free(self.port, owner="PostgreSQL", variable="ELDOLEADO_PG_PORT")

    def start(self) -> None:
        if self.child.alive:
            return
        self.require_port()
        home = self.home
        self._make_data(home)
        deadline = time.monotonic() + _CHILDREN_NEED
        while not self._came_up(home, last_try=time.monotonic() > deadline):
            time.sleep(0.1)

    def stop(self) -> None:
        self.child.stop()

    def discard(self) -> None:
        """Remove what lies outside the state folder."""
        if self.home.copy:
            shutil.rmtree(self.home.copy, ignore_errors=True)

    def _came_up(self, home: Residence, *, last_try: bool) -> bool:
        self.child.start(self._command(home), _environment(home), home.identity)
        try:
            wait_until(self.child, self._is_ready, timeout=60)
        except EngineError:
            if last_try or self.child.alive:
                raise
            return False
        return True

    def _command(self, home: Residence) -> list[str]:
        options = {
            "port": self.port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": 100,
        }
        settings = (part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        return [str(home.programs / "postgres"), "-D", str(home.data), *settings]

    def _is_ready(self) -> bool:
        # "R" is the answer to a login; while it recovers after a crash it says "E", an error.
        return answers(self.port, _LOGIN_MESSAGE, (b"R",))

    def _make_data(self, home: Residence) -> None:
        major = _major_version(home.programs / "postgres")
        if home.data.exists():
            return _refuse_other_version(home.data, major)
        unfinished = home.data.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        made = home.identity.run(
            [str(home.programs / "initdb"), "-D", str(unfinished), *_initdb_options(major)],
            _environment(home),
        )
        if made.returncode:
            raise EngineError(f"PostgreSQL could not make its data folder:\n{made.stderr.strip()}")
        unfinished.rename(home.data)
        return None


def _environment(home: Residence) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(home.data.parent)}


def _initdb_options(major: int) -> list[str]:
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    locale = builtin if major >= _BUILTIN_LOCALE_SINCE else ["--locale=C.UTF-8"]
    return ["-U", OWNER, "--auth=trust", "--encoding=UTF8", "--no-instructions", *locale]


def _major_version(server: Path) -> int:
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\d+", said.stdout)
    if found is None:
        words = said.stderr.strip() or f"it ended with code {said.returncode} and said nothing"
        raise EngineError(f"{server} does not run ({words}): set ELDOLEADO_PG_BIN to one that does.")
    return int(found.group())


def _refuse_other_version(data: Path, major: int) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        raise EngineError(
            f"The data in {data} were made by PostgreSQL {made_by}, the server found is {major}: "
            "set ELDOLEADO_PG_BIN to the older one, or move the folder away to start empty."
        )
