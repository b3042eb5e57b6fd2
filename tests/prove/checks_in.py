"""The promises about what customers say, asked of the facts: each check yields what is wrong, by promise."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.prove.facts import SENT, Facts, place_of
from tests.prove.oracle import ASKED, Fate


def each_message_is_kept_once(facts: Facts) -> Iterator[str]:
    """What was answered 200 is in the history, whole, and nothing else is."""
    kept = Counter(row["external_message_id"] for row in facts.history if row["sender"] == "customer")
    fates = facts.oracle.fates()
    yield from (f"nothing-doubled: {name} was never written" for name in kept.keys() - fates.keys())
    yield from (f"nothing-lost: {name} is kept {kept[name]} times" for name in fates if kept[name] != 1)


def operators_are_told_from_echoes(facts: Facts) -> Iterator[str]:
    """What an operator typed is kept; what is surely ours was not taken for it."""
    heard = (row for row in facts.history if row["sender"] == "operator" and row["outbound_id"] is None)
    found = {(*place_of(row), row["external_message_id"]) for row in heard}
    spoken = (one for one in facts.oracle.said("operator_message") if one.accepted is not None)
    typed = {(*one.place, one.target) for one in spoken}
    sent = (row for row in facts.outbound if row["state"] in SENT)
    ours = {(*place_of(row), name) for row in sent for name in row["vendor_message_ids"]}
    yield from (f"nothing-lost: the operator's {name} is not kept" for name in typed - found)
    yield from (f"echo: {name} is ours, not an operator's" for name in (found - typed) & ours)


def each_question_is_in_one_finished_turn(facts: Facts) -> Iterator[str]:
    """Of its own chat, with its last words."""
    fates = facts.oracle.fates()
    for row in facts.history:
        fate = fates.get(row["external_message_id"])
        if fate is not None and row["sender"] == "customer":
            yield from _misplaced(row, fate)
            yield from _misquoted(row, fate)


def _misplaced(row: Any, fate: Fate) -> Iterator[str]:
    name, turn = row["external_message_id"], row["turn_id"]
    if place_of(row) != fate.place:
        yield f"no-mixing: {name} of {fate.place} lies in {place_of(row)}"
    if turn is not None and (row["turn_channel"], row["turn_account"], row["turn_chat"]) != fate.place:
        yield f"no-mixing: {name} of {fate.place} is in a turn of another chat"
    if not fate.deleted and row["status"] not in ("answered", "closed", "handled"):
        yield f"nothing-lost: {name} is in the turn {turn} ({row['status']})"


def _misquoted(row: Any, fate: Fate) -> Iterator[str]:
    name = row["external_message_id"]
    if (row["deleted_at"] is not None) != fate.deleted:
        yield f"edits: {name} deleted: {row['deleted_at']}, expected {fate.deleted}"
    if not fate.deleted and row["message_text"] != fate.text:
        yield f"edits: {name} says {row['message_text']!r}, expected {fate.text!r}"


def messages_keep_their_order(facts: Facts) -> Iterator[str]:
    """Who wrote first, and was delivered first, stands first."""
    said, fates = {one.target: one for one in facts.oracle.said(*ASKED)}, facts.oracle.fates()
    plain = {name for name, fate in fates.items() if not fate.changed_early and not fate.deleted}
    rows = [said[row["external_message_id"]] for row in facts.history if row["external_message_id"] in plain]
    for number, later in enumerate(rows):
        for earlier in rows[:number]:
            wrong = (later.accepted or 0) < (earlier.accepted or 0) and later.at < earlier.at
            if later.place == earlier.place and wrong:
                yield f"order: {later.target} stands behind {earlier.target}"


CHECKS = (
    each_message_is_kept_once,
    operators_are_told_from_echoes,
    each_question_is_in_one_finished_turn,
    messages_keep_their_order,
)
