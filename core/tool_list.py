"""The list of tools that a service shows: words, schemas and annotations, made from its operations."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from core.operations import READING, SPEAKING, TAKING, Operation
from core.tools import as_tool
from core.untrusted import SUFFIX


def tools_of(
    operations: Sequence[Operation], metas: Mapping[str, dict[str, Any]] | None = None
) -> list[Tool]:
    """One for each, in this order, with what its `_meta` says."""
    return [_tool(operation, (metas or {}).get(operation.name)) for operation in operations]


def _tool(operation: Operation, meta: dict[str, Any] | None) -> Tool:
    tool = Tool.from_function(
        as_tool(operation),
        name=operation.name,
        title=operation.title,
        description=operation.description,
        annotations=annotations_of(operation),
        meta=meta,
    )
    tool.parameters = without(tool.parameters, "title")
    tool.fn_metadata.output_schema = _flat(without(tool.fn_metadata.output_schema, "title", "default"))
    return tool


def _flat(schema: Any) -> Any:
    """Without the alternatives of a dry run, which /openapi.json tells: some hosts drop a list for them."""
    return {name: value for name, value in schema.items() if name != "anyOf"} if schema else schema


def annotations_of(operation: Operation) -> ToolAnnotations:
    """What a host may count on. A tool is open to the world when it reaches a messenger, or shows words
    from outside; it is destructive when it takes away or overwrites something, be it for a while."""
    risk = operation.risk
    usual = risk != "status" or SUFFIX in str(operation.result.model_json_schema())
    outside = usual if operation.outside is None else operation.outside
    repeatable = risk not in SPEAKING if operation.repeatable is None else operation.repeatable
    destructive = risk in TAKING if operation.destructive is None else operation.destructive
    return ToolAnnotations(
        read_only_hint=risk in READING,
        destructive_hint=destructive,
        idempotent_hint=repeatable,
        open_world_hint=outside,
    )


def without(schema: Any, *keywords: str) -> Any:
    """A copy without these keywords: titles that pydantic makes of names say nothing, nor do an answer's
    defaults."""
    if isinstance(schema, dict):
        return {
            key: _each(value, *keywords) if key in ("properties", "$defs") else without(value, *keywords)
            for key, value in schema.items()
            if key not in keywords
        }
    return [without(item, *keywords) for item in schema] if isinstance(schema, list) else schema


def _each(named: dict[str, Any], *keywords: str) -> dict[str, Any]:
    """Here the keys are names of ours."""
    return {name: without(schema, *keywords) for name, schema in named.items()}
