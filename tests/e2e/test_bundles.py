"""Bundles as a desktop client uses them: unpacked, started as the manifest says, spoken to over stdio."""

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from publish.bundle import write_bundle
from publish.products import PRODUCTS
from tests.e2e.agent import shown
from tests.e2e.mcp_calls import call, lease, turn_of
from tests.system import System

pytestmark = pytest.mark.e2e

#: The client's own uv installs what the bundle names; here it takes the project's environment.
OFFLINE = {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1", "UV_OFFLINE": "1"}


def installed(name: str, folder: Path, **answers: str) -> StdioServerParameters:
    """What a client makes of a bundle and of the user's answers; unanswered ones get their defaults."""
    [product] = [one for one in PRODUCTS if one.name == name]
    with zipfile.ZipFile(write_bundle(product, folder)) as bundle:
        bundle.extractall(folder / name)
    manifest: dict[str, Any] = json.loads((folder / name / "manifest.json").read_text("utf-8"))
    asked = manifest["user_config"]
    assert answers.keys() <= asked.keys()
    said = {
        f"${{user_config.{key}}}": str(answers.get(key, field.get("default"))) for key, field in asked.items()
    }
    config = manifest["server"]["mcp_config"]
    arguments = [one.replace("${__dirname}", str(folder / name)) for one in config["args"]]
    environment = {key: said[value] for key, value in config["env"].items()}
    machine = {"HOME": str(folder), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}
    uv = str(Path(sys.executable).with_name(config["command"]))
    return StdioServerParameters(command=uv, args=arguments, env=environment | machine | OFFLINE, cwd=folder)


@pytest.mark.promise("ready")
async def test_a_channels_bundle_answers_a_customer(system: System, customer: str, tmp_path: Path) -> None:
    """The account's keys, here of the simulation, are all that is asked; the data lie in the user's home."""
    account = system.environment("mcp_avito")
    server = installed(
        "eldoleado-avito",
        tmp_path,
        avito_client_id=account["AVITO_CLIENT_ID"],
        avito_client_secret=account["AVITO_CLIENT_SECRET"],
        avito_base_url=account["AVITO_BASE_URL"],
    )
    chat = system.write(customer, text="Ещё продаёте?")["chat_id"]

    async with Client(server, mode="legacy") as avito:
        listed = await call(avito, "list_messages", chat_id=chat)
        await call(avito, "send_message", chat_id=chat, text="Да, продаём.")

    assert [one["text_untrusted"] for one in listed["messages"]] == ["Ещё продаёте?"]
    assert shown(system, customer, 1) == ["Да, продаём."]
    assert "redis" in os.listdir(tmp_path / ".eldoleado" / "avito" / "1")


@pytest.mark.promise("ready")
async def test_the_hubs_bundle_answers_a_turn(system: System, customer: str, tmp_path: Path) -> None:
    """The hub's address and a key."""
    url = f"{system.url('orchestrator')}/mcp"
    server = installed("eldoleado-hub", tmp_path, hub_url=url, hub_api_key=system.keys["agent"])
    chat = system.write(customer, text="Здравствуйте")["chat_id"]

    async with Client(server, mode="legacy") as hub:
        turn = await turn_of(hub, chat)
        await call(hub, "reply", **lease(turn), text="Добрый день!")

    assert shown(system, customer, 1) == ["Добрый день!"]
