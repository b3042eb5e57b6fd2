"""What a storm came to, in lines that can be pasted."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice

from tests.chaos.ledger import Ledger
from tests.chaos.plan import Plan
from tests.chaos.storm import Outcome

_SHOWN = 10


def summary(outcome: Outcome) -> str:
    """The account, and what is wrong with it."""
    ledger, rest = outcome.ledger, outcome.rest
    rows = _messages(ledger) | {
        "kill -9": sum(outcome.killed.values()),
        "faults of messengers": sum(outcome.weather.values()),
        "dead letters": sum(outcome.dead_letters.values()),
        "seconds": round(outcome.seconds),
        "seed": outcome.plan.seed,
    }
    return "\n".join(
        [
            *(f"{name:<38}{value:>9,}" for name, value in rows.items()),
            _counted("killed", outcome.killed),
            _counted("faults", outcome.weather),
            _counted("dead letters", outcome.dead_letters),
            _counted("given up", Counter(_messenger(ledger, token) for token in ledger.undelivered)),
            *_named("lost", ledger.lost),
            *_named("doubled", ledger.doubled),
            *_named("failed", ledger.failed),
            *_named("unknown", ledger.unknown),
            *([] if rest and rest.at_rest else [f"not at rest: {rest}"]),
            *([] if outcome.complete else [_short_of(outcome.plan)]),
        ]
    )


def _messages(ledger: Ledger) -> dict[str, int]:
    """Those that were accepted are seen, closed in silence, lost, or unknown and not seen."""
    taken = [ledger.in_turns[token] for token in ledger.accepted if token in ledger.in_turns]
    unknown = ledger.unknown
    return {
        "messages written": len(ledger.written),
        "messages accepted (200, or stored)": len(ledger.accepted),
        "given up by their messenger": len(ledger.undelivered),
        "forms that were not accepted": len(ledger.written.keys() - ledger.accepted - ledger.undelivered),
        "in turns": len(taken),
        "answered": sum(status in ("answered", "closed") for status in taken),
        "seen by customers": sum(token in ledger.seen for token in ledger.accepted),
        "forms, closed in silence": len(ledger.by_silence & ledger.accepted),
        "lost": len(ledger.lost),
        "doubled": len(ledger.doubled),
        "deliveries that failed": len(ledger.failed),
        "unknown, each accounted for": len(unknown),
        "unknown, and seen by the customer": sum(token in ledger.seen for token in unknown),
    }


def _short_of(plan: Plan) -> str:
    return f"smaller than planned: {plan.kills:,} kills and {plan.accepted_at_least:,} accepted were to be"


def _messenger(ledger: Ledger, token: str) -> str:
    return ledger.written[token].partition("/")[0]


def _counted(what: str, counts: Mapping[str, int]) -> str:
    return f"{what}: {', '.join(f'{name} {count}' for name, count in sorted(counts.items())) or 'none'}"


def _named(what: str, found: Mapping[str, str]) -> list[str]:
    lines = [f"{what}: {name}: {why}" for name, why in islice(found.items(), _SHOWN)]
    more = len(found) - len(lines)
    return [*lines, f"{what}: and {more} more"] if more > 0 else lines
