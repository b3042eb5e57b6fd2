"""One channel over stdio on a machine with nothing else: an account, here a simulated one, is enough."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from launcher.ports import is_free
from tests.e2e.agent import shown
from tests.e2e.mcp_calls import call
from tests.system import System, patiently

pytestmark = pytest.mark.e2e

ACCOUNT = ("AVITO_CLIENT_ID", "AVITO_CLIENT_SECRET", "AVITO_BASE_URL")


@pytest.fixture
def alone(system: System, tmp_path: Path) -> StdioServerParameters:
    """The command with the account's keys, and nothing that a run would tell."""
    account = {name: system.environment("mcp_avito")[name] for name in ACCOUNT}
    told = {"ELDOLEADO_STATE": str(tmp_path / "state"), "NO_PROXY": "127.0.0.1"}
    return StdioServerParameters(
        command=sys.executable, args=["-m", "launcher", "stdio", "avito"], env=account | told, cwd=tmp_path
    )


@pytest.mark.promise("ready")
async def test_a_channel_needs_an_account_and_nothing_else(
    system: System, customer: str, alone: StdioServerParameters
) -> None:
    """What was sent is remembered from one start to the next: a repeat is no second message."""
    chat = system.write(customer, text="Ещё продаёте?")["chat_id"]
    told = {"chat_id": chat, "text": "Да, продаём.", "idempotency_key": chat}

    async with Client(alone) as avito:
        chats = await call(avito, "list_chats", limit=100)
        sent = await call(avito, "send_message", **told)
    async with Client(alone) as avito:
        again = await call(avito, "send_message", **told)

    assert chat in [one["chat_id"] for one in chats["chats"]]
    assert again == {**sent, "duplicate": True}
    assert shown(system, customer, 1) == ["Да, продаём."]


@pytest.mark.promise("ready")
async def test_two_clients_may_start_the_same_channel(alone: StdioServerParameters) -> None:
    """Each gets a folder and a Redis of its own, and gives the folder back."""
    async with Client(alone) as one, Client(alone) as two:
        assert (await call(one, "list_chats", limit=1)).keys() == (
            await call(two, "list_chats", limit=1)
        ).keys()
    async with Client(alone):
        pass

    assert sorted(os.listdir((alone.env or {})["ELDOLEADO_STATE"])) == ["1", "2"]


@pytest.mark.promise("ready")
@pytest.mark.promise("stdio-ends")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_its_redis_ends_with_it(alone: StdioServerParameters, ending: signal.Signals) -> None:
    """However the client ends it."""
    command = [alone.command, *alone.args]
    environment = {**os.environ, **(alone.env or {})}
    with subprocess.Popen(
        command, cwd=alone.cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        port = Path(environment["ELDOLEADO_STATE"]) / "1" / "redis.port"
        for _ in patiently(30):
            if port.exists() and not is_free(int(port.read_text() or 0)):
                break
        process.send_signal(ending)
        process.wait(20)

    for _ in patiently(20):
        if is_free(int(port.read_text())):
            return
    raise AssertionError("the Redis lives on")
