"""What an agent is told whose turn was taken from it: a person has the conversation, and what they said."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.history import MessageView, messages_around
from orchestrator.pauses import Chat, pause_in_force
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql

_LAST = 20


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Nothing was sent: a person has the conversation, or has answered the turn (`handled`).

    `said` is what operators said since the turn began.
    """

    handled: bool
    said: list[MessageView]
    by: str = ""
    reason: str = ""


async def taken_over(connection: Connection, turn_id: int, chat: Chat, now: datetime) -> TakenOver:
    """Why the turn is not its agent's any more."""
    row = await connection.fetchrow(sql("get_turn"), turn_id)
    pause = await pause_in_force(connection, chat, now)
    around = await messages_around(connection, turn_id, last=_LAST)
    return TakenOver(
        handled=row is not None and row["status"] == "handled",
        said=[one for one in around if one.sender == "operator" and row and one.sent_at >= row["first_at"]],
        by=pause.paused_by if pause else "",
        reason=pause.reason if pause else "",
    )


async def give_turn_up(connection: Connection, turn_id: int, chat: Chat, now: datetime) -> None:
    """Take a leased turn back, together with what was written since; it waits for the end of the pause."""
    await connection.execute(sql("absorb_newer_turn"), turn_id, now, *chat)
    await connection.execute(sql("take_turn_back"), turn_id, now)
