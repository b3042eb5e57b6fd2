"""What the official conformance suite calls by name: no package of ours carries it, a setting loads it."""

import importlib
from collections.abc import Callable, Collection
from typing import cast

from mcp.server.mcpserver import MCPServer

#: Adds to a server; the answer names the tools that came, which are no operations of ours.
Fixtures = Callable[[MCPServer], Collection[str]]


def no_fixtures(_: MCPServer) -> Collection[str]:
    """Outside of tests."""
    return ()


def fixtures_of(name: str) -> Fixtures:
    """The function of `module:function`, none for "". ImportError or AttributeError when it is not there."""
    if not name:
        return no_fixtures
    module, _, function = name.partition(":")
    return cast(Fixtures, getattr(importlib.import_module(module), function))
