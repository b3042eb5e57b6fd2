"""Dead letters of what we send: the same delivery once more, or an edited one under a new name.

A delivery that failed may be sent again under its id: the channel knows what it has sent of it. Other words
under that id would be refused there, so an edit gets an id of its own, made from the letter and the words. It
is allowed only while the vendor certainly has nothing.
"""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from core.bell import Bell
from core.chats import UNREADABLE, explain
from core.clock import Clock
from core.deadletters import DeadLetter
from core.errors import Rejected
from core.jsontext import read_json
from core.messages import OutgoingMessage
from orchestrator.store import outbound
from orchestrator.store.outbound import Delivery
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql

#: The letter of a message whose id was another one's: the delivery of that id is not this message.
_ANOTHERS = "idempotency_conflict"
_STUCK = ("failed", "unknown")
_NOBODY = UUID(int=0)


class Way(NamedTuple):
    """How a message goes on: over this queue ("" when the outbox has it), and whether that is news."""

    queue: str
    is_new: bool


class Resending:
    """What becomes of the deliveries of dead letters."""

    def __init__(self, pool: Pool, queue: str, *, bell: Bell, clock: Clock) -> None:
        self._pool = pool
        self._queue = queue
        self._bell = bell
        self._clock = clock

    async def resend(self, letter: DeadLetter) -> Way:
        """Put its delivery back into the outbox, or say which queue takes it. Rejected when neither helps."""
        message = _message(letter.raw)
        delivery = await outbound.get_delivery(self._pool, message.id)
        if delivery is None:
            return Way(self._queue, is_new=True)
        if not _is(delivery, message):
            raise Rejected("Its id belongs to another message. Edit it: that gives it an id of its own.")
        if delivery.state == "cancelled":
            raise Rejected("It was cancelled. Purge it, or send it anew.")
        if delivery.state not in _STUCK:
            return Way("", is_new=False)
        if delivery.is_settled:
            raise _settled()
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        await self._pool.fetchval(sql("resend_outbound"), delivery.id, now)
        await self._bell.ring()
        return Way("", is_new=True)

    async def edited(self, letter: DeadLetter, payload: bytes) -> OutgoingMessage:
        """The message as it will be sent; Rejected while the vendor may have the one before."""
        message = _message(payload)
        before = await self._delivery_of(letter)
        if before is None or letter.reason == _ANOTHERS:
            return _named(letter, message)
        if before.is_settled:
            raise _settled()
        if _is(before, message):
            return message.model_copy(update={"id": before.id})
        if before.state == "unknown":
            raise Rejected(
                "The customer may have it as it was. Replay it unchanged: the vendor is asked first."
            )
        if before.state not in ("failed", "cancelled"):
            raise Rejected(f"It is {before.state} already: there is nothing left to edit.")
        return _named(letter, message)

    async def _delivery_of(self, letter: DeadLetter) -> Delivery | None:
        """The delivery that the letter was first about."""
        try:
            message = _message(letter.raw_original)
        except Rejected:
            return None
        return await outbound.get_delivery(self._pool, message.id)


def _settled() -> Rejected:
    return Rejected("An operator has settled it: its letter sends nothing more. Purge the letter.")


def _is(delivery: Delivery, message: OutgoingMessage) -> bool:
    """Whether the delivery says that, and says it there."""
    there = (delivery.channel, delivery.account, delivery.external_chat_id)
    addressed = there == (message.channel, message.account, message.external_chat_id)
    return delivery.says(message) and (addressed or delivery.was_meant_for(message))


def _named(letter: DeadLetter, message: OutgoingMessage) -> OutgoingMessage:
    """The message under an id that the same edit gives again."""
    bare = message.model_copy(update={"id": _NOBODY, "idempotency_key": None})
    return message.model_copy(update={"id": uuid5(_NOBODY, f"{letter.id}|{bare.model_dump_json()}")})


def _message(raw: bytes) -> OutgoingMessage:
    try:
        return OutgoingMessage.model_validate(read_json(raw))
    except UNREADABLE as error:
        raise Rejected(f"The payload is no message: {explain(error)}.") from error
