"""Operator commands against the running system: a body that nobody could read becomes a turn after all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from launcher.__main__ import main
from tests.e2e.agent import delivered, reply, turn_of
from tests.system import System, patiently

pytestmark = pytest.mark.e2e

Eldoleado = Callable[..., str]


@pytest.fixture
def eldoleado(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Eldoleado:
    """The command of that name; what it prints."""
    monkeypatch.setenv("ELDOLEADO_HUB_URL", system.url("orchestrator"))
    monkeypatch.setenv("OPERATOR_API_KEY", system.keys["operator"])

    def run(*argv: str) -> str:
        assert main([*argv, "--state", str(system.folder)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.mark.promise("letters-once")
@pytest.mark.promise("trace")
def test_a_body_that_nobody_could_read_is_mended_replayed_and_traced(
    system: System, customer: str, eldoleado: Eldoleado, tmp_path: Path
) -> None:
    hook = f"{system.url('mcp_avito')}/webhook/avito/default/{system.webhook_secret}"
    assert httpx.post(hook, json={"odd": customer}).status_code == 200
    listed = json.loads(eldoleado("dead", "list", "--door", "webhook:avito", "--json"))["letters"]
    letter = listed[0]["letter_id"]
    assert customer in eldoleado("dead", "show", letter)

    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(_event(customer)), "utf-8")
    eldoleado("dead", "edit", letter, str(mended))
    assert eldoleado("dead", "replay", letter) == "replayed: 1\n"
    assert eldoleado("dead", "replay", letter) == "recognised: 1\n"
    result = reply(system, turn_of(system, customer), "Да")
    delivered(system, result["delivery_id"], state="failed")  # the simulated Avito has no such chat

    trace = json.loads(eldoleado("trace", "avito", f"chat-of-{customer}", f"m-of-{customer}", "--json"))
    told = [stage["stage"] for stage in trace["stages"]]
    assert told == [
        "received",
        "gathered",
        "resolved",
        "turn_opened",
        "leased",
        "answered",
        "accepted",
        "queued",
        "sending",
        "failed",
    ]
    assert [one["reason"] for one in trace["dead_letters"]] == ["not_found", "unknown_payload"]
    assert "purged: 1" in eldoleado("dead", "purge", letter, "--yes")


@pytest.mark.promise("confirmed")
@pytest.mark.promise("audited")
def test_the_hub_asks_a_guarded_key_and_writes_its_call_down(
    system: System, customer: str, eldoleado: Eldoleado
) -> None:
    body = {"channel": "avito", "chat_id": f"stranger-to-{customer}", "text": "Здравствуйте"}
    send, key = f"{system.url('orchestrator')}/api/messages/send", {"X-API-Key": system.keys["agent"]}
    answer = httpx.post(send, json=body, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (428, "confirmation_required")

    sought = ("audit", "--operation", "send_message", "--result", "confirmation_required")
    hubs: list[dict[str, Any]] = []
    for _ in patiently(20):
        entries = json.loads(eldoleado(*sought, "--json"))["entries"]
        if hubs := [entry for entry in entries if entry["service"] == "hub"]:
            break
    entry = hubs[0]
    assert (entry["caller"], entry["role"]) == ("agent", "agent")
    assert entry["arguments"] in eldoleado(*sought)


def _event(customer: str) -> dict[str, Any]:
    value = {
        "id": f"m-of-{customer}",
        "chat_id": f"chat-of-{customer}",
        "chat_type": "u2i",
        "user_id": 701000001,
        "author_id": 702000002,
        "type": "text",
        "content": {"text": f"{customer} asks"},
        "created": 1763800123,
    }
    return {"id": "x", "version": "v3.0.0", "timestamp": 1, "payload": {"type": "message", "value": value}}
