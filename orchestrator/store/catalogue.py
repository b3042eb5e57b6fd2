"""What the database itself tells of its tables: keys, and which columns refer to which table.

Whatever moves or erases a client asks here, so that a table that was added later is not forgotten.
"""

from dataclasses import dataclass

from orchestrator.store.pool import Executor
from orchestrator.store.queries import sql


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its primary key as {column: SQL type}, all of its columns in order."""

    name: str
    key: dict[str, str]
    columns: tuple[str, ...]

    @property
    def row_key(self) -> str:
        """SQL that makes the key of the row `t` a JSON object."""
        pairs = ", ".join(f"'{column}', t.{column}" for column in self.key)
        return f"jsonb_build_object({pairs})"

    def is_row(self, key: str) -> str:
        """SQL that tells whether the row `t` has the key in the JSON `key`."""
        return " AND ".join(
            f"t.{column} = ({key} ->> '{column}')::{kind}" for column, kind in self.key.items()
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of one column."""

    table: str
    column: str


async def tables(executor: Executor) -> dict[str, Table]:
    """Every table of ours, by name."""
    rows = await executor.fetch(sql("catalogue_tables"))
    return {
        row["name"]: Table(
            row["name"], dict(zip(row["key"], row["key_types"], strict=True)), tuple(row["columns"])
        )
        for row in rows
    }


async def references(executor: Executor, table: str) -> list[Reference]:
    """Who refers to a table, by name."""
    return [
        Reference(row["name"], row["column_name"])
        for row in await executor.fetch(sql("references_to"), table)
    ]
