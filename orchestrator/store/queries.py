"""The named queries of sql/*.sql: a line `-- name: lease_next_turn` begins each."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def sql(name: str) -> str:
    """The text of a query; KeyError when no file has it."""
    return named_queries()[name]


@cache
def named_queries() -> dict[str, str]:
    """Every query of every file; a name used twice is an error."""
    queries: dict[str, str] = {}
    for file in files("orchestrator.store").joinpath("sql").iterdir():
        for name, text in parse(file.read_text(encoding="utf-8")):
            if name in queries:
                raise ValueError(f"the query {name} is defined twice")
            queries[name] = text
    return queries


def parse(text: str) -> list[tuple[str, str]]:
    """[(name, query)]; what stands before the first name is the file's own comment."""
    _, *parts = _NAME.split(text)
    return [(name, query.strip()) for name, query in zip(parts[::2], parts[1::2], strict=True)]
