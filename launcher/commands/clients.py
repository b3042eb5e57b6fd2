"""`eldoleado clients …`: who they are, merged and separated, told and forgotten."""

from pathlib import Path

from core.filetypes import extension_of
from launcher.command import PAGE, YES, Command, Desk, Given, confirmed, option, word
from launcher.errors import LauncherError, NotFoundThere
from launcher.hub_client import Answer
from launcher.shown import rows

_CLIENT = word("client_id", "the client's number")
_SUGGESTION = word("suggestion_id", "from `clients suggestions`")


def _erase(command: Command, desk: Desk, given: Given) -> Answer:
    client = given["client_id"]
    confirmed(desk, given, f"Erase client {client} everywhere, for good?")
    return command.ask(desk, {**given, "confirm": client})


def _export(command: Command, desk: Desk, given: Given) -> Answer:
    folder = given.pop("files", None)
    answer = command.ask(desk, given)
    if folder is None:
        return answer
    return {**answer, "files": [_saved(desk, Path(folder), file) for file in answer["files"]]}


def _saved(desk: Desk, folder: Path, file: Answer) -> Answer:
    """The file with `saved_as`, its name in the folder; "" when its link opens no more."""
    name = f"{file['hash']}.{extension_of(file['media_type'])}"
    try:
        content = desk.hub.file(file["url"]) if file["url"] else None
    except NotFoundThere:
        content = None
    if content is None:
        return {**file, "saved_as": ""}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / name).write_bytes(content)
    except OSError as error:
        raise LauncherError(f"{folder / name} cannot be written: {error.strerror}.") from error
    return {**file, "saved_as": name}


COMMANDS = (
    Command(
        "clients list",
        "clients by name, phone or handle, the newest first",
        "GET",
        "/api/clients",
        (option("--query", "part of a name, or a phone, e-mail or handle"), *PAGE),
        rows("clients", "client_id", "name_untrusted", "phone", "channels", empty="No clients."),
    ),
    Command("clients show", "who a client is", "GET", "/api/clients/{client_id}", (_CLIENT,)),
    Command(
        "clients suggestions",
        "pairs who may be one person",
        "GET",
        "/api/client-suggestions",
        (option("--which", "open (default), accepted or dismissed"), *PAGE),
        rows(
            "suggestions",
            "suggestion_id",
            "client_id",
            "client_name_untrusted",
            "other_id",
            "other_name_untrusted",
            "why",
            "detail_untrusted",
            empty="No suggestions.",
        ),
    ),
    Command(
        "clients accept",
        "a suggestion is right: merge the two",
        "POST",
        "/api/client-suggestions/{suggestion_id}/accept",
        (_SUGGESTION, option("--winner-id", "who stays (default: the older one)")),
    ),
    Command(
        "clients dismiss",
        "a suggestion is wrong: never make it again",
        "POST",
        "/api/client-suggestions/{suggestion_id}/dismiss",
        (_SUGGESTION,),
    ),
    Command(
        "clients merge",
        "make two clients one; it can be undone",
        "POST",
        "/api/client-merges",
        (word("winner_id", "who stays"), word("loser_id", "who becomes them"), option("--why", "the reason")),
    ),
    Command(
        "clients merges",
        "the merges of a client, the latest first",
        "GET",
        "/api/clients/{client_id}/merges",
        (_CLIENT, *PAGE),
        rows("merges", "merge_id", "winner_id", "loser_id", "merged_by", "merged_at", empty="No merges."),
    ),
    Command(
        "clients unmerge",
        "undo a merge",
        "POST",
        "/api/client-merges/{merge_id}/undo",
        (word("merge_id", "from `clients merges`"),),
    ),
    Command(
        "clients export",
        "everything that is kept of a client; --json for a file",
        "GET",
        "/api/clients/{client_id}/export",
        (_CLIENT, option("--files", "also save their files in this folder")),
        run=_export,
    ),
    Command(
        "clients erase",
        "forget a client everywhere, for good",
        "POST",
        "/api/clients/{client_id}/erase",
        (_CLIENT, YES),
        run=_erase,
    ),
)
