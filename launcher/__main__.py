"""The `eldoleado` command."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NoReturn

from core.registry import CHANNELS, SERVICES
from core.settings import load_one
from launcher.addresses import addresses
from launcher.alone import serve_alone
from launcher.client_formats import CLIENTS
from launcher.command import Command, Desk, add_commands, given_of
from launcher.commands import COMMANDS
from launcher.connect import found_servers
from launcher.console import Console
from launcher.doctor import examine
from launcher.errors import LauncherError
from launcher.http_calls import local_client
from launcher.hub_client import hub_client
from launcher.run import AGENT, AGENT_PACKAGE, Run
from launcher.settings import PORT_BASES, LauncherSettings, environment
from launcher.signals import Interrupted, interruptible

_PACKAGES = {service.name: service.package for service in SERVICES} | {AGENT: AGENT_PACKAGE}


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    console = Console(sys.stdout)
    try:
        return _do(options, console)
    except LauncherError as error:
        sys.stderr.write(f"eldoleado: {error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eldoleado", description="Omnichannel messaging for AI agents.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    run = commands.add_parser("run", help="start everything on this machine; Ctrl-C stops it")
    doctor = commands.add_parser("doctor", help="check this machine, and a run on it")
    for local in (run, doctor):
        _add_place(local)
    serve = commands.add_parser("serve", help="become one service, with the environment as it is")
    serve.add_argument("service", choices=sorted(_PACKAGES))
    commands.add_parser("migrate", help="bring the database at DATABASE_URL up to date")
    _add_for_clients(commands)
    add_commands(commands, COMMANDS, _add_place)
    return parser


def _add_for_clients(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """What connects MCP clients, and what they start."""
    connect = commands.add_parser("connect", help="ready configuration for an MCP client on this machine")
    connect.add_argument("client", choices=list(CLIENTS))
    connect.add_argument("servers", nargs="*", metavar="server", help="hub (when none is named), avito, …")
    connect.add_argument("--stdio", action="store_true", help="the client starts each server itself")
    _add_place(connect)
    stdio = commands.add_parser("stdio", help="one channel over stdio by itself, for a client that starts it")
    stdio.add_argument("channel", choices=[one.channel for one in CHANNELS])
    stdio.add_argument("--state", type=Path, help="its folder (ELDOLEADO_STATE; ~/.eldoleado/CHANNEL)")
    commands.add_parser("bridge", help="the hub at HUB_URL over stdio, for a client that takes no addresses")


def _add_place(parser: argparse.ArgumentParser) -> None:
    """Which run on this machine is meant."""
    parser.add_argument("--state", type=Path, help="folder of data, logs and secrets (ELDOLEADO_STATE; var)")
    parser.add_argument(
        "--ports-from", type=_port_base, metavar="N", help="use ports N to N+99 (ELDOLEADO_PORT_BASE)"
    )


def _port_base(text: str) -> int:
    if not text.isdecimal() or int(text) not in PORT_BASES:
        raise argparse.ArgumentTypeError(f"must be from {PORT_BASES.start} to {PORT_BASES.stop - 1}")
    return int(text)


def _do(options: argparse.Namespace, console: Console) -> int:
    environ = environment()
    if options.command == "serve":
        _become(_PACKAGES[options.service], environ)
    if options.command == "migrate":
        _migrate(environ)
    if options.command == "bridge":
        _become("launcher.bridge", environ)
    if "operator_command" in options:
        return _operate(options, environ, console)
    return _COMMANDS[options.command](options, environ, console)


def _settings(options: argparse.Namespace) -> LauncherSettings:
    """The command line wins over the environment."""
    chosen = {"state": options.state, "port_base": getattr(options, "ports_from", None)}
    return load_one(LauncherSettings).model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )


def _run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    try:
        with interruptible(), ExitStack() as down:
            run = Run(_settings(options), environ, console, down)
            down.callback(console.step, "Stopped")
            run.start()
            down.callback(console.step, "Stopping")
            run.watch()
    except Interrupted:
        pass
    return 0


def _migrate(environ: Mapping[str, str]) -> NoReturn:
    if "DATABASE_URL" not in environ:
        raise LauncherError("DATABASE_URL is missing: set it to the PostgreSQL to migrate.")
    _become("orchestrator.store.migrate", environ)


def _doctor(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    settings = _settings(options)
    where = addresses(settings, environ)
    with local_client() as http:
        findings = list(examine(settings, where, environ, http))
    console.table(finding.row for finding in findings)
    return 0 if all(finding.fine for finding in findings) else 1


def _operate(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    command: Command = options.operator_command
    with closing(hub_client(_settings(options), environ)) as hub:
        answer = command.carry_out(Desk(hub, console.confirm), given_of(command, options))
    lines = [json.dumps(answer, ensure_ascii=False)] if options.json else command.show(answer)
    for line in lines:
        console.text(line)
    return 0


def _stdio(options: argparse.Namespace, environ: Mapping[str, str], _: Console) -> int:
    [channel] = [one for one in CHANNELS if one.channel == options.channel]
    return serve_alone(channel, _settings(options), environ)


def _connect(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    servers = found_servers(_settings(options), environ, options.servers or ["hub"], stdio=options.stdio)
    for part in CLIENTS[options.client](servers):
        console.text(f"{part.says}\n\n{part.text}\n")
    return 0


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Mapping[str, str], Console], int]] = {
    "run": _run,
    "doctor": _doctor,
    "stdio": _stdio,
    "connect": _connect,
}


def _become(package: str, environ: Mapping[str, str]) -> NoReturn:
    os.execve(sys.executable, [sys.executable, "-m", package], dict(environ))  # noqa: S606 - one of ours


if __name__ == "__main__":
    sys.exit(main())
