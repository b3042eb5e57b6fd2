"""An agent gives its turn to a person: the conversation is paused, and the turn waits for the pause's end."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.pauses import Grounds, Pause
from orchestrator.rules import Rules
from orchestrator.store.pool import Pool
from orchestrator.taken import TakenOver
from orchestrator.takeover import take_over
from orchestrator.turns import AlreadyAnswered, Lease, StaleLease, locked_turn, not_yours


@dataclass(frozen=True, slots=True)
class HandedOff:
    """A person has to answer now; the turn is not the agent's any more."""

    pause: Pause


async def hand_off(
    pool: Pool, lease: Lease, *, reason: str, by: str, rules: Rules, now: datetime
) -> HandedOff | TakenOver | AlreadyAnswered | StaleLease:
    """Pause the conversation of a turn that this lease holds. TakenOver: a person has it already."""
    async with pool.acquire() as connection, connection.transaction():
        turn = await locked_turn(connection, lease, with_client=True)
        if turn is None:
            return await not_yours(connection, lease, now)
        if turn.status != "leased":
            return AlreadyAnswered(turn.outbound_id, same=False)
        until = now + rules.hand_off_pause if rules.hand_off_pause else None
        return HandedOff(
            await take_over(connection, turn.chat, Grounds("hand_off", by, reason, until=until), now)
        )
