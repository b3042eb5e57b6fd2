"""The MCP Inspector's command line, as developers use it: over HTTP in both ages, and over stdio."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import SERVERS, House
from tests.conformance.foreign import Foreign
from tests.conformance.programs import output_of

NO_KEY, TOOL_FAILED = 3, 5
#: A tool that only looks, of each server.
LOOKS = dict.fromkeys(SERVERS, "list_chats") | {"orchestrator": "list_appeals"}


class Inspector:
    """One server, inspected. `era`: legacy, as the Inspector's default is, or modern."""

    def __init__(self, node: Foreign, folder: Path, name: str, **server: Any) -> None:
        self._node = node
        self._config = folder / f"{name}.json"
        self._config.write_text(json.dumps({"mcpServers": {"it": server}}))

    @classmethod
    def over_http(
        cls, node: Foreign, folder: Path, url: str, *, key: str, era: str = "legacy"
    ) -> "Inspector":
        headers = {"Authorization": f"Bearer {key}"}
        return cls(node, folder, era, type="streamable-http", url=url, headers=headers, protocolEra=era)

    async def asks(self, method: str, *more: str) -> tuple[int, Any, str]:
        """The exit code, the result, and what was said beside it."""
        launcher = self._node.script("inspector", "clients/launcher/build/index.js")
        place: list[str | Path] = ["--config", self._config, "--server", "it", "--stored-auth-only"]
        code, said, complained = await output_of(
            *(self._node.node, launcher, "--cli", *place, "--method", method, "--format", "json", *more),
            HOME=str(self._config.parent),
            MCP_INSPECTOR_SECRET_STORE="memory",
        )
        return code, json.loads(said)["result"] if said else None, complained


@pytest.mark.promise("foreign-clients")
@pytest.mark.parametrize("name", SERVERS)
async def test_it_works_with_every_server_in_both_ages_and_over_stdio(
    house: House, node: Foreign, tmp_path: Path, name: str
) -> None:
    """Over stdio it also looks for what hosts stumble over in the schemas."""
    command = {"command": sys.executable, "args": ["-m", house.package(name), "--stdio"]}
    every_tool = {**house.environment(name), "MCP_PROFILE": "all"}
    stdio = Inspector(node, tmp_path, "stdio", type="stdio", env=every_tool, **command)
    async with house.balanced(name) as url:
        old, new = (
            Inspector.over_http(node, tmp_path, url, key=house.key, era=era) for era in ("legacy", "modern")
        )
        answers = await asyncio.gather(
            stdio.asks("tools/list", "--strict"),
            old.asks("tools/call", "--tool-name", LOOKS[name]),
            new.asks("tools/call", "--tool-name", LOOKS[name]),
        )

    assert [code for code, *_ in answers] == [0, 0, 0], answers
    listed, *called = (result for _, result, _ in answers)
    assert LOOKS[name] in [tool["name"] for tool in listed["tools"]]
    assert ["next_cursor" in result["structuredContent"] for result in called] == [True, True]


async def test_a_mistake_and_a_wrong_key_are_told_by_its_exit_codes(
    house: House, node: Foreign, tmp_path: Path
) -> None:
    async with house.balanced("mcp_vk") as url:
        right = Inspector.over_http(node, tmp_path, url, key=house.key)
        misspelt, *_ = await right.asks("tools/call", "--tool-name", "list_chats", "--tool-arg", "limt=3")
        wrong, *_ = await Inspector.over_http(node, tmp_path, url, key="wrong").asks("tools/list")

    assert (misspelt, wrong) == (TOOL_FAILED, NO_KEY)
