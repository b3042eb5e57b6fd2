"""What the frameworks' examples let a model do, against the hub's tools as they are."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from examples.frameworks.decision import LOOK, Decision

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "tools" / "hub.json"
TOOLS: dict[str, Any] = {tool["name"]: tool for tool in json.loads(SNAPSHOT.read_text("utf-8"))}
ACTIONS = get_args(Decision.model_fields["action"].annotation)


@pytest.mark.promise("examples")
def test_what_the_model_may_call_only_reads() -> None:
    """Whatever a customer talks it into, it writes to nobody."""
    assert all(TOOLS[name]["annotations"]["readOnlyHint"] for name in LOOK)


@pytest.mark.promise("examples")
@pytest.mark.parametrize("action", ACTIONS)
def test_a_decision_is_a_call_of_the_hub(action: Any) -> None:
    """Under the names that the tool has."""
    schema = TOOLS[action]["inputSchema"]
    told = {"turn_id", "lease_token", *Decision(action=action, words="Да").arguments}

    assert set(schema["required"]) <= told <= set(schema["properties"])
