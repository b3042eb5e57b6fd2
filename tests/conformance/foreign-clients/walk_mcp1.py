# mypy: ignore-errors
# The types are those of another environment.
"""Walks through a server with the client of the Python SDK 1.x: python walk_mcp1.py <plan as JSON>.

The plan and the answer, one line of JSON, are described in tests/conformance/walks.py.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import PromptReference, ResourceUpdatedNotification, ServerNotification


@asynccontextmanager
async def streams(plan):
    if "command" in plan:
        command, *arguments = plan["command"]
        parameters = StdioServerParameters(command=command, args=arguments, env=plan["env"])
        async with stdio_client(parameters) as (read, write):
            yield read, write
        return
    headers = {"Authorization": f"Bearer {plan['key']}"}
    async with streamablehttp_client(plan["url"], headers=headers) as (read, write, _):
        yield read, write


async def refusal(reading):
    try:
        await reading
    except McpError as error:
        return str(error)
    return ""


async def walk(session, plan):
    begun = await session.initialize()
    error = await session.call_tool(plan["error"]["tool"], plan["error"]["arguments"])
    prompt = await session.get_prompt(plan["prompt"]["name"], plan["prompt"]["arguments"])
    completed = await session.complete(
        PromptReference(type="ref/prompt", name=plan["complete"]["ref"]["name"]), plan["complete"]["argument"]
    )
    return {
        "version": begun.protocolVersion,
        "server": begun.serverInfo.name,
        "instructions": begun.instructions or "",
        "tools": [tool.name for tool in (await session.list_tools()).tools],
        "call": (await session.call_tool(plan["call"]["tool"], plan["call"]["arguments"])).structuredContent,
        "error": {
            "failed": error.isError,
            "text": "".join(part.text for part in error.content),
            "beside": error.meta,
        },
        "resource": (await session.read_resource(plan["resource"])).contents[0].text,
        "missing": await refusal(session.read_resource(plan["missing"])),
        "templates": [one.uriTemplate for one in (await session.list_resource_templates()).resourceTemplates],
        "template": (await session.read_resource(plan["template"])).contents[0].text,
        "prompts": [one.name for one in (await session.list_prompts()).prompts],
        "prompt": prompt.messages[0].content.text,
        "completion": completed.completion.values,
    }


async def happen(session, steps):
    kept = {}
    for step in steps:
        result = await session.call_tool(step["tool"], {**step.get("arguments", {}), **kept})
        kept = {name: result.structuredContent[name] for name in step.get("keeps", ())}


async def watch(session, watched, heard):
    await session.subscribe_resource(watched["uri"])
    await happen(session, watched["trigger"])
    async with asyncio.timeout(20):
        uri = await heard.get()
    await session.unsubscribe_resource(watched["uri"])
    return {"heard": uri}


async def main(plan):
    heard = asyncio.Queue()

    async def hear(message):
        if isinstance(message, ServerNotification) and isinstance(message.root, ResourceUpdatedNotification):
            await heard.put(str(message.root.params.uri))

    async with (
        streams(plan) as (read, write),
        ClientSession(read, write, message_handler=hear) as session,
    ):
        found = await walk(session, plan)
        if "subscribe" in plan:
            found |= await watch(session, plan["subscribe"], heard)
    print(json.dumps(found))  # noqa: T201  # the answer


asyncio.run(main(json.loads(sys.argv[1])))
