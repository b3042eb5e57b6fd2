"""How MCP clients want to be told of a server: their files, commands and links. Pure.

Each client's function takes the servers and gives parts: a sentence on where the text goes, and the text.
"""

import base64
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class OverHttp:
    """A server that runs, the key that it knows its caller by, and a Python that has our packages."""

    name: str
    url: str
    key: str
    python: str = sys.executable

    @property
    def bridged(self) -> "Started":
        """For clients that take no addresses."""
        arguments = ("-m", "launcher", "bridge")
        return Started(self.name, self.python, arguments, {"HUB_URL": self.url, "HUB_API_KEY": self.key})


@dataclass(frozen=True, slots=True)
class Started:
    """A server that the client starts, and speaks to over stdin and stdout."""

    name: str
    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


Server = OverHttp | Started
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """What to do with a text, and the text."""

    says: str
    text: str


def claude_desktop(servers: Sequence[Server]) -> Iterator[Part]:
    """Its file takes programs only: a bridge leads to addresses."""
    programs = [one.bridged if isinstance(one, OverHttp) else one for one in servers]
    yield Part(
        "Claude Desktop: Settings, Developer, Edit Config: put this into the file, and restart Claude",
        _file("mcpServers", programs, _entry),
    )


def claude_code(servers: Sequence[Server]) -> Iterator[Part]:
    """A command a server, or a file for everybody who works in a folder."""
    yield Part("Claude Code: run", "\n".join(_claude_command(one) for one in servers))
    yield Part(
        "or put this into .mcp.json of a folder (it holds the key: keep it out of git)",
        _file("mcpServers", servers, _typed),
    )


def vscode(servers: Sequence[Server]) -> Iterator[Part]:
    """A link a server, or its file."""
    links = (_vscode_link(one) for one in servers)
    yield Part("VS Code: open", "\n".join(links))
    yield Part("or put this into .vscode/mcp.json (it holds the key)", _file("servers", servers, _typed))


def cursor(servers: Sequence[Server]) -> Iterator[Part]:
    """A link a server, or its file."""
    links = (_cursor_link(one) for one in servers)
    yield Part("Cursor: open", "\n".join(links))
    yield Part("or put this into ~/.cursor/mcp.json", _file("mcpServers", servers, _entry))


CLIENTS: Mapping[str, Callable[[Sequence[Server]], Iterator[Part]]] = {
    "claude-desktop": claude_desktop,
    "claude-code": claude_code,
    "vscode": vscode,
    "cursor": cursor,
}


def _file(section: str, servers: Sequence[Server], entry: Callable[[Server], Entry]) -> str:
    return json.dumps({section: {one.name: entry(one) for one in servers}}, indent=2, ensure_ascii=False)


def _entry(server: Server) -> Entry:
    if isinstance(server, OverHttp):
        return {"url": server.url, "headers": {"Authorization": f"Bearer {server.key}"}}
    more = {"env": dict(server.environment)} if server.environment else {}
    return {"command": server.command, "args": list(server.arguments), **more}


def _typed(server: Server) -> Entry:
    return {"type": "http" if isinstance(server, OverHttp) else "stdio", **_entry(server)}


def _claude_command(server: Server) -> str:
    if isinstance(server, OverHttp):
        header = f"Authorization: Bearer {server.key}"
        words = ["--transport", "http", server.name, server.url, "--header", header]
        return shlex.join(["claude", "mcp", "add", *words])
    return shlex.join(["claude", "mcp", "add-json", server.name, _compact(_typed(server))])


def _vscode_link(server: Server) -> str:
    return f"vscode:mcp/install?{quote(_compact({'name': server.name, **_typed(server)}), safe='')}"


def _cursor_link(server: Server) -> str:
    configuration = base64.b64encode(_compact(_entry(server)).encode()).decode()
    query = urlencode({"name": server.name, "config": configuration}, quote_via=quote)
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{query}"


def _compact(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
