"""Root without user namespaces: PostgreSQL on a copy of its own."""

import os
import shutil
from pathlib import Path

import pytest

from launcher.binaries import postgres_server
from launcher.child import OURSELVES
from launcher.errors import EngineError
from launcher.ports import free_port
from launcher.postgres_engine import PostgresEngine
from launcher.postgres_user import NOBODY, copied_residence, residence

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")


@as_root
def test_without_namespaces_the_server_runs_as_nobody_and_keeps_its_data(tmp_path: Path) -> None:
    engine = PostgresEngine(tmp_path, postgres_server(), free_port(), live_at=copied_residence)
    try:
        engine.start()
        assert os.stat(f"/proc/{engine.child.pid}").st_uid == NOBODY
        engine.stop()
        engine.start()
    finally:
        engine.stop()
        copy = engine.home.copy
        engine.discard()
    assert copy
    assert not copy.exists()


@as_root
def test_a_copy_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    copy = copied_residence(tmp_path, postgres_server().parent).copy
    assert copy
    os.chown(copy, NOBODY, NOBODY)
    try:
        with pytest.raises(EngineError, match="belongs to somebody else"):
            copied_residence(tmp_path, postgres_server().parent)
    finally:
        shutil.rmtree(copy)


@pytest.mark.skipif(os.geteuid() == 0, reason="about everybody else")
def test_who_is_not_root_runs_it_as_it_is(tmp_path: Path) -> None:
    assert residence(tmp_path, tmp_path).identity == OURSELVES
