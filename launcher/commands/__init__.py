"""What operators can do: a file per noun."""

from launcher.command import Command
from launcher.commands import conversations, dead

COMMANDS: tuple[Command, ...] = (*dead.COMMANDS, *conversations.COMMANDS)
