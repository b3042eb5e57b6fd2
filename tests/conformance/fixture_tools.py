"""Tools of the conformance suite that answer at once, report, or change a list."""

import base64
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

RAW_SCHEMA = "json_schema_2020_12_tool"
WATCHED = "test://watched-resource"


def red_pixel() -> bytes:
    """A PNG of one pixel."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def silence() -> bytes:
    """A WAV without a sample."""
    sound = struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 0)
    return b"RIFF" + struct.pack("<I", 4 + len(sound)) + b"WAVE" + sound


def image() -> ImageContent:
    """The pixel."""
    return ImageContent(type="image", data=base64.b64encode(red_pixel()).decode(), mime_type="image/png")


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    """A text within an answer."""
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )


async def test_simple_text() -> str:
    """Text."""
    return "This is a simple text response for testing."


async def test_image_content() -> ImageContent:
    """An image."""
    return image()


async def test_audio_content() -> AudioContent:
    """Sound."""
    return AudioContent(type="audio", data=base64.b64encode(silence()).decode(), mime_type="audio/wav")


async def test_embedded_resource() -> EmbeddedResource:
    """A text within an answer."""
    return embedded("test://embedded-resource", "This is an embedded resource content.")


async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """All of them."""
    return [
        TextContent(type="text", text="Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", '{"test": "data", "value": 123}', "application/json"),
    ]


async def test_error_handling() -> str:
    """Fail in words."""
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_logging(ctx: Context[Any]) -> str:
    """Say three things meanwhile."""
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(said)
    return "Tool with logging executed successfully"


async def test_tool_with_progress(ctx: Context[Any]) -> str:
    """Come forward in three steps."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"Completed step {done} of 100")
    return "Tool with progress executed successfully"


async def test_reconnection() -> str:
    """An answer without a break: a stateless server keeps no stream to come back to."""
    return "Reconnection test completed"


async def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "",
) -> str:
    """An argument that stands in a header too."""
    return f"region={region}"


async def test_missing_capability(ctx: Context[Any]) -> str:
    """Only for clients that can ask a model."""
    able = ctx.client_capabilities
    if able is None or able.sampling is None:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="This needs a client that can ask a model.",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return "The client can ask a model."


TOOLS: Sequence[Callable[..., Any]] = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_logging,
    test_tool_with_progress,
    test_reconnection,
    test_x_mcp_header,
    test_missing_capability,
)


def list_changes(server: MCPServer) -> Sequence[Callable[..., Any]]:
    """Tools that let a list grow and shrink again, and tell of it."""

    async def test_trigger_tool_change(ctx: Context[Any]) -> str:
        """A tool comes and goes."""
        server.add_tool(test_simple_text, name="test_passing_tool")
        server.remove_tool("test_passing_tool")
        await ctx.notify_tools_changed()
        return "told"

    async def test_trigger_prompt_change(ctx: Context[Any]) -> str:
        """A prompt comes and goes."""
        server.add_prompt(Prompt.from_function(test_simple_text, name="test_passing_prompt"))
        server.remove_prompt("test_passing_prompt")
        await ctx.notify_prompts_changed()
        return "told"

    return test_trigger_tool_change, test_trigger_prompt_change


def add_raw_schema(server: MCPServer) -> str:
    """A tool whose published schema uses what JSON Schema 2020-12 has; the tool's name."""

    async def answer() -> str:
        """Any of it."""
        return RAW_SCHEMA

    server.add_tool(answer, name=RAW_SCHEMA, structured_output=False)
    server._tool_manager._tools[RAW_SCHEMA].parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }
    return RAW_SCHEMA
