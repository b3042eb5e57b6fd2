"""`eldoleado clients …`: who they are, merged and separated, told and forgotten."""

from launcher.command import PAGE, YES, Command, Desk, Given, confirmed, option, word
from launcher.hub_client import Answer
from launcher.shown import rows

_CLIENT = word("client_id", "the client's number")
_SUGGESTION = word("suggestion_id", "from `clients suggestions`")


def _erase(command: Command, desk: Desk, given: Given) -> Answer:
    client = given["client_id"]
    confirmed(desk, given, f"Erase client {client} everywhere, for good?")
    return command.ask(desk, {**given, "confirm": client})


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
        (_CLIENT,),
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
        (_CLIENT,),
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
