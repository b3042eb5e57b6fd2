"""What is printed for each client: JSON with the fields that the client documents, links that decode."""

import base64
import json
import shlex
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from launcher.client_formats import CLIENTS, OverHttp, Started

KEY = "made-up-0123456789"
HUB = OverHttp("eldoleado", "http://127.0.0.1:8780/mcp", KEY)
AVITO = Started(
    "eldoleado-avito", "/somewhere/python", ("-m", "mcp_avito", "--stdio"), {"AVITO_CLIENT_ID": "я'\""}
)

#: Of a server in the client's file, by its documentation: the fields that must be there, and those that may.
OVER_HTTP = {
    "claude-code": ({"type", "url"}, {"headers", "headersHelper", "oauth"}),
    "vscode": ({"type", "url"}, {"headers", "dev", "oauth"}),
    "cursor": ({"url"}, {"headers", "auth", "type"}),
}
STARTED = {
    "claude-desktop": ({"command"}, {"args", "env"}),
    "claude-code": ({"command"}, {"type", "args", "env"}),
    "vscode": ({"type", "command"}, {"args", "cwd", "env", "envFile", "dev", "sandboxEnabled", "sandbox"}),
    "cursor": ({"command"}, {"type", "args", "env", "envFile"}),
}


def section(client: str) -> str:
    return "servers" if client == "vscode" else "mcpServers"


def in_file(client: str) -> dict[str, Any]:
    """The servers of the client's file."""
    *_, file = CLIENTS[client]([HUB, AVITO])
    written = json.loads(file.text)
    assert list(written) == [section(client)]
    return dict(written[section(client)])


def fields(entry: dict[str, Any], documented: tuple[set[str], set[str]]) -> bool:
    required, allowed = documented
    return required <= entry.keys() <= required | allowed


@pytest.mark.promise("ready")
@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_has_the_documented_fields(client: str) -> None:
    """Nothing is left out, and nothing that the client does not know."""
    servers = in_file(client)
    over_http = OVER_HTTP.get(client, STARTED[client])

    assert list(servers) == ["eldoleado", "eldoleado-avito"]
    assert fields(servers["eldoleado"], over_http)
    assert fields(servers["eldoleado-avito"], STARTED[client])
    assert servers["eldoleado"].get("type", "http") == "http"
    assert servers["eldoleado-avito"].get("type", "stdio") == "stdio"
    assert servers["eldoleado-avito"]["env"] == {"AVITO_CLIENT_ID": "я'\""}


def test_claude_desktop_gets_a_bridge_because_it_knows_no_addresses() -> None:
    hub = in_file("claude-desktop")["eldoleado"]

    assert hub["args"] == ["-m", "launcher", "bridge"]
    assert hub["env"] == {"HUB_URL": HUB.url, "HUB_API_KEY": KEY}


@pytest.mark.promise("ready")
def test_a_link_of_cursor_carries_the_entry_of_its_file() -> None:
    """As its page says: name, and base64 of the configuration."""
    links, _ = CLIENTS["cursor"]([HUB, AVITO])
    found = {}
    for link in links.text.splitlines():
        parts = urlsplit(link)
        query = parse_qs(parts.query, strict_parsing=True)
        assert (parts.scheme, parts.netloc, parts.path) == (
            "cursor",
            "anysphere.cursor-deeplink",
            "/mcp/install",
        )
        found[query["name"][0]] = json.loads(base64.b64decode(query["config"][0], validate=True))

    assert found == in_file("cursor")


@pytest.mark.promise("ready")
def test_a_link_of_vscode_carries_the_entry_of_its_file() -> None:
    """Its JSON, escaped whole, with the name inside."""
    links, _ = CLIENTS["vscode"]([HUB, AVITO])
    found = {}
    for link in links.text.splitlines():
        start, _, escaped = link.partition("?")
        assert start == "vscode:mcp/install"
        entry = json.loads(unquote(escaped))
        found[entry.pop("name")] = entry

    assert found == in_file("vscode")


@pytest.mark.promise("ready")
def test_a_command_of_claude_code_says_what_its_file_says() -> None:
    """The shell gives each word over as it is."""
    commands, _ = CLIENTS["claude-code"]([HUB, AVITO])
    add, add_json = (shlex.split(line) for line in commands.text.splitlines())
    file = in_file("claude-code")

    assert add == [
        *("claude", "mcp", "add", "--transport", "http", "eldoleado", HUB.url),
        *("--header", f"Authorization: {file['eldoleado']['headers']['Authorization']}"),
    ]
    assert add_json[:4] == ["claude", "mcp", "add-json", "eldoleado-avito"]
    assert json.loads(add_json[4]) == file["eldoleado-avito"]
