"""The dead letters at the hub: what nobody could read or send, until somebody deals with it."""

from typing import Annotated

from pydantic import BaseModel, Field

from core.deadletters import DOORS
from core.echoes import storage_errors
from core.errors import Rejected
from core.keys import LetterState
from core.letter_search import Head, Sought
from core.operations import Arguments, Operation, asking
from orchestrator.hub_parts import HubParts

_PATH = "/api/dead-letters"


class LettersSought(Arguments):
    """Which dead letters."""

    door: Annotated[str, Field(max_length=40, description="incoming, outgoing or webhook:avito")] = ""
    reason: Annotated[str, Field(max_length=80, description="Only of this reason")] = ""
    channel: Annotated[str, Field(max_length=32, description="Only of this channel")] = ""
    older_than_hours: Annotated[float, Field(ge=0, le=1e6, description="Only letters older than this")] = 0
    replayed: Annotated[bool, Field(description="Those already replayed, kept until purged")] = False


class LettersPaged(LettersSought):
    """A page of them."""

    limit: Annotated[int, Field(ge=1, le=100, description="Rows per page")] = 20
    cursor: Annotated[str, Field(max_length=60, description="next_cursor of the page before")] = ""


class LetterLine(BaseModel):
    """A dead letter without its payload. `detail_untrusted` may quote what strangers wrote."""

    letter_id: str
    at: str = Field(description="ISO 8601, UTC")
    door: str
    reason: str
    detail_untrusted: str = ""
    channel: str = ""
    account: str = ""
    chat_id: str = ""
    message_id: str = Field(default="", description="the vendor's id, or ours of a delivery")
    bytes: int = 0
    edited_at: str = ""
    edited_by: str = ""
    replayed_at: str = ""
    replayed_by: str = ""


class LetterPage(BaseModel):
    """One page of dead letters, the newest first; a page may be short although more follow."""

    letters: list[LetterLine]
    next_cursor: str = Field(default="", description="empty on the last page")


class LetterDesk:
    """Dead letters, as operators and agents see them."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts

    def operations(self) -> list[Operation]:
        """Looking first."""
        listed = asking(LettersPaged, self._list)
        return [
            Operation("list_dead_letters", "List dead letters", "GET", _PATH, listed, "status", tool=False),
        ]

    async def _list(self, given: LettersPaged) -> LetterPage:
        """List what nobody could read or send, the newest first."""
        with storage_errors():
            page = await self._parts.letters.page(self._sought(given), limit=given.limit, cursor=given.cursor)
        return LetterPage(letters=[_line(head) for head in page.heads], next_cursor=page.next_cursor)

    def _sought(self, given: LettersSought) -> Sought:
        if given.door and given.door not in DOORS:
            raise Rejected(f"There is no door {given.door!r}; known: {', '.join(DOORS)}.")
        hours = given.older_than_hours
        before = self._parts.clock.now_ms() - round(hours * 3_600_000) if hours else None
        state: LetterState = "replayed" if given.replayed else "waiting"
        return Sought(given.door, given.reason, given.channel, state, before)


def _line(head: Head) -> LetterLine:
    letter = head.letter
    return LetterLine(
        letter_id=letter.id,
        at=letter.at,
        door=letter.door,
        reason=letter.reason,
        detail_untrusted=letter.detail,
        channel=letter.channel,
        account=letter.account,
        chat_id=letter.chat,
        message_id=letter.message,
        bytes=head.size,
        edited_at=letter.edited_at,
        edited_by=letter.edited_by,
        replayed_at=letter.replayed_at,
        replayed_by=letter.replayed_by,
    )
