"""What the official conformance suite calls by name: MCP_FIXTURES=tests.conformance.fixtures:add.

The names and the answers are the suite's own (npm @modelcontextprotocol/conformance); they go through our
guard, our keys and our replicas like everything else.
"""

from collections.abc import Collection

from mcp.server.mcpserver import MCPServer

from tests.conformance.fixture_questions import PROMPTS as ASKING_PROMPTS
from tests.conformance.fixture_questions import TOOLS as ASKING_TOOLS
from tests.conformance.fixture_reading import PROMPTS, add_legacy_requests, add_reading
from tests.conformance.fixture_tools import TOOLS, add_raw_schema, list_changes


def add(server: MCPServer) -> Collection[str]:
    """Add all of them; the names of the tools."""
    changes = list_changes(server)
    tools = [*TOOLS, *ASKING_TOOLS, *changes]
    for tool in tools:
        server.add_tool(tool, structured_output=False)
    for prompt in (*PROMPTS, *ASKING_PROMPTS):
        server.prompt()(prompt)
    add_reading(server)
    add_legacy_requests(server)
    return [*(tool.__name__ for tool in tools), add_raw_schema(server)]
