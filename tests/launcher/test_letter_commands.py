"""`eldoleado dead` and `trace`: what they ask of the hub and when they ask the person."""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from launcher.command import Desk, add_commands, given_of
from launcher.commands import COMMANDS
from launcher.errors import LauncherError
from launcher.hub_client import HubClient


class FakeHub:
    """Answers in order; remembers what was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        given = json.loads(request.content) if request.content else dict(request.url.params)
        self.asked.append((request.method, request.url.path, given))
        return httpx.Response(200, json=self._answers.pop(0))


def said(hub: FakeHub, *argv: str, yes: bool = False) -> list[str]:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(), COMMANDS, lambda _: None)
    options = parser.parse_args(argv)
    command = options.operator_command
    client = HubClient("http://hub", "k", httpx.Client(transport=httpx.MockTransport(hub)))
    answer = command.carry_out(Desk(client, lambda _: yes), given_of(command, options))
    return list(command.show(answer))


def test_a_letter_is_shown_whole_and_its_words_cannot_draw_on_the_screen() -> None:
    letter = {
        "letter_id": "1",
        "reason": "r",
        "payload_untrusted": 'a\x1b[2J\n"b"',
        "original_untrusted": "o",
    }
    hub = FakeHub(letter)
    assert said(hub, "dead", "show", "1") == [
        "letter_id  1",
        "reason     r",
        "--- payload ---",
        "a[2J",
        '"b"',
        "--- original ---",
        "o",
    ]
    assert hub.asked == [("GET", "/api/dead-letters/1", {})]


def test_an_edit_sends_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new.json"
    file.write_text('{"a": "ж"}', "utf-8")
    hub = FakeHub({"edited": 1}, {"edited": 1})
    assert said(hub, "dead", "edit", "1", str(file)) == ["edited: 1"]
    monkeypatch.setattr("sys.stdin", io.StringIO("typed"))
    said(hub, "dead", "edit", "1", "-")
    assert [given for _, _, given in hub.asked] == [
        {"letter_id": "1", "payload": '{"a": "ж"}'},
        {"letter_id": "1", "payload": "typed"},
    ]
    with pytest.raises(LauncherError, match="cannot be read"):
        said(hub, "dead", "edit", "1", str(tmp_path / "nothing"))


def test_a_replay_tells_what_waits_on() -> None:
    hub = FakeHub({"replayed": 2, "refused": [{"letter_id": "3", "why_untrusted": "w"}], "more": True})
    assert said(hub, "dead", "replay", "--door", "incoming") == [
        "replayed: 2",
        "waits on: 3: w",
        "There are more: repeat the command.",
    ]
    assert hub.asked == [("POST", "/api/dead-letters/replay", {"door": "incoming"})]


def test_a_purge_counts_asks_and_only_then_drops() -> None:
    hub = FakeHub({"would_purge": 7})
    with pytest.raises(LauncherError, match="Nothing was done"):
        said(hub, "dead", "purge", "--older-than-hours", "24")
    assert hub.asked == [("POST", "/api/dead-letters/purge", {"older_than_hours": 24})]

    for argv, yes in ((["--yes"], False), ([], True)):
        hub = FakeHub({"would_purge": 7}, {"purged": 7})
        assert said(hub, "dead", "purge", "--door", "outgoing", *argv, yes=yes) == ["purged: 7"]
        assert hub.asked[1][2] == {"door": "outgoing", "confirm": True}

    assert said(FakeHub({"would_purge": 0}), "dead", "purge", "--door", "outgoing") == ["Nothing matches."]


def test_a_trace_shows_stages_in_a_table_and_what_comes_next() -> None:
    stage = {"at": "t1", "stage": "received", "about": "m", "times": 3, "attempt": 0}
    hub = FakeHub({"turn_id": "7", "now": ["The turn waits."], "stages": [stage, {**stage, "times": 1}]})
    lines = said(hub, "trace", "avito", "c1", "m1")
    assert hub.asked == [("GET", "/api/trace", {"channel": "avito", "chat_id": "c1", "message_id": "m1"})]
    assert lines[:2] == ["turn_id  7", "now      The turn waits."]
    assert [line.split() for line in lines[3:]] == [["t1", "received", "3", "m"], ["t1", "received", "m"]]

    with pytest.raises(LauncherError, match="Name a channel"):
        said(FakeHub(), "trace", "avito", "c1")
    hub = FakeHub({})
    said(hub, "trace", "--turn-id", "7")
    assert hub.asked == [("GET", "/api/trace", {"turn_id": "7"})]
