"""`eldoleado stdio`: one channel over stdio by itself, for a client that starts it and has only an account.

A channel remembers in Redis what it has sent. Unless REDIS_URL names one, it gets an embedded server of its
own; the secrets that nobody need choose are made and kept. Several clients may start the same channel: each
gets a folder of its own, the first free one. Nothing but the channel writes to stdout.
"""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from core.registry import CHANNELS, Service
from core.settings import load_one
from launcher.binaries import redis_server
from launcher.errors import LauncherError
from launcher.keyring import open_keyring
from launcher.ports import free_port, is_free
from launcher.redis_engine import RedisEngine
from launcher.settings import LauncherSettings, environment
from launcher.signals import Interrupted, interruptible
from launcher.state_folder import make_state_folder
from launcher.state_lock import StateLock
from launcher.vendors import vendor_of

#: A bundle is not installed: its packages lie in a folder that the client chose.
_OURS = Path(__file__).parents[1]
_MOST_AT_ONCE = 9
_PATIENCE = 5.0


def main(name: str) -> int:
    """The channel of that name; its exit code, or that of a LauncherError, which is told."""
    [channel] = [one for one in CHANNELS if one.channel == name]
    try:
        return serve_alone(channel, load_one(LauncherSettings), environment())
    except LauncherError as error:
        sys.stderr.write(f"eldoleado: {error}\n")
        return error.exit_code


def serve_alone(channel: Service, settings: LauncherSettings, environ: Mapping[str, str]) -> int:
    """Until stdin ends or a signal comes; the channel's exit code."""
    try:
        with interruptible(), ExitStack() as down:
            folder, port = _free_folder(_home(channel, settings), down)
            made = _secrets(channel, folder) | {"SPOOL_DIR": str(folder / "spool"), "PYTHONUTF8": "1"}
            if "REDIS_URL" not in environ:
                made["REDIS_URL"] = _redis(settings, folder, port, down)
            return _served(channel, {**made, **environ}, down)
    except Interrupted:
        return 0


def _home(channel: Service, settings: LauncherSettings) -> Path:
    """A client starts us in any folder, so the default is none of the current one."""
    chosen = "state" in settings.model_fields_set
    return settings.state if chosen else Path.home() / ".eldoleado" / channel.channel


def _free_folder(home: Path, down: ExitStack) -> tuple[Path, int]:
    """The first folder that nobody works in, and the port of its Redis.

    A folder keeps its port: where it is taken, the Redis of one that was killed still has the data.
    """
    for number in range(1, _MOST_AT_ONCE + 1):
        folder = make_state_folder(home / str(number))
        lock = StateLock(folder)
        try:
            lock.acquire()
        except LauncherError:
            continue
        port = _port_of(folder)
        if is_free(port):
            down.callback(lock.release)
            return folder, port
        lock.release()
    raise LauncherError(f"All {_MOST_AT_ONCE} folders in {home} are in use: stop a client that holds one.")


def _port_of(folder: Path) -> int:
    kept = folder / "redis.port"
    if not kept.exists():
        kept.write_text(str(free_port()))
    return int(kept.read_text())


def _secrets(channel: Service, folder: Path) -> dict[str, str]:
    """What the settings ask for and a client on stdio has no use for."""
    keyring = open_keyring(folder)
    kept = {name: keyring.fill(template) for name, template in vendor_of(channel.channel).kept.items()}
    return {"API_KEYS": keyring.api_keys, **kept}


def _redis(settings: LauncherSettings, folder: Path, port: int, down: ExitStack) -> str:
    engine = RedisEngine(folder, redis_server(settings.redis_server), port)
    down.callback(engine.stop)
    engine.start()
    return engine.url


def _served(channel: Service, environment: Mapping[str, str], down: ExitStack) -> int:
    command = [sys.executable, "-m", channel.package, "--stdio"]
    found = {**environment, "PYTHONPATH": str(_OURS)}
    process = subprocess.Popen(command, env=found)  # noqa: S603  # one of ours
    down.callback(_stop, process)
    return process.wait()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
