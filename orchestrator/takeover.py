"""A person takes a conversation over: the AI is paused there, in the transaction that learns of it.

    the case          becomes handed_off
    queued AI words   fail as conversation_paused; what had begun is finished
    a leased turn     is taken back; its agent is told why when it wants to commit
    waiting turns     are not offered until the pause ends; those that the operator has answered are handled

Everything here runs under the lock of the chat, and the channels are told afterwards (pause_news.py).
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from orchestrator.appeal_changes import Step, change
from orchestrator.appeal_states import Event
from orchestrator.history import Novelty
from orchestrator.pauses import Chat, Grounds, Pause, ended, get_pause, put_pause, renewed
from orchestrator.rules import Rules
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql
from orchestrator.taken import give_turn_up

_EVENTS: dict[str, Event] = {
    "hand_off": "hand_off",
    "operator_message": "operator_writes",
    "operator_sent": "operator_writes",
    "command": "pause",
}
OPERATOR = "operator"
_LOOK_AGAIN = timedelta(minutes=5)


async def take_over(connection: Connection, chat: Chat, grounds: Grounds, now: datetime) -> Pause:
    """Pause the AI in a conversation, or keep it paused longer; the pause from now on, which may be over."""
    pause = renewed(await get_pause(connection, chat), chat, grounds, now)
    await put_pause(connection, pause)
    if pause.holds(now):
        await _hand_over(connection, chat, grounds, now)
    return pause


async def give_back(
    connection: Connection, chat: Chat, *, by: str, reason: str = "", now: datetime
) -> Pause | None:
    """End a pause by command: waiting turns are offered again. None when the conversation is not paused."""
    known = await get_pause(connection, chat)
    if known is None or not known.holds(now):
        return None
    pause = ended(known, by=by, now=now)
    await put_pause(connection, pause)
    appeal_id = await _case_of(connection, chat)
    if appeal_id is not None:
        await resume_case(connection, appeal_id, Step("resume", by, reason), now)
    return pause


async def resume_case(connection: Connection, appeal_id: int, step: Step, now: datetime) -> bool:
    """Do the step if no person has a conversation of the case any more; else say when to look again."""
    if await connection.fetchval(sql("appeal_is_given_back"), appeal_id, now):
        await change(connection, appeal_id, step, now)
        return True
    await connection.execute(sql("look_again"), appeal_id, now, now + _LOOK_AGAIN)
    return False


async def operator_wrote(
    connection: Connection, news: Sequence[Novelty], opened: AbstractSet[int], rules: Rules, now: datetime
) -> set[int]:
    """Take over where an operator answered in the messenger's app; the turns that are handled by that.

    `opened` are the turns of this transaction. A message that comes late, from before the operator's last
    word, was on the operator's screen when they wrote.
    """
    handled: set[int] = set()
    for new in news:
        if words := new.operator_words:
            chat = (new.batch.channel, new.batch.account, new.batch.external_chat_id)
            said = words[-1]
            at = min(said.timestamp, now)
            grounds = Grounds(
                "operator_message",
                OPERATOR,
                until=at + rules.operator_pause,
                word_at=at,
                word_id=said.external_message_id,
            )
            handled |= await handle_turns(
                connection, chat, now, word_id=grounds.word_id, before=said.timestamp
            )
            await take_over(connection, chat, grounds, now)
    late = await connection.fetch(sql("handle_late_turns"), list(opened - handled), now) if opened else []
    return handled | {row["id"] for row in late}


async def operator_sent(connection: Connection, chat: Chat, *, by: str, rules: Rules, now: datetime) -> None:
    """An operator answers through the hub: as if they had written in the messenger's app."""
    await handle_turns(connection, chat, now)
    await take_over(connection, chat, Grounds("operator_sent", by, until=now + rules.operator_pause), now)


async def handle_turns(
    connection: Connection, chat: Chat, now: datetime, *, word_id: str = "", before: datetime | None = None
) -> set[int]:
    """End the turns that an operator has answered: those whose messages all came before (None: all)."""
    rows = await connection.fetch(sql("handle_turns"), *chat, now, word_id, before)
    return {row["id"] for row in rows}


async def forget_words(connection: Connection, chat: Chat, ids: Collection[str], now: datetime) -> None:
    """What was taken for an operator's words was ours: nobody has taken over, and nothing is handled."""
    known = await get_pause(connection, chat)
    if known is None or known.word_id not in ids:
        return
    for row in await connection.fetch(sql("turns_handled_by"), *chat, list(ids)):
        await connection.execute(sql("absorb_newer_turn"), row["id"], now, *chat)
        await connection.execute(sql("revive_turn"), row["id"])
    if known.cause == "operator_message":
        await give_back(connection, chat, by="system", reason="it was our own echo", now=now)


async def _hand_over(connection: Connection, chat: Chat, grounds: Grounds, now: datetime) -> None:
    appeal_id = await _case_of(connection, chat)
    if appeal_id is not None:
        step = Step(_EVENTS[grounds.cause], grounds.by, grounds.reason)
        await change(connection, appeal_id, step, now)
    await connection.execute(sql("refuse_queued"), *chat, now)
    leased = await connection.fetchval(sql("leased_turn_of_chat"), *chat)
    if leased is not None:
        await give_turn_up(connection, leased, chat, now)


async def _case_of(connection: Connection, chat: Chat) -> int | None:
    """The open case that is spoken of in a chat."""
    row = await connection.fetchrow(sql("whose_chat"), *chat)
    return row["appeal_id"] if row is not None else None
