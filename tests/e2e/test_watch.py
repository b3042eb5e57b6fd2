"""Silence is not health: what a messenger stops telling is noticed, mended where safe, and made up for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from core.registry import CHANNELS, SERVICES
from launcher.engines import Engines
from tests.e2e.agent import reply, shown, turn_of
from tests.engines_fixture import database, empty_redis
from tests.system import System, patiently, running

pytestmark = pytest.mark.e2e

MESSENGERS = tuple(channel.channel for channel in CHANNELS)
#: Telegram has no history.
WITH_HISTORY = [name for name in MESSENGERS if name != "telegram"]
QUICK = {
    "WATCH_SECONDS": "1",
    "SWEEP_SECONDS": "1",
    "SWEEP_YOUNG_SECONDS": "1",
    "SANDBOX_TELEGRAM_RETRY_SPEED": "20",
}
#: For what comes of itself, however busy the machine is.
_PATIENCE = 60


@pytest.fixture(scope="module")
def watched(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Every messenger, with a quick watchdog and a quick sweep."""
    folder = tmp_path_factory.mktemp("watched")
    with database(engines) as url:
        made = System(folder, redis_url=empty_redis(engines), database_url=url, channels=MESSENGERS, **QUICK)
        with running(made):
            made.start_all()
            yield made


@dataclass(slots=True)
class Story:
    """What one customer of a messenger went through."""

    customer: str
    channel: str
    chat_id: str = ""
    late_id: str = ""
    heard: list[str] = field(default_factory=list)

    def writes(self, system: System, text: str) -> dict[str, Any]:
        written: dict[str, Any] = system.write(self.customer, self.channel, text=f"{text} {self.customer}")
        return written

    def answered(self, system: System) -> dict[str, Any]:
        """The next turn, answered; its texts are heard."""
        turn = turn_of(system, self.customer, seconds=_PATIENCE)
        self.heard += [one["text_untrusted"].partition(" ")[0] for one in turn["messages"]]
        reply(system, turn, f"Ответ {len(self.heard)}")
        return turn


@pytest.fixture(scope="module")
def stories(watched: System) -> dict[str, Story]:
    """On every messenger with a history at once: a known customer writes, and their next two webhooks fail.

    One is lost, one is let go when the sweep has found its message.
    """
    told = {name: Story(f"lost-{name}", name) for name in WITH_HISTORY}
    for one in told.values():
        one.chat_id = one.writes(watched, "известно")["chat_id"]
    for one in told.values():
        one.answered(watched)
        _misbehave(watched, one.channel, silent_webhook=True)
        one.writes(watched, "потеряно")
        _misbehave(watched, one.channel, silent_webhook=False, hold=True)
        one.late_id = one.writes(watched, "опоздало")["message_ids"][0]
    for one in told.values():
        while "опоздало" not in one.heard:
            one.answered(watched)
        _misbehave(watched, one.channel, hold=False)
    return told


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> str:
    """Somebody who has never written before."""
    return f"watched-{request.node.name}"


@pytest.mark.promise("sweep")
@pytest.mark.parametrize("messenger", WITH_HISTORY)
def test_the_sweep_brings_in_what_the_webhook_lost(
    watched: System, stories: dict[str, Story], messenger: str
) -> None:
    assert stories[messenger].heard == ["известно", "потеряно", "опоздало"]
    assert _metric(watched, messenger, "eldoleado_recovered_total", account="default") >= 1
    assert watched.logged(f"mcp_{messenger}", "lost_messages_found")


@pytest.mark.promise("sweep")
@pytest.mark.parametrize("messenger", WITH_HISTORY)
def test_a_webhook_that_comes_after_the_sweep_makes_no_double(
    watched: System, stories: dict[str, Story], messenger: str
) -> None:
    story = stories[messenger]
    for _ in patiently(_PATIENCE):
        log = watched.get("sandbox", f"/control/{messenger}/deliveries", last=100)["deliveries"]
        if any(one["message_id"] == story.late_id and one["status"] == 200 for one in log):
            break
    else:
        raise AssertionError(log)
    story.writes(watched, "дальше")
    turn = story.answered(watched)

    said = [line["text_untrusted"].split()[0] for line in turn["history"] if line["sender"] == "customer"]
    assert said == ["известно", "потеряно", "опоздало"]
    assert story.heard == ["известно", "потеряно", "опоздало", "дальше"]
    answers = [line["text_untrusted"] for line in turn["history"] if line["sender"] != "customer"]
    assert len(answers) == len(set(answers))
    assert _metric(watched, messenger, "eldoleado_webhook_events_total", outcome="repeated") >= 1


