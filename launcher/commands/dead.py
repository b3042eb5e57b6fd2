"""`eldoleado dead …`: what nobody could read or send."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from launcher.command import PAGE, YES, Command, Desk, Given, confirmed, option, switch, word
from launcher.errors import LauncherError
from launcher.hub_client import Answer
from launcher.shown import lines_of, record, rows

_PATH = "/api/dead-letters"
_WHICH = (
    option("--door", "incoming, outgoing or webhook:{channel}"),
    option("--reason", "only of this reason"),
    option("--channel", "only of this channel"),
    option("--older-than-hours", "only letters older than this", type=float),
    switch("--replayed", "those already replayed, which are kept until purged"),
)
_LETTER = word("letter_id", "from `dead list`")
_ONE = word("letter_id", "from `dead list`; without it all that match", nargs="?")
_COLUMNS = ("letter_id", "at", "door", "reason", "channel", "account", "chat_id", "bytes", "detail_untrusted")
_PAYLOADS = (
    "payload_untrusted",
    "original_untrusted",
    "payload_base64_untrusted",
    "original_base64_untrusted",
)


def _whole(answer: dict[str, Any]) -> Iterator[str]:
    """The facts, then the payload: a stranger's words, so nothing of it can draw on the screen."""
    yield from record({name: value for name, value in answer.items() if name not in _PAYLOADS})
    for name in _PAYLOADS:
        if answer.get(name):
            yield f"--- {name.removesuffix('_untrusted')} ---"
            yield from lines_of(answer[name])


def _done(answer: dict[str, Any]) -> Iterator[str]:
    """What was done to how many, and what waits on."""
    for name in ("edited", "replayed", "recognised", "purged", "would_purge"):
        if answer.get(name):
            yield f"{name.replace('_', ' ')}: {answer[name]}"
    for refused in answer.get("refused", []):
        yield from lines_of(f"waits on: {refused['letter_id']}: {refused['why_untrusted']}")
    if answer.get("more"):
        yield "There are more: repeat the command."
    if not any(answer.get(name) for name in ("edited", "replayed", "recognised", "purged", "refused")):
        yield "Nothing matches."


def _edit(command: Command, desk: Desk, given: Given) -> Answer:
    source = given.pop("file")
    try:
        given["payload"] = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LauncherError(f"{source} cannot be read: {error}.") from error
    return command.ask(desk, given)


def _purge(command: Command, desk: Desk, given: Given) -> Answer:
    """Count first, ask, then drop them."""
    sure = given.pop("yes", None)
    would = command.ask(desk, given)["would_purge"]
    if would == 0:
        return {}
    confirmed(desk, {"yes": sure}, f"Drop {would} dead letters for good, with what is in them?")
    return command.ask(desk, given | {"confirm": True})


COMMANDS = (
    Command(
        "dead list",
        "what nobody could read or send, the newest first",
        "GET",
        _PATH,
        (*_WHICH, *PAGE),
        rows("letters", *_COLUMNS, empty="No dead letters."),
    ),
    Command("dead show", "one letter, whole", "GET", f"{_PATH}/{{letter_id}}", (_LETTER,), _whole),
    Command(
        "dead edit",
        "put other content into a letter; the first is kept beside it",
        "POST",
        f"{_PATH}/edit",
        (_LETTER, word("file", "the new payload; - reads it from the standard input")),
        _done,
        _edit,
    ),
    Command(
        "dead replay",
        "send one letter on its way, or all that match, the oldest first",
        "POST",
        f"{_PATH}/replay",
        (_ONE, *_WHICH, option("--limit", "most letters, 100 when absent", type=int)),
        _done,
    ),
    Command(
        "dead purge",
        "drop one letter, or all that match, for good",
        "POST",
        f"{_PATH}/purge",
        (_ONE, *_WHICH, YES),
        _done,
        _purge,
    ),
)
