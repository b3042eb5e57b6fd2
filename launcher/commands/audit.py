"""`eldoleado audit`: who did what."""

from launcher.command import PAGE, Command, option
from launcher.shown import rows

COMMANDS = (
    Command(
        "audit",
        "who wrote, changed or deleted what, and with which result",
        "GET",
        "/api/audit",
        (
            option("--caller", "only of this key"),
            option("--operation", "only this operation"),
            option("--result", "ok, or an error's code"),
            *PAGE,
        ),
        rows(
            "entries",
            "at",
            "service",
            "caller",
            "role",
            "by_token",
            "operation",
            "result",
            "made",
            "arguments",
        ),
    ),
)
