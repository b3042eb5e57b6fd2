"""One table of errors: whatever a caller can be told is in it, and every surface says what it says.

`UPDATE_SNAPSHOTS=1 make test` writes the table in docs/errors.md anew.
"""

import ast
import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from core.error_kinds import ErrorKind
from core.errors import ERRORS, ChannelError
from core.observability import Metrics
from core.operations import Operation
from core.problems import from_channel_error, problem
from core.registry import CHANNELS
from core.tool_list import tools_of
from core.tools import ERROR_META, ToolGuard

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("core", *(channel.package for channel in CHANNELS), "form_api", "orchestrator")
PAGE = ROOT / "docs" / "errors.md"
BEGIN, END = "<!-- errors: made of core/errors.py -->", "<!-- /errors -->"


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).glob("*.py")):
            yield f"{package}.{path.stem}", ast.parse(path.read_text(encoding="utf-8"))


def classes() -> list[type[ChannelError]]:
    """Every class that our services can raise, those of one service alone as well."""
    for module, _ in sources():
        if not module.endswith("__main__"):
            import_module(module)
    return [ChannelError, *_narrower(ChannelError)]


def _narrower(cls: type[ChannelError]) -> Iterator[type[ChannelError]]:
    for one in cls.__subclasses__():
        if one.__module__.partition(".")[0] in PACKAGES:
            yield one
            yield from _narrower(one)


def problems_told() -> Iterator[tuple[str, int, str]]:
    """(where, status, code) of each problem(...) in the sources."""
    for module, tree in sources():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "problem":
                status, code = call.args[:2]
                if isinstance(status, ast.Constant):
                    yield f"{module}:{call.lineno}", int(str(status.value)), _code(module, code)


def _code(module: str, given: ast.expr) -> str:
    if isinstance(given, ast.Constant):
        return str(given.value)
    assert isinstance(given, ast.Attribute), ast.unparse(given)
    assert isinstance(given.value, ast.Name)
    return str(getattr(import_module(module), given.value.id).code)


def rows_used() -> set[str]:
    """Codes that the sources take from the table by name: ERRORS["…"]."""
    return {
        str(one.slice.value)
        for _, tree in sources()
        for one in ast.walk(tree)
        if isinstance(one, ast.Subscript)
        and isinstance(one.value, ast.Name)
        and one.value.id == "ERRORS"
        and isinstance(one.slice, ast.Constant)
    }


@pytest.mark.promise("errors")
def test_every_class_is_in_the_table_and_means_what_its_row_says() -> None:
    wrong = {
        one.__qualname__: one.code
        for one in classes()
        if (kind := ERRORS.get(one.code)) is None
        or (one.status, one.retryable) != (kind.status, kind.retryable)
        or not one.what_to_do
    }

    assert wrong == {}


@pytest.mark.promise("errors")
def test_every_problem_is_in_the_table_with_its_status() -> None:
    told = list(problems_told())
    wrong = {
        where: code for where, status, code in told if code not in ERRORS or ERRORS[code].status != status
    }

    assert len(told) > 20
    assert wrong == {}


@pytest.mark.promise("errors")
def test_nothing_in_the_table_is_never_told() -> None:
    told = {one.code for one in classes()} | {code for _, _, code in problems_told()} | rows_used()

    assert ERRORS.keys() - told == set()
    assert rows_used() <= ERRORS.keys()


def test_a_row_says_in_sentences_when_and_what_then() -> None:
    for kind in ERRORS.values():
        assert kind.says.endswith("."), kind.code
        assert kind.what_to_do.endswith((".", ").")), kind.code
        assert "retry_after" not in kind.what_to_do or kind.retryable, kind.code


@pytest.mark.promise("errors")
@pytest.mark.parametrize("kind", ERRORS.values(), ids=ERRORS)
def test_a_problem_has_the_members_of_its_row(kind: ErrorKind) -> None:
    members = json.loads(bytes(problem(kind.status, kind.code, "It went wrong.", retry_after=2.5).body))

    assert {**members, **kind.members(2.5)} == members
    assert "retry_after" not in json.loads(bytes(problem(kind.status, kind.code, "It went wrong.").body))


class Nothing(BaseModel):
    """An answer that never comes."""

    text: str


def failing(error: Exception) -> Operation:
    async def run() -> Nothing:
        """Fail when asked."""
        raise error

    return Operation("fail", "Fail", "POST", "/api/fail", run, "read")


async def answer(error: Exception, tool: str = "fail", **arguments: Any) -> CallToolResult:
    operations = [failing(error)]
    guard = ToolGuard(operations, Metrics())
    server = MCPServer("x", tools=tools_of(operations), extensions=[guard], log_level="CRITICAL")
    async with Client(server) as client:
        return await client.call_tool(tool, arguments)


def told(result: CallToolResult) -> tuple[str, dict[str, Any]]:
    assert result.is_error
    assert result.structured_content is None, "clients check it against the output schema"
    [words] = result.content
    assert isinstance(words, TextContent)
    return words.text, dict((result.meta or {})[ERROR_META])


@pytest.mark.promise("errors")
@pytest.mark.parametrize("error", classes(), ids=lambda error: error.__qualname__)
async def test_a_tool_tells_the_same_to_the_model_and_to_programs(error: type[ChannelError]) -> None:
    made = error.__new__(error)  # some are made of more than their words
    ChannelError.__init__(made, "It went wrong", retry_after=7)
    text, members = told(await answer(made))
    rest = json.loads(bytes(from_channel_error(made).body))

    assert text.startswith(f"{error.code}: It went wrong. {error.what_to_do} retryable: ")
    assert text.endswith("retry_after: 7 s.")
    assert members == {
        "code": error.code,
        "retryable": error.retryable,
        "retry_after": 7,
        "what_to_do": error.what_to_do,
    }
    assert {**rest, **members} == rest


@pytest.mark.promise("errors")
@pytest.mark.parametrize(
    ("code", "tool", "arguments"),
    [
        ("unknown_tool", "fial", {}),
        ("invalid_arguments", "fail", {"x": 1}),
        ("internal_error", "fail", {}),
    ],
)
async def test_what_the_guard_says_has_the_same_form(code: str, tool: str, arguments: dict[str, Any]) -> None:
    text, members = told(await answer(RuntimeError("correct-horse"), tool, **arguments))

    assert text.startswith(f"{code}: ")
    assert "correct-horse" not in text
    assert members == ERRORS[code].members()


def row(kind: ErrorKind) -> str:
    again = "yes" if kind.retryable else "no"
    return f"| `{kind.code}` | {kind.status} | {again} | {kind.says} | {kind.what_to_do} |"


@pytest.mark.promise("errors")
def test_the_page_shows_the_table() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = "\n".join(map(row, ERRORS.values()))
    head = "| code | HTTP | retryable | what happened | what_to_do |\n|---|---|---|---|---|"
    page = f"{before}{BEGIN}\n{head}\n{rows}\n{END}{after}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(page, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == page
