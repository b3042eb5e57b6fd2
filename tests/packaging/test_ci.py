"""What `.ci/run` passes over, and what it never passes over: the programs that it calls are stand-ins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Notes what it was asked for, and fails where it is told to.
MAKE = '#!/bin/sh\necho "$*" >> made\n[ "$*" != "$FAILING" ]\n'
#: Stands for the index: `elsewhere` when it has Node.js for the machine that is named alone.
UV = """#!/bin/sh
case "$INDEX $*" in
  here*) ;;
  elsewhere*--python-platform*) ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    for name, program in {"bin/make": MAKE, "bin/python3": "#!/bin/sh\n", ".venv/bin/uv": UV}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(program)
        file.chmod(0o755)
    return tmp_path


def run(clone: Path, *, index: str = "here", failing: str = "nothing") -> tuple[int, list[str]]:
    """The exit code, and what was made."""
    path = f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}"
    around = {**os.environ, "PATH": path, "INDEX": index, "FAILING": failing}
    done = subprocess.run([clone / ".ci" / "run"], env=around, capture_output=True, timeout=30)
    return done.returncode, (clone / "made").read_text().splitlines()


def test_all_of_it_is_made(clone: Path) -> None:
    code, made = run(clone)

    assert code == 0
    assert [one for one in made if one != "browser"] == ["lint", "test", "conformance", "examples"]


@pytest.mark.parametrize("failing", ["lint", "test", "conformance", "examples"])
def test_whatever_fails_ends_it(clone: Path, failing: str) -> None:
    """Also an installation that fails: it is part of what needs it."""
    code, made = run(clone, failing=failing)

    assert code != 0
    assert made[-1] == failing


def test_only_a_machine_for_which_there_is_no_node_goes_without(clone: Path) -> None:
    code, made = run(clone, index="elsewhere")

    assert code == 0
    assert "conformance NODE=" in made
    assert "conformance" not in made


def test_an_index_that_is_away_is_no_reason_to_go_without(clone: Path) -> None:
    """Nor is a version that nobody has."""
    code, made = run(clone, index="away", failing="conformance")

    assert code != 0
    assert "conformance NODE=" not in made
