"""The promises about what we say, asked of the facts: each check yields what is wrong, by promise."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.prove.facts import SENT, Facts, place_of


def a_turn_has_at_most_one_reply(facts: Facts) -> Iterator[str]:
    """An answered turn one, every other none; a merged one asks nothing any more."""
    replies, asked = Counter(row["turn_id"] for row in facts.replies), facts.in_turns()
    for number, turn in facts.turns.items():
        if replies[number] != (turn["status"] == "answered"):
            yield f"one-reply: the turn {number} ({turn['status']}) has {replies[number]} replies"
        if turn["status"] == "merged" and asked[number]:
            yield f"one-turn: the merged turn {number} has {asked[number]}"


def a_reply_is_of_who_held_the_turn(facts: Facts) -> Iterator[str]:
    """And has seen all that the turn asks, unless it was forced."""
    asked = facts.in_turns()
    for row in facts.replies:
        answer = facts.answers.get(row["text"])
        if answer is None or answer.hand.turn_id != row["turn_id"]:
            yield f"no-mixing: the turn {row['turn_id']} was answered with {row['text']!r}"
        elif answer.outcome in ("superseded", "stale_lease", "taken_over"):
            yield f"one-reply: {row['text']!r} was refused ({answer.outcome}) and sent all the same"
        elif place_of(row) != answer.hand.place:
            yield f"no-mixing: {row['text']!r} for {answer.hand.place} goes to {place_of(row)}"
        elif not answer.force and not asked[row["turn_id"]] <= answer.quoted:
            yield f"fresh-reply: {row['text']!r} answers {sorted(asked[row['turn_id']])}"


def a_silence_has_seen_what_it_closes(facts: Facts) -> Iterator[str]:
    """Nobody closes a question unread."""
    asked = facts.in_turns()
    for number, turn in facts.turns.items():
        read = {name for one in facts.silences if one.hand.turn_id == number for name in one.quoted}
        if turn["status"] == "closed" and not asked[number] <= read:
            yield f"fresh-reply: the turn {number} was closed with {sorted(asked[number] - read)} unread"


def a_handled_turn_is_a_persons(facts: Facts) -> Iterator[str]:
    """Only where somebody took over, or seems to: a late echo of what is in doubt is taken for theirs."""
    heard = {place_of(row) for row in facts.history if row["sender"] == "operator"}
    for number, turn in facts.turns.items():
        if turn["status"] == "handled" and place_of(turn) not in facts.oracle.taken_over | heard:
            yield f"paused: nobody took the turn {number} over, and nobody answers it"


def the_customer_sees_each_text_once(facts: Facts) -> Iterator[str]:
    """Also when nobody knows whether it arrived; twice only what an operator has sent anew."""
    accepted, refused = Counter(row["text"] for row in facts.outbound), facts.certainly_not_sent()
    for text, places in facts.seen.items():
        if not accepted[text]:
            yield f"nothing-doubled: the customer sees {text!r}, which nobody sent"
        elif len(places) > accepted[text] - refused[text]:
            yield f"nothing-doubled: the customer sees {text!r} {len(places)} times"


def what_was_accepted_is_kept(facts: Facts) -> Iterator[str]:
    """By the hub, and from queue:outgoing."""
    known = {(place_of(row), row["text"]) for row in facts.outbound}
    for place, text in {*facts.oracle.listed, *facts.oracle.promised} - known:
        if text not in facts.oracle.unsaid:
            yield f"nothing-lost: {text!r} was accepted for {place} and is not known"


def each_delivery_is_what_its_state_says(facts: Facts) -> Iterator[str]:
    """Sent is seen, cancelled is not, and nobody sees what another was to see."""
    sent = Counter(row["text"] for row in facts.outbound if row["state"] in SENT)
    for row in facts.outbound:
        text, seen = row["text"], facts.seen[row["text"]]
        if any(place != place_of(row) for place in seen):
            yield f"no-mixing: {text!r} of {place_of(row)} is seen in {seen}"
        if sent[text] > len(seen):
            yield f"nothing-lost: {text!r} is {row['state']} and not seen"
        if row["state"] == "cancelled" and seen:
            yield f"cancel: {text!r} was cancelled and is seen"


def deliveries_keep_their_order(facts: Facts) -> Iterator[str]:
    """In each chat, in the order in which they were accepted, whichever door they came by.

    What was pushed to the list once more may have been let go from the dead letters by that: it comes late,
    and so does what an operator has let go.
    """
    pushed = Counter(facts.oracle.listed)
    again = {text for (_, text), times in pushed.items() if times > 1} | facts.oracle.again
    order = {row["text"]: row["seq"] for row in facts.outbound if row["text"] not in again}
    for place, texts in facts.screens.items():
        ours = [text for text in texts if text in order]
        yield from (
            f"order: in {place} {later!r} is seen after {earlier!r}"
            for earlier, later in pairwise(ours)
            if order[earlier] > order[later]
        )


CHECKS = (
    a_turn_has_at_most_one_reply,
    a_reply_is_of_who_held_the_turn,
    a_silence_has_seen_what_it_closes,
    a_handled_turn_is_a_persons,
    the_customer_sees_each_text_once,
    what_was_accepted_is_kept,
    each_delivery_is_what_its_state_says,
    deliveries_keep_their_order,
)
