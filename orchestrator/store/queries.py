"""The named queries of sql/*.sql: a line `-- name: lease_next_turns` begins each.

What several queries must say alike stands in a file of its own, sql/turn_is_offered.part.sql, and is written
into them for `{{turn_is_offered $2}}`: its `$at` is the query's $2.
"""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_PART = re.compile(r"{{(\w+)(?: (\$\d))?}}")
_PART_FILE = ".part.sql"


def sql(name: str) -> str:
    """The text of a query; KeyError when no file has it."""
    return named_queries()[name]


@cache
def named_queries() -> dict[str, str]:
    """Every query of every file; a name used twice is an error."""
    queries: dict[str, str] = {}
    texts = _files()
    parts = {name.removesuffix(_PART_FILE): texts.pop(name) for name in list(texts) if _is_part(name)}
    for file in texts.values():
        for name, text in parse(file):
            if name in queries:
                raise ValueError(f"the query {name} is defined twice")
            queries[name] = _PART.sub(lambda found: _part(parts[found[1]], found[2]), text)
    return queries


def _files() -> dict[str, str]:
    folder = files("orchestrator.store").joinpath("sql")
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}


def _part(text: str, at: str | None) -> str:
    return f"({text.replace('$at', at or '$at').strip()})"


def _is_part(name: str) -> bool:
    return name.endswith(_PART_FILE)


def parse(text: str) -> list[tuple[str, str]]:
    """[(name, query)]; what stands before the first name is the file's own comment."""
    _, *parts = _NAME.split(text)
    return [(name, query.strip()) for name, query in zip(parts[::2], parts[1::2], strict=True)]
