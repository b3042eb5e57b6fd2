"""Every operator command asks what the hub answers, and stands in the documents."""

import re
from pathlib import Path

import pytest

from core.operations import Operation
from launcher.command import Command
from launcher.commands import COMMANDS
from tests import servers

ROOT = Path(__file__).parent.parent.parent
#: What stays on this machine.
_OURS = {"yes", "file", "files"}


def _operation(command: Command) -> Operation | None:
    """The hub's operation that serves the command's path."""
    path = re.sub(r"{\w+}", "x", command.path)
    served = [
        one
        for one in servers.hub().operations
        if one.method == command.method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", one.path), path)
    ]
    return min(served, key=lambda one: one.path.count("{"), default=None)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_the_hub_serves_the_command(command: Command) -> None:
    """Its path, its method, and every argument by the name that the hub knows."""
    operation = _operation(command)
    assert operation is not None
    given = {argument.flags[-1].lstrip("-").replace("-", "_") for argument in command.arguments}
    assert given - _OURS <= set(operation.arguments.model_fields)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_command_is_in_the_documents(command: Command) -> None:
    """An operator finds it before the day it is needed."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert re.search(rf"`(eldoleado )?{command.name}[` ]", text)
