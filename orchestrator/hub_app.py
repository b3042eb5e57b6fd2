"""The inbox at the hub for a person: one tool that shows it, and the view of clients that show apps."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field

from core.apps import View
from core.auth import caller_now, is_operator
from core.errors import NotFound
from core.operations import Operation
from core.permission import refusal
from orchestrator import appeal_changes, history, inbox
from orchestrator.history import MessageView
from orchestrator.hub_app_models import InboxLine, ShownInbox, ShownMessage, You
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import history_line, iso, note_line
from orchestrator.inbox import InboxRow
from orchestrator.inbox_page import inbox_page
from orchestrator.media_links import ShowsMedia

INBOX_VIEW = "ui://inbox"
#: Tools for the view alone: a model hands off, and never gives back.
FOR_OPERATORS = frozenset({"pause", "resume"})
#: What a person may do in the view, if the key may.
DEEDS = ("send_message", "reply", "hand_off", "update_appeal", *sorted(FOR_OPERATORS))
_MOST_SHOWN = 50
_LAST = 50
_LONGEST_WORDS = 200
_TAKE_ONE = "To answer customers yourself, call wait_for_turn."


class AppDesk:
    """What a person looks at, and acts in with the other desks' operations: those of DEEDS in `known`."""

    def __init__(self, parts: HubParts, known: Mapping[str, Operation]) -> None:
        self._parts = parts
        self._known = known
        self._pool = parts.pool

    def operations(self) -> list[Operation]:
        """The tool that opens the view."""
        return [Operation("show_inbox", "Show the inbox", "GET", "/api/inbox", self._show, "read")]

    def views(self) -> list[View]:
        """The page of clients that show apps."""
        return [
            View(
                uri=INBOX_VIEW,
                title="Inbox",
                description="Open cases and who waits; read a conversation, answer, take over, close.",
                html=inbox_page(),
                opens="show_inbox",
                uses=FOR_OPERATORS,
            )
        ]

    async def _show(
        self,
        appeal_id: Annotated[
            str,
            Field(
                pattern=r"^\d{0,18}$", description="Only its conversation, with the messages", examples=["12"]
            ),
        ] = "",
    ) -> ShownInbox:
        """Show the open cases, who waits and who has them, or one conversation, when a person asks to see."""
        return await (self._conversation(int(appeal_id)) if appeal_id else self._inbox())

    async def _inbox(self) -> ShownInbox:
        found = await inbox.chosen(self._pool, limit=_MOST_SHOWN + 1)
        lines = await self._lines(found[:_MOST_SHOWN])
        waits = any(line.waiting_since for line in lines)
        return self._shown(lines, more=len(found) > _MOST_SHOWN, next_step=_TAKE_ONE if waits else "")

    async def _conversation(self, appeal_id: int) -> ShownInbox:
        lines = await self._lines([appeal_id])
        if not lines:
            raise NotFound(f"There is no appeal {appeal_id}.")
        messages = await history.messages_of_appeal(self._pool, appeal_id, last=_LAST)
        notes = await appeal_changes.notes_of(self._pool, appeal_id)
        return self._shown(
            lines,
            messages=[_message(one, self._parts.files) for one in messages],
            notes=[note_line(note) for note in notes],
        )

    async def _lines(self, appeal_ids: Collection[int]) -> list[InboxLine]:
        rows = await inbox.rows_of(self._pool, list(appeal_ids), self._parts.now())
        last = await history.last_of_appeals(self._pool, [row.id for row in rows])
        return [_line(row, last.get(row.id), self._parts.files) for row in rows]

    def _shown(self, lines: list[InboxLine], **more: Any) -> ShownInbox:
        pause = round(self._parts.rules.operator_pause.total_seconds() / 60)
        return ShownInbox(conversations=lines, you=self._you(), pause_minutes=pause, **more)

    def _you(self) -> You:
        caller = caller_now()
        mine = [name for name in DEEDS if name not in FOR_OPERATORS or is_operator()]
        may = [name for name in mine if not refusal(caller, self._known[name])]
        return You(name=caller.name, speaks_as=caller.speaks_as, may=may)


def _message(message: MessageView, files: ShowsMedia) -> ShownMessage:
    return ShownMessage(
        **history_line(message, files).model_dump(),
        delivery_state=message.delivery_state,
        delivery_id=str(message.outbound_id or ""),
    )


def _line(row: InboxRow, last: MessageView | None, files: ShowsMedia) -> InboxLine:
    said = history_line(last, files) if last else None
    return InboxLine(
        appeal_id=str(row.id),
        client_id=str(row.client_id),
        client_name_untrusted=row.client_name,
        channel=row.channel,
        account=row.account,
        chat_id=row.external_chat_id,
        status=row.status,
        priority=row.priority,
        ad_title_untrusted=row.ad_title,
        waiting_since=iso(row.since) if row.since else "",
        turn_id=str(row.turn_id or ""),
        taken_by=row.taken_by,
        paused=bool(row.pause_cause),
        pause_cause=row.pause_cause,
        paused_by=row.paused_by,
        pause_reason_untrusted=row.pause_reason,
        paused_until=iso(row.paused_until) if row.paused_until else "",
        last_sender=said.sender if said else "",
        last_text_untrusted=said.text_untrusted[:_LONGEST_WORDS] if said else "",
        last_at=said.sent_at if said else "",
    )
