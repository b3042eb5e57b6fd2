"""`eldoleado dead …`: what nobody could read or send."""

from launcher.command import PAGE, Command, option, switch
from launcher.shown import rows

_WHICH = (
    option("--door", "incoming, outgoing or webhook:{channel}"),
    option("--reason", "only of this reason"),
    option("--channel", "only of this channel"),
    option("--older-than-hours", "only letters older than this", type=float),
    switch("--replayed", "those already replayed, which are kept until purged"),
)
_COLUMNS = ("letter_id", "at", "door", "reason", "channel", "account", "chat_id", "bytes", "detail_untrusted")

COMMANDS = (
    Command(
        "dead list",
        "what nobody could read or send, the newest first",
        "GET",
        "/api/dead-letters",
        (*_WHICH, *PAGE),
        rows("letters", *_COLUMNS, empty="No dead letters."),
    ),
)
