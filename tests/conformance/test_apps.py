"""The hub's view against the schemas of MCP Apps that the specification's authors publish."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from core.apps import apps_of
from orchestrator.hub_app import FOR_OPERATORS
from tests import servers
from tests.conformance.foreign import Foreign

RECORD = Path(__file__).parents[1] / "browser" / "app_messages.json"
#: The names of the schemas; what is MCP's own (tools/call) is not among them.
SCHEMAS = {
    "ui/initialize": "McpUiInitializeRequest",
    "answer to ui/initialize": "McpUiInitializeResult",
    "ui/notifications/initialized": "McpUiInitializedNotification",
    "ui/notifications/size-changed": "McpUiSizeChangedNotification",
    "ui/notifications/tool-input": "McpUiToolInputNotification",
    "ui/notifications/tool-result": "McpUiToolResultNotification",
    "ui/notifications/host-context-changed": "McpUiHostContextChangedNotification",
    "ui/open-link": "McpUiOpenLinkRequest",
    "answer to ui/open-link": "McpUiOpenLinkResult",
    "ui/request-display-mode": "McpUiRequestDisplayModeRequest",
    "answer to ui/request-display-mode": "McpUiRequestDisplayModeResult",
    "ui/resource-teardown": "McpUiResourceTeardownRequest",
    "answer to ui/resource-teardown": "McpUiResourceTeardownResult",
}
RECORDED: dict[str, dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))
KINDS = [(to, kind) for to, messages in RECORDED.items() for kind in messages if kind in SCHEMAS]


@pytest.fixture
def published(node: Foreign) -> dict[str, Any]:
    """The schemas as npm has them."""
    text = node.script("ext-apps", "dist/src/generated/schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def check(published: dict[str, Any], name: str, value: Any) -> None:
    """Each is a schema of its own: it points into itself."""
    jsonschema.Draft202012Validator(published["$defs"][name]).validate(value)


@pytest.mark.parametrize(("to", "kind"), KINDS)
def test_what_the_view_and_its_host_say_is_as_published(
    published: dict[str, Any], to: str, kind: str
) -> None:
    message = RECORDED[to][kind]

    said = message["result"] if "result" in message else {key: message[key] for key in ("method", "params")}

    check(published, SCHEMAS[kind], said)


def test_a_message_that_is_not_as_published_would_be_noticed(published: dict[str, Any]) -> None:
    message = RECORDED["host"]["ui/open-link"]
    wrong = {"method": message["method"], "params": {"address": message["params"]["url"]}}

    with pytest.raises(jsonschema.ValidationError):
        check(published, SCHEMAS["ui/open-link"], wrong)


def test_everything_that_is_of_the_extension_was_recorded() -> None:
    assert {kind for _, kind in KINDS} == SCHEMAS.keys()


async def test_tools_and_page_name_each_other_as_published(published: dict[str, Any]) -> None:
    [view] = servers.hub().views
    [page] = apps_of([view]).resources()

    for name in (view.opens, *FOR_OPERATORS):
        meta = view.meta_of(name)
        assert meta is not None
        check(published, "McpUiToolMeta", meta["ui"])
    assert page.resource.meta is not None
    check(published, "McpUiResourceMeta", page.resource.meta["ui"])
