"""`eldoleado trace`: what happened to a message, from the webhook to the read receipt."""

from collections.abc import Iterator
from typing import Any

from launcher.command import Command, Desk, Given, option, word
from launcher.errors import LauncherError
from launcher.hub_client import Answer
from launcher.shown import record, rows

_COLUMNS = ("at", "stage", "until", "by", "attempt", "times", "code", "about", "detail_untrusted")
_TABLES = ("stages", "dead_letters")
_MESSAGE = ("channel", "chat_id", "message_id")


def _trace(command: Command, desk: Desk, given: Given) -> Answer:
    named = [name for name in _MESSAGE if name in given]
    if len(named) not in (0, len(_MESSAGE)) or not (named or "turn_id" in given or "delivery_id" in given):
        raise LauncherError("Name a channel, a chat and a message; or --turn-id, or --delivery-id.")
    return command.ask(desk, given)


def _show(answer: dict[str, Any]) -> Iterator[str]:
    yield from record({name: value for name, value in answer.items() if name not in _TABLES})
    lines = [{**line, "attempt": line.get("attempt") or ""} for line in answer.get("stages", [])]
    for line in lines:
        line["times"] = line["times"] if line.get("times", 1) != 1 else ""
    yield from rows("stages", *_COLUMNS)({"stages": lines})
    if answer.get("dead_letters"):
        yield "Dead letters:"
        yield from rows("dead_letters", "letter_id", "at", "door", "reason", "replayed_at")(answer)


COMMANDS = (
    Command(
        "trace",
        "what happened to a message, from the webhook to the read receipt",
        "GET",
        "/api/trace",
        (
            word("channel", "such as avito", nargs="?"),
            word("chat_id", "the chat", nargs="?"),
            word("message_id", "the vendor's id, either side's", nargs="?"),
            option("--account", "which account of the channel"),
            option("--turn-id", "instead: every message of a turn"),
            option("--delivery-id", "instead: what we sent"),
        ),
        _show,
        _trace,
    ),
)
