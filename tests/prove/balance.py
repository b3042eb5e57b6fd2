"""What went in beside what came out, counted: the figures that a run prints."""

from collections import Counter

from tests.prove.facts import SENT, Facts, place_of

_FINISHED = ("answered", "closed", "handled")


def balance(facts: Facts) -> dict[str, int]:
    """How many of each, of one example, for Tally.add."""
    states = Counter(row["state"] for row in facts.outbound)
    return {
        "messages": len(facts.oracle.fates()),
        "answered": len(_in_finished_turns(facts)),
        "turns": sum(turn["status"] != "merged" for turn in facts.turns.values()),
        "promised": len(set(facts.oracle.promised)),
        "sends": states.total(),
        "seen": sum(map(len, facts.seen.values())),
        "unknown": states["unknown"],
        "failed": states["failed"],
        "cancelled": states["cancelled"],
        "lost": lost(facts),
        "doubled": doubled(facts),
    }


def lost(facts: Facts) -> int:
    """Messages not kept or in no finished turn; words of ours not kept, or called sent and not seen."""
    done, kept = _in_finished_turns(facts), _kept(facts)
    fates = facts.oracle.fates()
    unasked = sum((not fate.deleted and name not in done) or not kept[name] for name, fate in fates.items())
    known = {(place_of(row), row["text"]) for row in facts.outbound}
    sent = Counter(row["text"] for row in facts.outbound if row["state"] in SENT)
    unseen = sum((sent - Counter({text: len(places) for text, places in facts.seen.items()})).values())
    wanted = {
        one for one in (*facts.oracle.promised, *facts.oracle.listed) if one[1] not in facts.oracle.unsaid
    }
    return unasked + len(wanted - known) + unseen


def doubled(facts: Facts) -> int:
    """Messages kept more than once, replies beyond the one of a turn, and what a customer sees too often."""
    kept = sum(times - 1 for times in _kept(facts).values() if times > 1)
    replies = sum(times - 1 for times in Counter(row["turn_id"] for row in facts.replies).values())
    may = Counter(row["text"] for row in facts.outbound) - facts.certainly_not_sent()
    return kept + replies + sum(max(0, len(places) - may[text]) for text, places in facts.seen.items())


def _kept(facts: Facts) -> Counter[str]:
    return Counter(row["external_message_id"] for row in facts.history if row["sender"] == "customer")


def _in_finished_turns(facts: Facts) -> set[str]:
    """Customers' messages by name."""
    asked = (row for row in facts.history if row["sender"] == "customer" and row["status"] in _FINISHED)
    return {row["external_message_id"] for row in asked}
