"""What operators can do: a file per noun."""

from launcher.command import Command
from launcher.commands import audit, bulks, clients, conversations, dead, deliveries, trace

COMMANDS: tuple[Command, ...] = (
    *trace.COMMANDS,
    *audit.COMMANDS,
    *dead.COMMANDS,
    *deliveries.COMMANDS,
    *bulks.COMMANDS,
    *conversations.COMMANDS,
    *clients.COMMANDS,
)
