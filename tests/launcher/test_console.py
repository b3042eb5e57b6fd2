"""What a person sees of the logs."""

import io
from pathlib import Path

import pytest

from launcher.console import Console
from launcher.log_lines import LogFollower, shown


@pytest.mark.parametrize(
    ("line", "everything", "seen"),
    [
        ('{"event": "started", "level": "info", "timestamp": "now"}', False, None),
        ('{"event": "started", "level": "info", "timestamp": "now"}', True, "started"),
        ('{"event": "away", "level": "warning", "service": "x", "for": 3}', False, "warning away for=3"),
        ('{"event": "turn", "level": "info", "text": "Здравствуйте"}', True, "turn text=Здравствуйте"),
        ("INFO:     started", False, None),
        ("WARNING:  slow", False, "WARNING:  slow"),
        ("answered: 42", True, "answered: 42"),
        ('{"event": "\\u001b[2J", "level": "error"}', False, "error \ufffd[2J"),
        ("{broken", False, None),
        ("[1, 2]", False, None),
    ],
)
def test_agents_are_heard_and_services_only_when_they_warn(
    line: str, everything: bool, seen: str | None
) -> None:
    assert shown(line, everything=everything) == seen


def test_a_follower_gives_whole_new_lines_only(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    follower = LogFollower(log)

    with log.open("a") as out:
        out.write("new\nhal")
        out.flush()
        assert follower.new_lines() == ["new"]
        out.write("f\n")
        out.flush()
        assert follower.new_lines() == ["half"]


def test_no_colours_outside_a_terminal() -> None:
    out = io.StringIO()
    Console(out).line("agent", "saw a turn")
    assert out.getvalue() == "agent        | saw a turn\n"
