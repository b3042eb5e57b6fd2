"""A copy of the project in which a mistake may be made."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant

#: Longer than any named test takes; one that hangs has not noticed anything.
_SECONDS = 600
_TESTS_FAILED = 1


@dataclass(frozen=True, slots=True)
class Tried:
    """How the tests ended: `passed`, the ids of those that `failed`, or the `trouble` that let none run."""

    passed: bool
    failed: tuple[str, ...] = ()
    trouble: str = ""


class Tree:
    """The project's files as they stand here, uncommitted ones too, with this Python."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in _project_files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        (folder / ".venv").symlink_to(Path(sys.prefix))

    @contextmanager
    def with_mistake(self, mutant: Mutant) -> Iterator[None]:
        """The change is made, and taken back afterwards."""
        path = self._folder / mutant.file
        right = path.read_text("utf-8")
        try:
            self._write(path, right.replace(mutant.old, mutant.new))
            yield
        finally:
            self._write(path, right)

    def run_tests(self, tests: Sequence[str], *options: str) -> Tried:
        """Run these tests in the copy."""
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
        runner = subprocess.Popen(
            [*command, *options, *tests],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = runner.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(runner.pid, signal.SIGKILL)
            runner.communicate()
            return Tried(passed=False, trouble=f"no end after {_SECONDS} s")
        return _understood(runner.returncode, said)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()  # it is told from the new text by size and second only


def _project_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _understood(code: int, said: str) -> Tried:
    failed = tuple(_test_id(line) for line in said.splitlines() if line.startswith("FAILED "))
    if code == 0:
        return Tried(passed=True)
    if code == _TESTS_FAILED and failed:
        return Tried(passed=False, failed=failed)
    last_words = " / ".join(said.strip().splitlines()[-3:])
    return Tried(passed=False, trouble=last_words or f"pytest ended with {code}")


def _test_id(line: str) -> str:
    return line.removeprefix("FAILED ").partition(" - ")[0]
