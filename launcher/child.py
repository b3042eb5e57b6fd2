"""One process of ours: logs to a file, dies with us, and can be stopped in bounded time."""

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LONGEST_LINE = 300


@dataclass(frozen=True)
class Identity:
    """As whom a child runs: a command in front of its own, or another user id."""

    prefix: tuple[str, ...] = ()
    user: int | None = None

    def run(self, argv: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603 - our own engines
            [*self.prefix, *argv],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )


OURSELVES = Identity()


@dataclass
class Child:
    """Start it from the main thread: the kernel ties a child's life to the thread that made it."""

    name: str
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or before its first start."""
        return self._process.poll() if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.exit_code or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        identity: Identity = OURSELVES,
        cwd: Path | None = None,
    ) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own services and engines
                [*identity.prefix, *self._dies_with_us(), *argv],
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
                user=identity.user,
                group=identity.user,
                extra_groups=None if identity.user is None else [],
            )

    def wait(self) -> int:
        """Until it ends; its exit code."""
        return self._process.wait() if self._process else 0

    def ask_to_stop(self) -> None:
        if self._process:
            self._process.send_signal(self.stop_signal)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self, patience: float = 10.0) -> None:
        """Ask, ask again (Redis may refuse once while it rewrites its log), then kill."""
        for _ in range(4):
            if not self.alive:
                return
            self.ask_to_stop()
            if self._ended_within(patience / 4):
                return
        self.kill()

    def last_words(self, lines: int = 5) -> str:
        if not self.log.exists():
            return ""
        tail = self.log.read_bytes()[-8192:].decode(errors="replace")
        return "\n".join(f"  {_end_of(line)}" for line in tail.splitlines()[-lines:])

    def _ended_within(self, seconds: float) -> bool:
        assert self._process  # noqa: S101 - only called on a started child
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _dies_with_us(self) -> tuple[str, ...]:
        setpriv = shutil.which("setpriv")  # util-linux; elsewhere a kill -9 of ours leaves the child behind
        return (setpriv, "--pdeathsig", self.stop_signal.name.removeprefix("SIG"), "--") if setpriv else ()


def _end_of(line: str) -> str:
    """A traceback in one line of JSON says at its end what happened."""
    return line if len(line) <= _LONGEST_LINE else f"…{line[-_LONGEST_LINE:]}"
