"""Changes that are written down as they are made, and taken back in reverse order.

    move     every row whose column names one client (or case) names another one from now on
    change   some columns of one row
    add      a row
    remove   rows

Taking back is a three-way merge: a column that was changed once more since keeps its newest value.
"""
# ruff: noqa: S608 - names of tables and columns come from the catalogue and from this program, nothing else

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.store.catalogue import Table
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql

_NOTE = "INSERT INTO client_merge_rows (merge_id, step, table_name, row_key, before, after)"


class Moves:
    """The changes of one merge, in the caller's transaction."""

    def __init__(self, connection: Connection, tables: Mapping[str, Table], merge_id: int) -> None:
        self._connection = connection
        self._tables = tables
        self._merge_id = merge_id
        self._step = 0

    async def move(self, table: str, column: str, *, old: int, new: int) -> None:
        """Let every row of `old` be of `new`."""
        own = self._tables[table]
        await self._do(
            f"""WITH moved AS (
                UPDATE {table} AS t SET {column} = $5::bigint WHERE t.{column} = $4::bigint
                RETURNING {own.row_key} AS row_key
            ) {_NOTE}
            SELECT $1, $2, $3, row_key, jsonb_build_object('{column}', $4::bigint),
                jsonb_build_object('{column}', $5::bigint) FROM moved""",
            table,
            old,
            new,
        )

    async def change(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Give some columns of a row these values (as JSON has them)."""
        own, columns = self._tables[table], list(values)
        listed, given = ", ".join(columns), ", ".join(f"new.{column}" for column in columns)
        await self._do(
            f"""WITH known AS (
                SELECT t.*, to_jsonb(t) AS whole FROM {table} AS t WHERE {own.is_row("$4::jsonb")}
            ), changed AS (
                UPDATE {table} AS t
                SET ({listed}) = (SELECT {given} FROM jsonb_populate_record(t, $5::jsonb) AS new)
                WHERE {own.is_row("$4::jsonb")} RETURNING to_jsonb(t) AS whole
            ) {_NOTE}
            SELECT $1, $2, $3, $4::jsonb, {_some("known.whole")}, {_some("changed.whole")}
            FROM known, changed""",
            table,
            dict(key),
            dict(values),
            columns,
        )

    async def add(self, table: str, values: Mapping[str, Any]) -> None:
        """Add a row."""
        own, listed = self._tables[table], ", ".join(values)
        given = ", ".join(f"new.{column}" for column in values)
        await self._do(
            f"""WITH added AS (
                INSERT INTO {table} AS t ({listed})
                SELECT {given} FROM jsonb_populate_record(NULL::{table}, $4::jsonb) AS new
                RETURNING {own.row_key} AS row_key
            ) {_NOTE} SELECT $1, $2, $3, row_key, NULL, '{{}}'::jsonb FROM added""",
            table,
            dict(values),
        )

    async def remove(
        self, table: str, condition: str, *values: Any, whole: Mapping[str, Any] | None = None
    ) -> None:
        """Take the rows `t` away for which the SQL holds; its values are numbered from $4.

        `whole`: the one row as it was before the merge touched it.
        """
        own = self._tables[table]
        kept = f"${len(values) + 4}::jsonb"
        await self._do(
            f"""WITH removed AS (
                DELETE FROM {table} AS t WHERE {condition}
                RETURNING {own.row_key} AS row_key, coalesce({kept}, to_jsonb(t)) AS whole
            ) {_NOTE} SELECT $1, $2, $3, row_key, whole, NULL FROM removed""",
            table,
            *values,
            dict(whole) if whole else None,
        )

    async def note(self, table: str, key: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Write down what the caller has changed in a row itself."""
        own = self._tables[table]
        await self._do(
            f"""{_NOTE} SELECT $1, $2, $3, $4::jsonb, $5::jsonb, {_some("to_jsonb(t)")}
            FROM {table} AS t WHERE {own.is_row("$4::jsonb")}""",
            table,
            dict(key),
            dict(before),
            list(before),
        )

    async def _do(self, statement: str, table: str, *values: Any) -> None:
        self._step += 1
        await self._connection.execute(statement, self._merge_id, self._step, table, *values)


async def take_back(
    connection: Connection, tables: Mapping[str, Table], merge_id: int, *, but: Sequence[str] = ()
) -> None:
    """Undo every step of a merge, the last first; changes of the tables in `but` are left to the caller."""
    for row in await connection.fetch(sql("steps_of_merge"), merge_id):
        own, step = tables[row["table_name"]], row["step"]
        if row["kind"] == "removed":
            await _bring_back(connection, own, merge_id, step)
        elif row["kind"] == "added":
            await _take_away(connection, own, merge_id, step)
        elif own.name not in but:
            await _restore(connection, own, row["columns"], (merge_id, step))


async def _bring_back(connection: Connection, own: Table, merge_id: int, step: int) -> None:
    listed = ", ".join(own.columns)
    await connection.execute(
        f"""INSERT INTO {own.name} ({listed}) OVERRIDING SYSTEM VALUE
        SELECT {", ".join(f"old.{column}" for column in own.columns)}
        FROM client_merge_rows AS r
        CROSS JOIN LATERAL jsonb_populate_record(NULL::{own.name}, r.before) AS old
        WHERE r.merge_id = $1 AND r.step = $2""",
        merge_id,
        step,
    )


async def _take_away(connection: Connection, own: Table, merge_id: int, step: int) -> None:
    await connection.execute(
        f"""DELETE FROM {own.name} AS t USING client_merge_rows AS r
        WHERE r.merge_id = $1 AND r.step = $2 AND {own.is_row("r.row_key")}""",
        merge_id,
        step,
    )


async def _restore(connection: Connection, own: Table, columns: Sequence[str], step: tuple[int, int]) -> None:
    kept = ", ".join(
        f"{column} = CASE WHEN to_jsonb(t) -> '{column}' = r.after -> '{column}' "
        f"THEN (jsonb_populate_record(t, r.before)).{column} ELSE t.{column} END"
        for column in columns
    )
    await connection.execute(
        f"""UPDATE {own.name} AS t SET {kept} FROM client_merge_rows AS r
        WHERE r.merge_id = $1 AND r.step = $2 AND {own.is_row("r.row_key")}""",
        *step,
    )


def _some(whole: str) -> str:
    """SQL of a row's JSON with the columns in $6 only."""
    return f"(SELECT jsonb_object_agg(key, value) FROM jsonb_each({whole}) WHERE key = ANY ($6::text[]))"
