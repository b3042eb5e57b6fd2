"""MCP Apps at the hub: the tool, the page and its policy, and who is listed what is for the page alone."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp.server.mcpserver import MCPServer

import orchestrator
from core.app import build_server
from core.auth import Caller, Role, current_caller
from orchestrator.hub_app import FOR_OPERATORS, INBOX_VIEW
from orchestrator.inbox_page import SCRIPTS, inbox_page
from tests import servers

APP = "text/html;profile=mcp-app"
SHOWS_APPS = advertise("io.modelcontextprotocol/ui", {"mimeTypes": [APP]})
FOLDER = Path(orchestrator.__file__).parent / "inbox_app"
PAGE_LIMIT = 60_000


def server() -> MCPServer:
    return build_server(replace(servers.hub(), profile="core"))


@contextmanager
def called_by(role: Role) -> Iterator[None]:
    token = current_caller.set(Caller("somebody", role))
    try:
        yield
    finally:
        current_caller.reset(token)


async def listed(role: Role, *, shows_apps: bool, mode: Any = "auto") -> dict[str, dict[str, Any]]:
    extensions = [SHOWS_APPS] if shows_apps else []
    with called_by(role):
        async with Client(server(), extensions=extensions, mode=mode) as client:
            tools = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(by_alias=True, exclude_none=True) for tool in tools}


@pytest.mark.promise("inbox-app")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("shows_apps", [True, False])
async def test_the_tool_is_an_ordinary_one_that_names_its_view(mode: str, *, shows_apps: bool) -> None:
    tool = (await listed("agent", shows_apps=shows_apps, mode=mode))["show_inbox"]

    assert tool["_meta"] == {"ui": {"resourceUri": INBOX_VIEW, "visibility": ["model", "app"]}}
    assert tool["annotations"]["readOnlyHint"] is True
    assert list(tool["inputSchema"]["properties"]) == ["appeal_id"]
    assert tool["outputSchema"]["properties"].keys() >= {"conversations", "messages", "you"}


@pytest.mark.promise("inbox-rights")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("role", "shows_apps", "found"),
    [
        ("operator", True, FOR_OPERATORS),
        ("operator", False, frozenset()),
        ("agent", True, frozenset()),
        ("agent", False, frozenset()),
    ],
)
async def test_what_is_for_the_view_alone_is_listed_to_operators_who_can_show_it(
    mode: str, role: Role, found: frozenset[str], *, shows_apps: bool
) -> None:
    tools = await listed(role, shows_apps=shows_apps, mode=mode)

    only = {name for name, tool in tools.items() if "model" not in visibility(tool)}
    assert only == found
    assert tools.keys() & FOR_OPERATORS == found


def visibility(tool: dict[str, Any]) -> list[str]:
    shown: list[str] = tool.get("_meta", {}).get("ui", {}).get("visibility", ["model", "app"])
    return shown


async def test_the_server_says_that_it_has_views() -> None:
    async with Client(server()) as client:
        assert "io.modelcontextprotocol/ui" in (client.server_capabilities.extensions or {})


async def test_the_page_is_a_resource_that_may_reach_nothing() -> None:
    async with Client(server()) as client:
        [found] = [one for one in (await client.list_resources()).resources if one.uri == INBOX_VIEW]
        [content] = (await client.read_resource(INBOX_VIEW)).contents

    kinds = ("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains")
    for one in (found, content):
        assert one.mime_type == APP
        assert one.meta == {"ui": {"csp": {key: [] for key in kinds}, "prefersBorder": True}}
    assert getattr(content, "text", "") == inbox_page()


@pytest.mark.promise("inbox-harmless")
def test_the_page_runs_its_one_script_and_nothing_else() -> None:
    page = inbox_page()
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    [script] = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)

    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "script-src": f"'sha256-{_hash(script)}'",
        "style-src": f"'sha256-{_hash(style)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert page.startswith("<!doctype html>")
    assert "{{" not in page
    assert len(page.encode()) <= PAGE_LIMIT


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.promise("inbox-harmless")
def test_the_page_names_no_address_and_makes_no_markup_of_words() -> None:
    page = inbox_page()

    assert re.findall(r"https?://|\bsrc=|\bhref=|@import|url\(", page) == []
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", page
    )
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert not re.search(r"\bstyle=", page)


def test_every_script_is_in_the_page() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.js")) == sorted(SCRIPTS)


def test_every_word_exists_in_both_languages() -> None:
    english, russian = (FOLDER / "words.js").read_text().split("  ru: {")
    words = [re.findall(r"^    (\w+): \"", part, re.MULTILINE) for part in (english, russian)]
    used = set(re.findall(r'data-(?:t|label)="(\w+)"', (FOLDER / "inbox.html").read_text()))
    for script in SCRIPTS:
        used |= set(re.findall(r'\bt\("(\w+)"', (FOLDER / script).read_text()))

    assert words[0] == words[1]
    assert used <= set(words[0])


def test_both_languages_have_the_same_places_for_values() -> None:
    english, russian = (FOLDER / "words.js").read_text().split("  ru: {")
    places = [
        {name: sorted(re.findall(r"\{\w+\}", said)) for name, said in _entries(part)}
        for part in (english, russian)
    ]

    assert places[0] == places[1]


def _entries(text: str) -> list[tuple[str, str]]:
    return [
        (name, json.loads(said)) for name, said in re.findall(r"^    (\w+): (\".*\"),$", text, re.MULTILINE)
    ]
