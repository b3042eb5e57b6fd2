# mypy: ignore-errors
# The types are those of another environment.
"""Walks through a server with fastmcp's client, 2.x or 4.x: python walk_fastmcp.py <plan as JSON>.

The plan and the answer, one line of JSON, are described in tests/conformance/walks.py.
"""

import asyncio
import json
import sys
import warnings

warnings.simplefilter("ignore")  # what its own dependencies say of each other

from fastmcp import Client  # noqa: E402
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport  # noqa: E402

try:
    from mcp_types import PromptReference  # 4.x
except ImportError:
    from mcp.types import PromptReference  # 2.x


def transport(plan):
    if "command" in plan:
        command, *arguments = plan["command"]
        return StdioTransport(command, arguments, env=plan["env"])
    return StreamableHttpTransport(plan["url"], headers={"Authorization": f"Bearer {plan['key']}"})


async def refusal(reading):
    try:
        await reading
    except Exception as error:  # noqa: BLE001  # each version has another class
        return str(error)
    return ""


def begun(client):
    """Version, name and instructions, where each version of the client keeps them."""
    if hasattr(client, "protocol_version"):
        return client.protocol_version, client.server_info.name, client.instructions
    result = client.initialize_result
    return result.protocolVersion, result.serverInfo.name, result.instructions


def words(result):
    return "".join(part.text for part in result.content)


async def walk(client, plan):
    version, server, instructions = begun(client)
    error = await client.call_tool(plan["error"]["tool"], plan["error"]["arguments"], raise_on_error=False)
    prompt = await client.get_prompt(plan["prompt"]["name"], plan["prompt"]["arguments"])
    reference = PromptReference(type="ref/prompt", name=plan["complete"]["ref"]["name"])
    templates = [one.model_dump(by_alias=True) for one in await client.list_resource_templates()]
    found = {
        "version": version,
        "server": server,
        "instructions": instructions or "",
        "tools": [tool.name for tool in await client.list_tools()],
        "call": (await client.call_tool(plan["call"]["tool"], plan["call"]["arguments"])).structured_content,
        "error": {"failed": error.is_error, "text": words(error), "beside": error.meta},
        "resource": (await client.read_resource(plan["resource"]))[0].text,
        "missing": await refusal(client.read_resource(plan["missing"])),
        "templates": [one["uriTemplate"] for one in templates],
        "template": (await client.read_resource(plan["template"]))[0].text,
        "prompts": [one.name for one in await client.list_prompts()],
        "prompt": prompt.messages[0].content.text,
        "completion": (await client.complete(reference, plan["complete"]["argument"])).values,
    }
    if "ask" in plan:
        found["asked"] = words(await client.call_tool(plan["ask"]["tool"], plan["ask"]["arguments"]))
    return found


async def main(plan):
    async def answer(*_):
        return plan["ask"]["answer"]

    asked = {"elicitation_handler": answer} if "ask" in plan else {}
    async with Client(transport(plan), **asked) as client:
        found = await walk(client, plan)
    print(json.dumps(found))  # noqa: T201  # the answer


asyncio.run(main(json.loads(sys.argv[1])))
