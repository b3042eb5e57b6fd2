"""As whom PostgreSQL runs: it refuses to be root.

Not root: as we are. Root with user namespaces: the same, but shown as uid 65534 inside, so nothing on disk
changes. Root without them: really uid 65534, on a copy of the server in a folder that this uid can reach.
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from launcher.child import OURSELVES, Identity
from launcher.errors import EngineError

NOBODY = 65534
_REACHABLE = Path("/var/tmp")  # noqa: S108 - the folder made there is checked to be ours
_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


@dataclass(frozen=True)
class Residence:
    """Where the server is, where its data are, and who runs it."""

    programs: Path
    data: Path
    identity: Identity
    copy: Path | None = None  # a folder outside the state folder, to be removed with it


def residence(state: Path, programs: Path) -> Residence:
    if os.geteuid() != 0:
        return Residence(programs, state / "postgres", OURSELVES)
    if namespaces_work():
        return Residence(programs, state / "postgres", Identity(prefix=_NAMESPACE))
    return copied_residence(state, programs)


def namespaces_work() -> bool:
    if shutil.which(_NAMESPACE[0]) is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603


def copied_residence(state: Path, programs: Path) -> Residence:
    copy = _REACHABLE / f"eldoleado-{hashlib.sha256(bytes(state)).hexdigest()[:16]}"
    _own(copy)
    package = programs.parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):  # its library path is relative
        if part.is_dir() and not (copy / part.name).exists():
            _copy_whole(part, copy / part.name)
    return Residence(
        programs=copy / package.name / programs.relative_to(package),
        data=_home_of_data(copy) / "postgres",
        identity=Identity(user=NOBODY),
        copy=copy,
    )


def _own(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise EngineError(f"{folder} belongs to somebody else: remove it and start again.")
    folder.chmod(0o755)  # whatever the umask says; the folder above is sticky, so it stays ours


def _copy_whole(source: Path, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished, symlinks=True)
    for folder in (unfinished, *unfinished.rglob("*")):
        if not folder.is_symlink():
            folder.chmod(folder.stat().st_mode | (0o055 if folder.is_dir() else 0o044))
    unfinished.rename(target)


def _home_of_data(copy: Path) -> Path:
    home = copy / "data"
    home.mkdir(exist_ok=True, mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    return home