@pytest.mark.promise("watch")
def test_a_session_that_was_logged_out_is_told_everywhere(watched: System) -> None:
    """Only a person with the phone can mend it."""
    _misbehave(watched, "whatsapp", logged_out=True)
    _await_troubles(watched, "whatsapp", ["session_lost"])
    [trouble] = watched.get("mcp_whatsapp", "/info")["accounts"]["default"]["troubles"]
    ill = _doctor(watched)
    lit = _metric(watched, "whatsapp", "eldoleado_account_trouble", code="session_lost")
    _misbehave(watched, "whatsapp", logged_out=False)
    _await_troubles(watched, "whatsapp", [])

    assert trouble["code"] == "session_lost"
    assert "logged out" in trouble["detail"]
    assert ill.returncode == 1
    assert f"account default: session_lost: {trouble['detail']}" in " ".join(ill.stdout.split())
    assert lit == 1
    assert _metric(watched, "whatsapp", "eldoleado_account_trouble", code="session_lost") == 0
    assert _metric(watched, "whatsapp", "eldoleado_account_healthy", account="default") == 1


@pytest.mark.promise("watch")
def test_a_subscription_that_the_messenger_dropped_is_made_again(watched: System, customer: str) -> None:
    """MAX drops it after eight hours without a success."""
    before = len(watched.logged("mcp_max", "subscribed"))
    _misbehave(watched, "max", unsubscribed=True)
    for _ in patiently(_PATIENCE):
        if len(watched.logged("mcp_max", "subscribed")) > before:
            break
    _await_troubles(watched, "max", [])
    watched.write(customer, "max", text=f"Снова слышно? {customer}")
    reply(watched, turn_of(watched, customer, seconds=_PATIENCE), "Слышно")

    assert len(watched.logged("mcp_max", "subscribed")) == before + 1
    assert shown(watched, customer, 1, channel="max") == ["Слышно"]


@pytest.mark.promise("watch")
def test_deliveries_that_fail_are_told_with_the_messengers_words(watched: System, customer: str) -> None:
    """Telegram says what its last attempt met; once it comes through, nothing is wrong any more."""
    _misbehave(watched, "telegram", secret="wrong")
    watched.write(customer, "telegram", text=f"Дойдёт? {customer}")
    _await_troubles(watched, "telegram", ["deliveries_failing"])
    [trouble] = watched.get("mcp_telegram", "/info")["accounts"]["default"]["troubles"]
    _misbehave(watched, "telegram", secret="right")
    turn = turn_of(watched, customer, seconds=_PATIENCE)
    reply(watched, turn, "Дошло")
    _await_troubles(watched, "telegram", [])

    assert "1 updates wait" in trouble["detail"]
    assert "401" in trouble["detail"]
    assert len(turn["messages"]) == 1


def _misbehave(system: System, channel: str, **faults: object) -> None:
    system.post("sandbox", f"/control/{channel}/faults", faults)


def _await_troubles(system: System, channel: str, codes: list[str]) -> None:
    seen: dict[str, Any] = {}
    for _ in patiently(_PATIENCE):
        seen = system.get(f"mcp_{channel}", "/health")["accounts"]["default"]
        if seen == {"healthy": not codes, "troubles": codes}:
            return
    raise AssertionError(f"{channel} is {seen}")


def _metric(system: System, channel: str, name: str, **labels: str) -> float:
    """The value of a channel's metric with these labels among its own; 0 when there is none."""
    lines = httpx.get(
        f"{system.url(f'mcp_{channel}')}/metrics", headers=system.http.headers
    ).text.splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    found = [line for line in lines if line.startswith(f"{name}{{") and all(one in line for one in wanted)]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def _doctor(system: System) -> "subprocess.CompletedProcess[str]":
    """What an operator sees on this machine."""
    ports = {one.port_variable: str(system.ports[one.name]) for one in SERVICES}
    engines = {name: system.environment("orchestrator")[name] for name in ("REDIS_URL", "DATABASE_URL")}
    command = [sys.executable, "-m", "launcher", "doctor", "--state", str(system.folder)]
    return subprocess.run(
        command, env={**os.environ, **engines, **ports}, capture_output=True, text=True, timeout=60
    )
