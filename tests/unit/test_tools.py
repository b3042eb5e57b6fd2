"""What models see of our tools: snapshots, words that say when, and schemas that every host understands.

A changed tool shows up as a diff. `UPDATE_SNAPSHOTS=1 make test` writes the snapshots anew.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from core.profiles import Profile
from tests.tool_lists import PROFILES, SERVERS, listed, tools

SNAPSHOTS = Path(__file__).parent.parent / "snapshots" / "tools"
UNPORTABLE = {
    *("$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "if", "const", "$schema"),
    *("additionalProperties", "patternProperties", "prefixItems"),
}
#: What makes a sentence say when the tool is the right one.
_WHEN = re.compile(r"\b(when|to|before|after|once|while|if)\b")

every_server = pytest.mark.parametrize("name", SERVERS)
every_list = pytest.mark.parametrize(
    ("name", "profile"), [(name, profile) for name in SERVERS for profile in PROFILES]
)


def _snapshot(name: str, profile: Profile) -> Path:
    return SNAPSHOTS / (f"{name}.json" if profile == "all" else f"{name}.{profile}.json")


@every_list
async def test_tools_are_as_in_their_snapshot(name: str, profile: Profile) -> None:
    """Names, words and schemas are an interface; models read nothing else."""
    snapshot = _snapshot(name, profile)
    found = await listed(name, profile)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    assert found == json.loads(snapshot.read_text(encoding="utf-8"))


def test_there_is_no_snapshot_of_a_server_that_is_gone() -> None:
    assert set(SNAPSHOTS.iterdir()) == {_snapshot(name, one) for name in SERVERS for one in PROFILES}


@pytest.mark.promise("profiles")
@every_server
async def test_the_core_is_a_dozen_tools_or_fewer_and_all_has_every_one(name: str) -> None:
    core, every = [[one.name for one in await tools(name, profile)] for profile in PROFILES]

    assert 10 <= len(core) <= 12
    assert [one for one in every if one in core] == core
    assert every == [one.name for one in SERVERS[name]().operations if one.tool]


@pytest.mark.promise("profiles")
async def test_every_name_of_a_core_is_a_tool_somewhere() -> None:
    """A misspelt one would be missed by nobody."""
    known = {one.name for name in SERVERS for one in await tools(name, "all")}
    assert {one for parts in SERVERS.values() for one in parts().core_tools} <= known


@pytest.mark.promise("told-when")
@every_server
async def test_a_tool_is_told_in_one_sentence_that_says_when(name: str) -> None:
    for tool in await listed(name, "all"):
        said = tool["description"]
        assert re.fullmatch(r"[a-z][a-z0-9_]{2,39}", tool["name"])
        assert tool["title"], tool["name"]
        assert 20 <= len(said) <= 160, f"{tool['name']}: {len(said)}"
        assert re.fullmatch(r"[A-Z][^.!?\n]*\.", said), said
        assert _WHEN.search(said), said


@pytest.mark.promise("told-when")
@every_server
async def test_every_argument_has_words_an_example_and_bounds(name: str) -> None:
    for tool in await listed(name, "all"):
        schema = tool["inputSchema"]
        assert schema["type"] == "object"
        for argument, its in schema.get("properties", {}).items():
            where = f"{tool['name']}.{argument}"
            assert its.get("description"), where
            assert list(_unbounded(its)) == [], where
            assert "enum" in its or its["type"] == "boolean" or its.get("examples"), where
            for example in [*its.get("examples", ()), *([its["default"]] if "default" in its else ())]:
                jsonschema.validate(example, its)


@pytest.mark.promise("told-when")
@every_server
async def test_an_example_is_what_the_operation_takes(name: str) -> None:
    """The schema says less than the checks behind it."""
    for operation in await tools(name, "all"):
        for field in operation.arguments.model_fields.values():
            for example in field.examples or ():
                model: Any = Annotated[(field.annotation, *field.metadata, "as it is checked")]
                TypeAdapter(model).validate_python(example)


@every_list
async def test_every_host_understands_the_schemas(name: str, profile: Profile) -> None:
    """Flat arguments; some hosts drop a whole list for one keyword."""
    for tool in await listed(name, profile):
        assert list(_unportable(tool["inputSchema"])) == [], tool["name"]
        assert tool["outputSchema"]["type"] == "object"
        assert not any(_titles(tool[part]) for part in ("inputSchema", "outputSchema")), tool["name"]


def _unbounded(schema: dict[str, Any], where: str = "") -> Iterator[str]:
    match schema["type"]:
        case "string" if not {"maxLength", "enum", "pattern"} & schema.keys():
            yield f"{where} maxLength"
        case "array":
            if "maxItems" not in schema:
                yield f"{where} maxItems"
            yield from _unbounded(schema["items"], f"{where}[]")
        case "integer" | "number":
            if not {"minimum", "exclusiveMinimum"} & schema.keys() or "maximum" not in schema:
                yield f"{where} minimum, maximum"


def _unportable(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in UNPORTABLE or (key == "type" and isinstance(value, list)):
                yield key
            if key not in ("default", "enum", "examples"):
                yield from _unportable(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _unportable(item)


def _titles(schema: Any) -> list[Any]:
    """The titles of a schema, its own and those within; a property may be called title."""
    if isinstance(schema, list):
        return [title for item in schema for title in _titles(item)]
    if not isinstance(schema, dict):
        return []
    named = [value for key in ("properties", "$defs") for value in schema.get(key, {}).values()]
    own = [schema["title"]] if "title" in schema else []
    return own + _titles([schema.get("items"), *named])


@pytest.mark.promise("pages")
@every_server
async def test_what_lists_has_a_limit_a_cursor_and_a_next_cursor(name: str) -> None:
    """And nothing else answers with one."""
    for tool in await listed(name, "all"):
        asked, answered = (tool[part].get("properties", {}) for part in ("inputSchema", "outputSchema"))
        lists = tool["name"].startswith("list_") or tool["name"] == "dead_letters"
        assert ("next_cursor" in answered) == lists, tool["name"]
        if lists:
            assert asked["limit"]["maximum"] <= 100
            assert asked["limit"]["default"] <= 20
            assert asked["cursor"]["default"] == ""


@pytest.mark.promise("annotations")
@every_server
async def test_all_four_annotations_are_set(name: str) -> None:
    """A host asks its user before tools that change something; what is left out counts as the worst."""
    for tool in await listed(name, "all"):
        hints = tool["annotations"]
        assert {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} <= hints.keys()
        assert not (hints["readOnlyHint"] and hints["destructiveHint"]), tool["name"]


#: What takes away or overwrites, wherever a server has it.
TAKING = {
    *("delete_message", "block_user", "unsubscribe_webhook", "edit_message", "react"),
    *("update_appeal", "cancel_bulk", "change_dead_letter"),
}


@pytest.mark.promise("annotations")
@every_server
async def test_what_takes_away_or_overwrites_is_destructive_and_nothing_else(name: str) -> None:
    every = await listed(name, "all")

    taking = {tool["name"] for tool in every if tool["annotations"]["destructiveHint"]}
    assert taking == TAKING & {tool["name"] for tool in every}
