"""`eldoleado run`: everything up, watched until somebody stops it, then everything down in reverse order."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from core.registry import Service
from launcher.addresses import Addresses, addresses
from launcher.brought import require_brought
from launcher.child import Child
from launcher.console import Console
from launcher.embedded import Engine, engine_urls, missing_engines
from launcher.errors import LauncherError, ServiceFailed
from launcher.http_calls import accounts_are_well, is_healthy, local_client
from launcher.keyring import open_keyring
from launcher.log_lines import LogFollower, shown
from launcher.ports import require_free
from launcher.postgres_engine import PostgresEngine
from launcher.service_process import ServiceProcess
from launcher.settings import LauncherSettings
from launcher.state_folder import make_state_folder
from launcher.state_lock import StateLock
from launcher.surroundings import Surroundings
from launcher.watch import Startable, Watch
from launcher.welcome import psql_for, things_to_try, urls

AGENT = "agent"
AGENT_PACKAGE = "examples.agent"
_LONGEST_START = 60.0
_LONGEST_SUBSCRIPTION = 20.0
_LOOK_EVERY = 0.1
_STOP_PATIENCE = 12.0  # a service gives its open requests 10 s


class Run:
    """One run on one state folder; `down` undoes every step taken, last first."""

    def __init__(
        self, settings: LauncherSettings, environ: Mapping[str, str], console: Console, down: ExitStack
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._console = console
        self._down = down
        self._where = addresses(settings, environ)
        self._running: list[Startable] = []
        self._followers: dict[str, LogFollower] = {}

    def start(self) -> None:
        began = time.monotonic()
        state = make_state_folder(self._settings.state)
        self._lock(state)
        engines = missing_engines(self._settings, self._where, self._environ)
        around = self._surroundings(state, engines)
        _require_free_ports(self._where, around.services, engines)
        require_brought(self._environ)
        self._start_engines(engines)
        self._migrate(around)
        with local_client() as http:
            self._start_services(around, http)
            self._await_subscriptions(around, http)
        self._start_agent(around)
        self._welcome(around, engines, seconds=time.monotonic() - began)

    def watch(self) -> None:
        """Never returns: a signal or a program that keeps dying ends it."""
        watches = [Watch(program) for program in self._running]
        while True:
            self._show_news()
            for line in filter(None, (watch.look() for watch in watches)):
                self._console.warn(line)
            time.sleep(_LOOK_EVERY)

    def _lock(self, state: Path) -> None:
        lock = StateLock(state)
        lock.acquire()
        self._down.callback(lock.release)

    def _surroundings(self, state: Path, engines: list[Engine]) -> Surroundings:
        at = engine_urls(engines, self._environ)
        return Surroundings(
            caller=self._environ,
            addresses=self._where,
            keyring=open_keyring(state),
            redis_url=at["REDIS_URL"],
            database_url=at["DATABASE_URL"],
            state=state,
            channels=self._settings.channels,
        )

    def _start_engines(self, engines: list[Engine]) -> None:
        for engine in engines:
            self._console.step(f"{engine.child.name} on port {engine.port}")
            self._down.callback(engine.stop)
            engine.start()
            self._running.append(engine)

    def _migrate(self, around: Surroundings) -> None:
        self._console.step("Bringing the database up to date")
        child = Child("migrate", around.state / "logs" / "migrate.log")
        self._down.callback(child.stop)
        child.start([sys.executable, "-m", "orchestrator.store.migrate"], around.of_migration())
        if child.wait():
            raise LauncherError(f"The migration failed ({child.ending}):\n{child.last_words()}")

    def _start_services(self, around: Surroundings, http: httpx.Client) -> None:
        self._console.step(f"Starting {', '.join(service.name for service in around.services)}")
        logs = around.state / "logs"
        programs = [
            ServiceProcess(service.name, service.package, around.of_service(service), logs)
            for service in around.services
        ]
        self._down.callback(_stop_together, programs)
        for program in programs:
            self._begin(program)
        self._wait_until_healthy(programs, http)

    def _begin(self, program: ServiceProcess) -> None:
        self._followers[program.child.name] = LogFollower(program.child.log)
        program.start()
        self._running.append(program)

    def _wait_until_healthy(self, programs: Sequence[ServiceProcess], http: httpx.Client) -> None:
        waiting = {program.child.name: program for program in programs}
        deadline = time.monotonic() + _LONGEST_START
        while waiting:
            for name, program in list(waiting.items()):
                if is_healthy(http, self._where.url(name)):
                    self._console.line(name, f"is up at {self._where.url(name)}")
                    del waiting[name]
                elif not program.child.alive:
                    raise ServiceFailed(_did_not_start(program.child))
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"{', '.join(waiting)} did not become healthy within {_LONGEST_START:.0f} s."
                )
            time.sleep(_LOOK_EVERY)

    def _await_subscriptions(self, around: Surroundings, http: httpx.Client) -> None:
        """The channels subscribe themselves to what the sandbox plays; real accounts may need a person."""
        self._console.step("Waiting until each messenger delivers to its channel")
        played = {vendor.channel for vendor in around.simulated}
        waiting = {one.name for one in around.served if one.channel in played}
        deadline = time.monotonic() + _LONGEST_SUBSCRIPTION
        while waiting and time.monotonic() < deadline:
            waiting = {name for name in waiting if not accounts_are_well(http, self._where.url(name))}
            time.sleep(_LOOK_EVERY if waiting else 0)
        for name in sorted(waiting):
            self._console.warn(f"{name} hears no customers yet: `eldoleado doctor` tells why.")
        if real := [one.title for one in around.served if one.channel not in played]:
            self._console.warn(f"Real accounts: {', '.join(real)}. See README for their webhook addresses.")

    def _start_agent(self, around: Surroundings) -> None:
        wanted = self._settings.agent or ("on" if around.all_simulated else "off")
        if wanted == "off":
            self._console.step("The demo agent stays off (ELDOLEADO_AGENT=on starts it)")
            return
        program = ServiceProcess(AGENT, AGENT_PACKAGE, around.of_agent(), around.state / "logs")
        self._down.callback(program.child.stop, _STOP_PATIENCE)
        self._console.step("Starting the demo agent")
        self._begin(program)

    def _welcome(self, around: Surroundings, engines: list[Engine], *, seconds: float) -> None:
        postgres = next((engine.server for engine in engines if isinstance(engine, PostgresEngine)), None)
        self._console.step(f"Everything is up after {seconds:.1f} s")
        self._console.table(urls(around))
        self._console.text(things_to_try(around, psql_for(postgres)))

    def _show_news(self) -> None:
        for name, follower in self._followers.items():
            for line in follower.new_lines():
                if text := shown(line, everything=name == AGENT):
                    self._console.line(name, text)


def _require_free_ports(where: Addresses, services: Iterable[Service], engines: list[Engine]) -> None:
    for engine in engines:
        engine.require_port()
    for service in services:
        require_free(where.services[service.name], owner=service.name, variable=service.port_variable)


def _stop_together(programs: Sequence[ServiceProcess]) -> None:
    for program in programs:
        program.child.ask_to_stop()
    for program in programs:
        program.child.stop(_STOP_PATIENCE)


def _did_not_start(child: Child) -> str:
    return f"{child.name} did not start ({child.ending}):\n{child.last_words()}\nThe whole log: {child.log}"
