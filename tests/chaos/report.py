"""What a storm came to, in lines that can be pasted."""

from collections.abc import Mapping
from itertools import islice

from tests.chaos.storm import Outcome

_SHOWN = 10


def summary(outcome: Outcome) -> str:
    """The account, and what is wrong with it."""
    plan, ledger = outcome.plan, outcome.ledger
    rows = {
        "messages written": len(ledger.written),
        "messages accepted (answered 200)": len(ledger.accepted),
        "given up by their messenger": len(ledger.undelivered),
        "in turns": len(ledger.in_turns),
        "answered before the customer's eyes": sum(token in ledger.seen for token in ledger.accepted),
        "forms, closed in silence": len(ledger.by_silence),
        "lost": len(ledger.lost),
        "doubled": len(ledger.doubled),
        "unknown, each accounted for": len(ledger.unknown),
        "kill -9": sum(outcome.killed.values()),
        "faults of messengers": sum(outcome.weather.values()),
        "dead letters": sum(outcome.dead_letters.values()),
        "seconds": round(outcome.seconds),
        "seed": plan.seed,
    }
    lines = [f"{name:<38}{value:>9,}" for name, value in rows.items()]
    return "\n".join(
        [
            *lines,
            _counted("killed", outcome.killed),
            _counted("faults", outcome.weather),
            *_named("lost", ledger.lost),
            *_named("doubled", ledger.doubled),
            *_named("unknown", ledger.unknown),
            *([] if outcome.rest and outcome.rest.at_rest else [f"not at rest: {outcome.rest}"]),
            *_named("dead letters", {why: str(count) for why, count in outcome.dead_letters.items()}),
        ]
    )


def _counted(what: str, counts: Mapping[str, int]) -> str:
    return f"{what}: {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}"


def _named(what: str, found: Mapping[str, str]) -> list[str]:
    lines = [f"{what}: {name}: {why}" for name, why in islice(found.items(), _SHOWN)]
    more = len(found) - len(lines)
    return [*lines, f"{what}: and {more} more"] if more > 0 else lines
