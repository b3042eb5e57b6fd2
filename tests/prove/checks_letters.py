"""The promises about dead letters, asked of the facts: each check yields what is wrong, by promise."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from core.messages import OutgoingMessage
from tests.prove.facts import Facts, place_of
from tests.prove.messenger import Place

#: These need no person: an agent was told, an operator has decided, or a client wants to be forgotten.
_TOLD = ("conversation_paused", "settled_not_sent", "resent", "erased")


def a_letter_is_kept_whole_until_it_is_purged(facts: Facts) -> Iterator[str]:
    """Replayed or not, edited or not."""
    for number, payload in facts.oracle.letters.items():
        kept = facts.letters.get(number)
        if kept is None and number not in facts.oracle.purged:
            yield f"letters: {payload!r} is gone, and nobody has purged it"
        if kept is not None and kept.letter.raw_original != payload:
            yield f"letters: {payload!r} has become {kept.letter.raw_original!r}"
    yield from (
        f"letters: {number} has no reason" for number, kept in facts.letters.items() if not kept.letter.reason
    )


def letters_hold_what_nobody_could_read(facts: Facts) -> Iterator[str]:
    """Whole, once, and nothing else."""
    buried = Counter(letter.raw_original for letter in facts.letters_at("incoming"))
    expected = Counter(facts.oracle.garbage)
    expected.subtract(raw for raw in facts.purged() if raw in expected)
    if buried != +expected:
        yield f"bad-input: the dead letters hold {buried}, expected {expected}"


def letters_hold_what_could_not_be_sent(facts: Facts) -> Iterator[str]:
    """What failed or is in doubt, until somebody has dealt with it."""
    held = {letter.raw_original for letter in facts.letters_at("outgoing")} | set(facts.purged())
    names = {message.id for message in map(_message, held) if message}
    for row in facts.outbound:
        stuck = row["state"] in ("failed", "unknown") and row["error_code"] not in _TOLD
        if stuck and row["id"] not in names:
            yield f"unknown: {row['text']!r} is {row['state']} and has no dead letter"


def letters_say_what_was_to_be_sent(facts: Facts) -> Iterator[str]:
    """There, in these words or in those that an operator has put in their place."""
    of_id = {row["id"]: row for row in facts.outbound}
    for letter in facts.letters_at("outgoing"):
        first, now = _message(letter.raw_original), _message(letter.raw)
        if first is None or now is None or not _is(of_id.get(first.id), first):
            yield f"letters: {letter.raw!r} is not what was to be sent"
            continue
        words = (first.text, *facts.oracle.reworded.get(letter.id, ()))
        if now.text not in words or _there(now) != _there(first):
            yield f"letters: nobody has written {now.text!r} for {_there(now)}"


def _is(row: Any, message: OutgoingMessage) -> bool:
    return row is not None and (row["text"], place_of(row)) == (message.text, _there(message))


def _message(raw: bytes) -> OutgoingMessage | None:
    with suppress(ValueError):
        return OutgoingMessage.model_validate_json(raw)
    return None


def _there(message: OutgoingMessage) -> Place:
    return (message.channel, message.account, message.external_chat_id)


CHECKS = (
    a_letter_is_kept_whole_until_it_is_purged,
    letters_hold_what_nobody_could_read,
    letters_hold_what_could_not_be_sent,
    letters_say_what_was_to_be_sent,
)
