"""Operator commands: what they ask of the hub, what they show, and how they fail."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from launcher.__main__ import main
from launcher.command import YES, Command, Desk, add_commands, confirmed, given_of, option, word
from launcher.commands import COMMANDS
from launcher.errors import HubAway, HubRefused, KeyRefused, LauncherError, NotFoundThere
from launcher.hub_client import HubClient, operator_key
from launcher.keyring import open_keyring
from launcher.ports import free_port
from launcher.settings import LauncherSettings
from launcher.shown import record, rows

KEY = "0123456789abcdef0123"


def desk(answer: Callable[[httpx.Request], httpx.Response], *, says: bool = False) -> Desk:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Desk(HubClient("http://hub", KEY, http), lambda question: says)


SHOW = Command("client show", "who", "GET", "/api/clients/{client_id}", (word("client_id", "id"),))
MERGE = Command(
    "client merge",
    "join",
    "POST",
    "/api/clients/{client_id}/merge",
    (word("client_id", "id"), option("--into", "the other"), option("--dry-run", "n")),
)


def parsed(*argv: str) -> tuple[Command, dict[str, Any]]:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(), (SHOW, MERGE), lambda _: None)
    options = parser.parse_args(argv)
    return options.operator_command, given_of(options.operator_command, options)


def test_arguments_go_into_the_path_and_the_body_under_the_operators_key() -> None:
    asked: list[httpx.Request] = []

    def hub(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"ok": True})

    command, given = parsed("client", "merge", "a/b", "--into", "7")
    assert command.carry_out(desk(hub), given) == {"ok": True}
    assert asked[0].url.raw_path == b"/api/clients/a%2Fb/merge"
    assert json.loads(asked[0].content) == {"into": "7"}
    assert asked[0].headers["x-api-key"] == KEY


def test_arguments_of_a_question_go_into_the_query() -> None:
    command = Command("x", "y", "GET", "/api/x", (option("--older-than-hours", "h", type=float),))
    seen: dict[str, str] = {}

    def hub(request: httpx.Request) -> httpx.Response:
        seen.update(request.url.params)
        return httpx.Response(200, json={})

    command.carry_out(desk(hub), {"older_than_hours": 2.5})
    assert seen == {"older_than_hours": "2.5"}


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, {"detail": "No valid key."}, KeyRefused, "OPERATOR_API_KEY"),
        (404, {"detail": "There is no letter x."}, NotFoundThere, "There is no letter x."),
        (
            422,
            {"detail": "Wrong.", "errors": [{"field": "limit", "message": "too many"}]},
            HubRefused,
            "Wrong. limit: too many.",
        ),
        (503, {"detail": "Redis does not answer."}, HubAway, "Redis does not answer."),
        (502, "<html>", HubAway, "answered 502"),
        (200, "<html>", HubRefused, "answered 200"),
    ],
)
def test_each_refusal_has_its_error(status: int, body: Any, error: type[LauncherError], words: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(error) as refused:
        desk(lambda _: httpx.Response(status, text=content)).hub.ask("GET", "/x", {})
    assert words in str(refused.value)
    assert KEY not in str(refused.value)


def test_every_kind_of_failure_ends_with_a_code_of_its_own() -> None:
    """A script tells them apart; 2 is argparse's."""
    codes = [one.exit_code for one in (LauncherError, HubAway, KeyRefused, NotFoundThere, HubRefused)]
    assert codes == [1, 3, 4, 5, 6]


def test_a_hub_that_is_away_is_named_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPERATOR_API_KEY", KEY)
    monkeypatch.setenv("ELDOLEADO_HUB_URL", f"http://127.0.0.1:{free_port()}")
    assert main(["dead", "list", "--state", str(tmp_path)]) == HubAway.exit_code
    told = capsys.readouterr()
    assert "set ELDOLEADO_HUB_URL" in told.err
    assert told.out == ""


