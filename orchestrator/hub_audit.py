"""The log of who did what, at the hub: for whoever manages."""

import re
from typing import Annotated

from pydantic import BaseModel, Field

from core.audit import Entry
from core.auth import LONGEST_NAME
from core.errors import BadCursor
from core.operations import Operation
from orchestrator.hub_arguments import CursorArgument, LimitArgument
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import iso
from orchestrator.store.queries import sql


class AuditPage(BaseModel):
    """Entries, the newest first."""

    entries: list[Entry]
    next_cursor: str = Field(default="", description="empty on the last page")


class AuditDesk:
    """Looked at by people and programs, not by models."""

    def __init__(self, parts: HubParts) -> None:
        self._pool = parts.pool

    def operations(self) -> list[Operation]:
        """One."""
        run = self._list
        return [
            Operation("list_audit", "List who did what", "GET", "/api/audit", run, "read", False, "manage")
        ]

    async def _list(
        self,
        caller: Annotated[
            str, Field(max_length=LONGEST_NAME, description="Only of this key", examples=["bot"])
        ] = "",
        operation: Annotated[
            str, Field(max_length=64, description="Only of this operation", examples=["send_bulk"])
        ] = "",
        result: Annotated[
            str, Field(max_length=64, description="ok or an error's code", examples=["declined"])
        ] = "",
        limit: LimitArgument = 20,
        cursor: CursorArgument = "",
    ) -> AuditPage:
        """List who wrote, changed or deleted what, with which result."""
        if cursor and not re.fullmatch(r"[0-9]{1,18}", cursor):
            raise BadCursor
        rows = await self._pool.fetch(sql("list_audit"), caller, operation, result, int(cursor or 0), limit)
        entries = [
            Entry.model_validate({**dict(row), "id": str(row["id"]), "at": iso(row["at"])}) for row in rows
        ]
        return AuditPage(entries=entries, next_cursor=str(rows[-1]["seq"]) if len(rows) == limit else "")
