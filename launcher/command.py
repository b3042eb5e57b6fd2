"""A command for operators: a name, arguments, one call of the hub, and how its answer is shown.

    Command("client show", "who a client is", "GET", "/api/clients/{client_id}", (word("client_id", "…"),))

Arguments in braces go into the path, the others into the query (GET) or the body (POST); what was not given
is left out. One file per noun in launcher/commands/, one line in its __init__.py.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from launcher.errors import LauncherError
from launcher.hub_client import Answer, HubClient, Method
from launcher.shown import record

_PLACEHOLDER = re.compile(r"{(\w+)}")

Given = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as argparse takes it."""

    flags: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with: the hub, and the person at the keyboard (`confirm` is False for no)."""

    hub: HubClient
    confirm: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Command:
    """`run` replaces the one call, for commands that ask first or ask twice."""

    name: str
    says: str
    method: Method
    path: str
    arguments: Sequence[Argument] = ()
    show: Callable[[Answer], Iterable[str]] = record
    run: Callable[["Command", Desk, Given], Answer] | None = None

    def carry_out(self, desk: Desk, given: Given) -> Answer:
        """The answer, for `show` or as JSON."""
        return self.run(self, desk, given) if self.run else self.ask(desk, given)

    def ask(self, desk: Desk, given: Given) -> Answer:
        """One call of the hub."""
        in_path = _PLACEHOLDER.findall(self.path)
        path = self.path.format(**{name: quote(str(given[name]), safe="") for name in in_path})
        rest = {name: value for name, value in given.items() if name not in in_path}
        return desk.hub.ask(self.method, path, rest)


def word(name: str, says: str, **options: Any) -> Argument:
    """An argument that must be given, by its place."""
    return Argument((name,), {"help": says, **options})


def option(flag: str, says: str, **options: Any) -> Argument:
    """`--flag value`; it reaches the hub as `flag` with underscores, when it is given."""
    return Argument((flag,), {"help": says, "default": None, **options})


def switch(flag: str, says: str) -> Argument:
    """`--flag`, without a value."""
    return Argument((flag,), {"help": says, "action": "store_true", "default": None})


#: For commands that show a page of a list.
PAGE = (
    option("--limit", "rows per page", type=int),
    option("--cursor", "go on after the page before"),
)
#: For commands that take something away: without it the person at the keyboard is asked.
YES = switch("--yes", "do not ask, do it")


def confirmed(desk: Desk, given: Given, question: str) -> None:
    """Go on when --yes was given or the person says so; LauncherError otherwise."""
    if not given.pop("yes", None) and not desk.confirm(question):
        raise LauncherError("Nothing was done. Say --yes to do it without being asked.")


def add_commands(
    parsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    commands: Sequence[Command],
    shared: Callable[[argparse.ArgumentParser], None],
) -> None:
    """`eldoleado noun verb` for every command; `shared` adds what all of them take."""
    nouns: dict[str, Any] = {}
    for command in commands:
        noun, _, verb = command.name.partition(" ")
        if not verb:
            parser = parsers.add_parser(noun, help=command.says)
        else:
            if noun not in nouns:
                of_noun = [one for one in commands if one.name.startswith(f"{noun} ")]
                verbs = ", ".join(one.name.partition(" ")[2] for one in of_noun)
                made = parsers.add_parser(noun, help=verbs)
                nouns[noun] = made.add_subparsers(dest="verb", required=True, metavar="what")
            parser = nouns[noun].add_parser(verb, help=command.says)
        for argument in command.arguments:
            parser.add_argument(*argument.flags, **argument.options)
        parser.add_argument("--json", action="store_true", help="the hub's answer as it is, for programs")
        parser.set_defaults(operator_command=command)
        shared(parser)


def given_of(command: Command, options: argparse.Namespace) -> Given:
    """What was given on the command line, by the names of the hub's arguments."""
    names = [argument.flags[-1].lstrip("-").replace("-", "_") for argument in command.arguments]
    return {name: value for name in names if (value := getattr(options, name)) is not None}
