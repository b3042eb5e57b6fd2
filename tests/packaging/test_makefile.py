"""`make` on machines that are not ready, and on one that is."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-uv.lock")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *arguments], cwd=clone, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("python", "told"),
    [
        ("#!/bin/sh\nexit 1\n", "Python 3.11 or newer is needed"),
        ('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', "apt-get install python3-venv"),
    ],
    ids=["old", "without venv"],
)
def test_an_unfit_python_is_told_in_one_sentence(clone: Path, python: str, told: str) -> None:
    unfit = clone / "python"
    unfit.write_text(python)
    unfit.chmod(0o755)

    done = make(clone, "run", f"PY={unfit}")

    assert done.returncode
    assert told in done.stdout


def test_no_python_is_told_in_one_sentence(clone: Path) -> None:
    assert "There is no python9: install Python 3.11" in make(clone, "run", "PY=python9").stdout


def test_a_ready_machine_installs_nothing_until_the_lock_changes(clone: Path) -> None:
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "uv"):
        (programs / name).touch()
    wanted = make(clone, "-n", "test").stdout
    assert "Installing the locked packages" in wanted
    stamp = next(line.split()[1] for line in wanted.splitlines() if line.startswith("touch "))
    (clone / stamp).touch()

    assert "Installing" not in make(clone, "-n", "test").stdout
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert "Installing the locked packages" in make(clone, "-n", "test").stdout
