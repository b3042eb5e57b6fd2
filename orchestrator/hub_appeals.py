"""The appeals at the hub: look them up, list them, change them, close them, note something."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from core.auth import Bounds, bounds_now, caller_now, is_operator
from core.errors import ConversationPaused, NotFound, Rejected
from core.operations import Arguments, Operation, asking
from orchestrator import appeal_changes, appeals
from orchestrator.appeal_changes import LONGEST_TAG, MOST_TAGS, Marks, Step
from orchestrator.appeal_states import COMMAND_OF
from orchestrator.appeals import Appeal
from orchestrator.cursors import place_of
from orchestrator.hub_arguments import AppealArgument, CursorArgument, LimitArgument, ReasonArgument
from orchestrator.hub_models import AppealDetails, AppealJournal, AppealPage
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import appeal_details, appeal_line, journal_entry, note_line
from orchestrator.store.errors import Unstorable, only_storable

_NOTE_MAX = 5_000

Tags = Annotated[
    tuple[Annotated[str, Field(max_length=LONGEST_TAG)], ...],
    Field(max_length=MOST_TAGS, description="Short words", examples=[["refund"]]),
]
NoteArgument = Annotated[
    str, Field(max_length=_NOTE_MAX, description="For colleagues; never sent", examples=["Ждёт экран"])
]


class AppealChange(Arguments):
    """What update_appeal asks for; what is left out stays as it is."""

    appeal_id: AppealArgument
    status: Annotated[
        Literal["", "open", "waiting_client", "snoozed", "resolved"], Field(description="Empty: as it is")
    ] = ""
    snooze_until: Annotated[
        str, Field(max_length=40, description="With snoozed: ISO 8601", examples=["2027-01-15T09:00:00Z"])
    ] = ""
    priority: Annotated[
        Literal["", "low", "normal", "high", "urgent"], Field(description="Empty: as it is")
    ] = ""
    add_tags: Tags = ()
    remove_tags: Tags = ()
    note: NoteArgument = ""
    reason: ReasonArgument = ""


class AppealDesk:
    """Support cases, as agents and operators see them."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool

    def operations(self) -> list[Operation]:
        """In the order in which an agent meets them."""
        appeal, update = "/api/appeals/{appeal_id}", asking(AppealChange, self._update)
        notes, journal = f"{appeal}/notes", f"{appeal}/journal"
        return [
            Operation("get_appeal", "Get an appeal", "GET", appeal, self._get_appeal, "read"),
            Operation("list_appeals", "List appeals", "GET", "/api/appeals", self._list_appeals, "read"),
            Operation(
                "update_appeal",
                "Change an appeal",
                "POST",
                f"{appeal}/update",
                update,
                "work",
                repeatable=False,  # a note is noted again
                destructive=True,  # of tags, and of the priority before
            ),
            Operation("close_appeal", "Close an appeal", "POST", f"{appeal}/close", self._close, "work"),
            Operation("add_note", "Note something", "POST", notes, self._add_note, "work", tool=False),
            Operation("appeal_journal", "Journal", "GET", journal, self._journal, "read", tool=False),
        ]

    async def _get_appeal(self, appeal_id: AppealArgument) -> AppealDetails:
        """Get a support case, when the turn does not say enough: client, subject, notes and last messages."""
        view = await appeals.get_appeal(self._pool, int(appeal_id))
        if view is None:
            raise _no_such(appeal_id)
        notes = await appeal_changes.notes_of(self._pool, int(appeal_id))
        return appeal_details(view, self._parts.files, [note_line(note) for note in notes])

    async def _list_appeals(
        self,
        status: Annotated[
            Literal["open", "waiting_client", "snoozed", "handed_off", "resolved", "all"],
            Field(description="Which ones"),
        ] = "open",
        channel: Annotated[
            str, Field(max_length=32, description="Only of this channel; empty: all", examples=["avito"])
        ] = "",
        limit: LimitArgument = 20,
        cursor: CursorArgument = "",
    ) -> AppealPage:
        """List support cases, latest change first, to find one outside a turn."""
        if bounds := bounds_now():
            return await self._own(bounds, status, channel)
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
            raise Rejected("There is no channel of this name.") from error
        lines = [appeal_line(appeal) for appeal in page.appeals]
        return AppealPage(appeals=lines, next_cursor=page.next_cursor)

    async def _own(self, bounds: Bounds, status: str, channel: str) -> AppealPage:
        """Of a token: its own case, when it is asked for."""
        one = await self._known(bounds.appeal_id)
        asked = status in ("all", one.status) and channel in ("", one.channel)
        return AppealPage(appeals=[appeal_line(one)] if asked else [])

    async def _update(self, asked: AppealChange) -> AppealDetails:
        """Change a support case when something of it is settled: status, snooze, priority, tags or a note."""
        now, known = self._parts.now(), await self._known(asked.appeal_id)
        until = _snooze_until(asked, now)
        if asked.status and (asked.status != known.status or asked.status == "snoozed"):
            self._leave_to_operators(known)
            step = Step(COMMAND_OF[asked.status], _caller(), asked.reason, until)
            await appeal_changes.step_to(self._pool, known.id, step, now)
        if asked.priority or asked.add_tags or asked.remove_tags:
            marks = Marks(asked.priority or None, asked.add_tags, asked.remove_tags)
            await appeal_changes.mark(self._pool, known.id, marks, now)
        if asked.note.strip():
            await appeal_changes.add_note(self._pool, known.id, author=_caller(), text=asked.note, now=now)
        return await self._get_appeal(asked.appeal_id)

    async def _close(
        self,
        appeal_id: AppealArgument,
        reason: ReasonArgument = "",
    ) -> AppealDetails:
        """Close a support case when the client needs nothing more; a message within days opens it again."""
        known = await self._known(appeal_id)
        self._leave_to_operators(known)
        now = self._parts.now()
        await appeal_changes.close_appeal(self._pool, known.id, reason=reason, now=now, by=_caller())
        return await self._get_appeal(appeal_id)

    async def _add_note(
        self, appeal_id: AppealArgument, text: Annotated[NoteArgument, Field(min_length=1)]
    ) -> AppealDetails:
        """Note something about a support case for colleagues; it is never sent to the client."""
        known = await self._known(appeal_id)
        now = self._parts.now()
        await appeal_changes.add_note(self._pool, known.id, author=_caller(), text=text, now=now)
        return await self._get_appeal(appeal_id)

    async def _journal(
        self, appeal_id: AppealArgument, limit: LimitArgument = 50, cursor: CursorArgument = ""
    ) -> AppealJournal:
        """Show who changed the status of a support case, when and why: the last page first."""
        known = await self._known(appeal_id)
        before = place_of(cursor)
        found = await appeal_changes.journal_of(self._pool, known.id, last=limit + 1, before=before)
        entries = found[-limit:]
        more = str(entries[0].id) if len(found) > limit else ""
        return AppealJournal(entries=[journal_entry(entry) for entry in entries], next_cursor=more)

    async def _known(self, appeal_id: str) -> Appeal:
        appeal = await appeals.find_appeal(self._pool, int(appeal_id))
        if appeal is None:
            raise _no_such(appeal_id)
        return appeal

    def _leave_to_operators(self, appeal: Appeal) -> None:
        """Whoever has the conversation decides about its case."""
        if appeal.status == "handed_off" and not is_operator():
            raise ConversationPaused(channel=appeal.channel)


def _snooze_until(asked: AppealChange, now: datetime) -> datetime | None:
    if asked.status != "snoozed":
        if asked.snooze_until:
            raise Rejected("snooze_until goes with the status snoozed.")
        return None
    try:
        until = datetime.fromisoformat(asked.snooze_until)
    except ValueError as error:
        raise Rejected("snooze_until is not a time such as 2027-01-15T08:00:00Z.") from error
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    if until <= now:
        raise Rejected("snooze_until is in the past.")
    return until


def _caller() -> str:
    return caller_now().name


def _no_such(appeal_id: str) -> NotFound:
    return NotFound(f"There is no appeal {appeal_id}.")
