"""`eldoleado bulk …`: how far a message to many is, and no more of it."""

from launcher.command import Command, word

_ONE = word("bulk_id", "from send_bulk")

COMMANDS = (
    Command("bulk show", "how far it is", "GET", "/api/bulks/{bulk_id}", (_ONE,)),
    Command("bulk cancel", "send nothing more of it", "POST", "/api/bulks/{bulk_id}/cancel", (_ONE,)),
)