def test_the_key_is_the_callers_or_that_of_the_run(tmp_path: Path) -> None:
    settings = LauncherSettings(state=tmp_path)
    with pytest.raises(LauncherError, match="set OPERATOR_API_KEY"):
        operator_key(settings, {})
    kept = open_keyring(tmp_path)["OPERATOR_API_KEY"]
    assert operator_key(settings, {}) == kept
    assert operator_key(settings, {"API_KEYS": f"agent=x,operator={KEY}"}) == KEY
    assert operator_key(settings, {"API_KEYS": f"agent=x, operator:operator:read_only={KEY}"}) == KEY
    assert operator_key(settings, {"OPERATOR_API_KEY": KEY, "API_KEYS": "operator=other"}) == KEY


def test_what_takes_away_asks_first() -> None:
    command = Command("x", "y", "POST", "/api/x", (YES,))
    nobody = desk(lambda _: httpx.Response(200, json={}))
    with pytest.raises(LauncherError, match="Nothing was done"):
        confirmed(nobody, {}, "All of them?")
    given: dict[str, Any] = {"yes": True}
    confirmed(nobody, given, "All of them?")
    assert command.carry_out(nobody, given) == {}
    confirmed(desk(lambda _: httpx.Response(200), says=True), {}, "All of them?")


def test_an_export_saves_the_files_that_still_open_and_says_where(tmp_path: Path) -> None:
    """Asked of this hub under the links' paths, whatever host they name, and without the operator's key."""
    command = next(one for one in COMMANDS if one.name == "clients export")
    asked: list[httpx.Request] = []
    listed = [
        {"hash": "a" * 64, "media_type": "image/jpeg", "url": "https://elsewhere.example/media/1.sign"},
        {"hash": "b" * 64, "media_type": "audio/ogg", "url": "/media/2.sign"},
        {"hash": "c" * 64, "media_type": "image/png", "url": ""},
    ]

    def hub(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path.startswith("/api/"):
            return httpx.Response(200, json={"client_id": "7", "files": listed})
        if request.url.path == "/media/1.sign":
            return httpx.Response(200, content=b"\xff\xd8 picture")
        return httpx.Response(404, json={"detail": "There is no such file, or no longer."})

    folder = tmp_path / "anna" / "files"
    answer = command.carry_out(desk(hub), {"client_id": "7", "files": str(folder)})

    assert [one["saved_as"] for one in answer["files"]] == [f"{'a' * 64}.jpg", "", ""]
    assert [one.name for one in folder.iterdir()] == [f"{'a' * 64}.jpg"]
    assert (folder / f"{'a' * 64}.jpg").read_bytes() == b"\xff\xd8 picture"
    assert [str(one.url) for one in asked] == [
        "http://hub/api/clients/7/export",
        "http://hub/media/1.sign",
        "http://hub/media/2.sign",
    ]
    assert ["x-api-key" in one.headers for one in asked] == [True, False, False]


def test_files_of_an_export_that_cannot_be_saved_are_an_error(tmp_path: Path) -> None:
    command = next(one for one in COMMANDS if one.name == "clients export")
    (tmp_path / "file").write_text("in the way")
    file = {"hash": "a" * 64, "media_type": "image/jpeg", "url": "/media/1.sign"}

    def hub(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"client_id": "7", "files": [file]})

    with pytest.raises(LauncherError, match="cannot be written"):
        command.carry_out(desk(hub), {"client_id": "7", "files": str(tmp_path / "file")})


def test_lists_are_tables_and_strangers_words_stay_in_their_cell() -> None:
    """A line break or an escape sequence of a customer must not draw on the operator's screen."""
    show = rows("letters", "letter_id", "detail_untrusted", empty="None.")
    answer = {
        "letters": [{"letter_id": "1", "detail_untrusted": "a\nb\x1b[2J\u202e"}, {"letter_id": "22"}],
        "next_cursor": "c",
    }
    assert list(show(answer)) == ["letter_id  detail", "1          a b[2J", "22", "More: --cursor c"]
    assert list(show({"letters": [], "next_cursor": ""})) == ["None."]


def test_a_record_shows_what_says_something() -> None:
    answer = {"id": 7, "name": "", "sure": True, "ids": ["a", "b"], "at": {"x": 1, "y": ""}}
    assert list(record(answer)) == ["id    7", "sure  yes", "ids   a; b", "at    x 1"]
