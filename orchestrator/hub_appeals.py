"""The appeals at the hub: look them up, list them, close them."""

from typing import Annotated, Literal

from pydantic import Field

from core.errors import NotFound, Rejected
from core.operations import Operation
from orchestrator import appeals
from orchestrator.hub_arguments import AppealArgument
from orchestrator.hub_models import AppealDetails, AppealPage
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import appeal_details, appeal_line
from orchestrator.store.errors import Unstorable, only_storable


class AppealDesk:
    """Support cases, as agents and operators see them."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool

    def operations(self) -> list[Operation]:
        """In the order in which an agent meets them."""
        appeal = "/api/appeals/{appeal_id}"
        return [
            Operation("get_appeal", "Get an appeal", "GET", appeal, self._get_appeal, "read"),
            Operation("list_appeals", "List appeals", "GET", "/api/appeals", self._list_appeals, "read"),
            Operation("close_appeal", "Close an appeal", "POST", f"{appeal}/close", self._close, "change"),
        ]

    async def _get_appeal(self, appeal_id: AppealArgument) -> AppealDetails:
        """Get a support case: who the client is, what it is about, and its last messages."""
        view = await appeals.get_appeal(self._pool, int(appeal_id))
        if view is None:
            raise NotFound(f"There is no appeal {appeal_id}.")
        return appeal_details(view, self._parts.files)

    async def _list_appeals(
        self,
        status: Annotated[Literal["open", "resolved", "all"], Field(description="Which ones")] = "open",
        channel: Annotated[str, Field(max_length=32, description="Only of this channel; empty: all")] = "",
        limit: Annotated[int, Field(ge=1, le=100, description="Rows per page")] = 20,
        cursor: Annotated[str, Field(max_length=200, description="next_cursor of the page before")] = "",
    ) -> AppealPage:
        """List support cases, latest change first."""
        try:
            with only_storable():
                page = await appeals.list_appeals(
                    self._pool,
                    status=None if status == "all" else status,
                    channel=channel or None,
                    limit=limit,
                    cursor=cursor,
                )
        except Unstorable as error:
            raise Rejected("The cursor or the channel is none of this list. Call without it.") from error
        lines = [appeal_line(appeal) for appeal in page.appeals]
        return AppealPage(appeals=lines, next_cursor=page.next_cursor)

    async def _close(
        self,
        appeal_id: AppealArgument,
        reason: Annotated[str, Field(max_length=500, description="Why it is done")] = "",
    ) -> AppealDetails:
        """Close a support case as resolved; the client's next message opens a new one."""
        if (
            await appeals.close_appeal(self._pool, int(appeal_id), reason=reason, now=self._parts.now())
            is None
        ):
            raise NotFound(f"There is no appeal {appeal_id}.")
        return await self._get_appeal(appeal_id)
