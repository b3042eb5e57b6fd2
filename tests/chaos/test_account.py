"""The account of a storm: each message that was accepted stands in one line, whatever the size."""

import time
from collections import Counter

from tests.chaos.audit import Rest
from tests.chaos.ledger import Ledger
from tests.chaos.plan import Plan
from tests.chaos.progress import EVERY, Progress
from tests.chaos.report import summary
from tests.chaos.storm import Outcome

_AT_REST = Rest(turns=0, sends=0, stored=0, gathering=0)


def _answered(count: int) -> Ledger:
    """Everything went well."""
    tokens = [f"#{number}" for number in range(count)]
    return Ledger(
        written={token: f"vk/vk-{number % 60}" for number, token in enumerate(tokens)},
        told=set(tokens),
        in_turns=dict.fromkeys(tokens, "answered"),
        stored=Counter(tokens),
        seen=Counter(tokens),
    )


def test_what_is_missing_is_lost_unless_somebody_accounts_for_it() -> None:
    """Each with the place where its track ends."""
    ledger = _answered(7)
    del ledger.stored["#1"], ledger.in_turns["#2"], ledger.seen["#4"], ledger.seen["#5"], ledger.seen["#6"]
    ledger.in_turns["#3"], ledger.in_turns["#5"] = "ready", "closed"
    ledger.unsettled["#6"] = "delivery 1 on max is unknown: outcome_unknown"

    assert ledger.lost == {
        "#1": "in no history",
        "#2": "in no turn",
        "#3": "its turn is ready",
        "#4": "answered, and not seen by the customer",
    }
    assert ledger.unknown == {"#6": "delivery 1 on max is unknown: outcome_unknown; not seen"}


def test_a_reply_that_nobody_can_trace_excuses_only_what_its_customer_does_not_see() -> None:
    """What never came so far is lost, whatever is known of a reply."""
    ledger = _answered(3)
    ledger.unsettled = dict.fromkeys(ledger.written, "delivery 1 on max is unknown: outcome_untraceable")
    ledger.seen.clear()
    del ledger.stored["#0"]
    ledger.in_turns["#1"] = "handled"

    assert ledger.lost == {"#0": "in no history", "#1": "its turn is handled"}


def test_a_reply_that_failed_is_an_uneven_account_and_its_words_are_lost() -> None:
    """An echo taken for an operator pauses the chat, and what was queued fails without a dead letter."""
    ledger = _answered(2)
    del ledger.seen["#1"]
    ledger.failed["1"] = "vk: conversation_paused: A person had the conversation when this was to be sent."
    outcome = Outcome(Plan(2, 0, 1), ledger, rest=_AT_REST)

    assert ledger.lost == {"#1": "answered, and not seen by the customer"}
    ledger.seen["#1"] = 1
    assert not ledger.lost
    assert not outcome.even
    assert _row(summary(outcome), "deliveries that failed") == "1"
    ledger.failed.clear()
    assert outcome.even


def test_a_reply_that_nobody_can_trace_lies_in_the_dead_letters() -> None:
    """Else nobody would ever look after it."""
    ledger = _answered(2)
    ledger.unsettled = dict.fromkeys(ledger.written, "delivery 1 on max is unknown: outcome_untraceable")
    outcome = Outcome(Plan(2, 0, 1), ledger, rest=_AT_REST)

    assert not outcome.even
    outcome.dead_letters.update(outcome_untraceable=1)
    assert outcome.even


def test_what_is_stored_is_accepted_whatever_a_log_shows() -> None:
    """A 200 that scrolled out of the messenger's log: the customer must be answered all the same."""
    ledger = _answered(2)
    ledger.told.clear()
    del ledger.in_turns["#1"]

    assert ledger.accepted == {"#0", "#1"}
    assert not ledger.undelivered
    assert ledger.lost == {"#1": "in no turn"}


def test_a_storm_that_was_smaller_than_its_plan_is_not_complete() -> None:
    """Fewer kills, or more than one message in a hundred that nobody accepted."""
    outcome = Outcome(Plan(200, 2, 1), _answered(198), rest=_AT_REST)
    outcome.killed.update(redis=2)
    assert outcome.complete

    outcome.killed.update(redis=-1)
    assert outcome.even
    assert not outcome.complete
    outcome.killed.update(redis=1)
    outcome.ledger = _answered(197)
    assert not outcome.complete
    assert "smaller than planned: 2 kills and 198 accepted were to be" in summary(outcome)


def test_what_is_stored_or_answered_twice_is_doubled() -> None:
    """Also when nobody was told that it was accepted."""
    ledger = _answered(3)
    ledger.told.clear()
    ledger.stored["#0"] = 2
    ledger.seen["#2"] = 3

    assert ledger.doubled == {"#0": "stored 2 times", "#2": "answered 3 times"}


def test_more_replies_than_answered_turns_are_doubled() -> None:
    """The storm still ends with its report, which says so."""
    ledger = _answered(3)
    ledger.committed = (4, 3)

    assert ledger.doubled == {"replies": "4, to 3 answered turns"}
    assert "doubled: replies: 4, to 3 answered turns" in summary(
        Outcome(Plan(3, 1, 1), ledger, rest=_AT_REST)
    )


def test_the_account_of_a_hundred_thousand_messages_takes_seconds() -> None:
    """A full storm once ended in an account that asked for all silent turns anew for each message."""
    ledger = _answered(100_000)
    for number in range(0, 100_000, 100):
        ledger.in_turns[f"#{number}"] = "closed"
    began = time.monotonic()

    shown = summary(Outcome(Plan(100_000, 55, 18), ledger, rest=_AT_REST))

    assert time.monotonic() - began < 20
    assert _row(shown, "forms, closed in silence") == "1,000"


def test_the_summary_names_each_figure_of_the_storm() -> None:
    """Those that were accepted are seen, silent, lost, or unknown and not seen."""
    ledger = _answered(6)
    ledger.written |= {"#6": "max/max-1", "#7": "form/form"}
    ledger.in_turns["#0"] = "closed"
    del ledger.seen["#0"], ledger.seen["#1"], ledger.stored["#2"], ledger.in_turns["#2"], ledger.seen["#2"]
    ledger.unsettled = dict.fromkeys(["#1", "#3"], "delivery 1 on max is unknown: outcome_unknown")
    outcome = Outcome(Plan(8, 3, 1), ledger, seconds=61.4, rest=_AT_REST)
    outcome.killed.update(redis=2, mcp_vk=1)
    outcome.weather.update({"429": 4})
    outcome.dead_letters.update(outcome_unknown=2)

    shown = summary(outcome)

    figures = {
        "messages written": "8",
        "messages accepted (200, or stored)": "6",
        "given up by their messenger": "1",
        "forms that were not accepted": "1",
        "in turns": "5",
        "answered": "5",
        "seen by customers": "3",
        "forms, closed in silence": "1",
        "lost": "1",
        "doubled": "0",
        "deliveries that failed": "0",
        "unknown, each accounted for": "2",
        "unknown, and seen by the customer": "1",
        "kill -9": "3",
        "seconds": "61",
    }
    assert {name: _row(shown, name) for name in figures} == figures
    assert {
        "killed: mcp_vk 1, redis 2",
        "faults: 429 4",
        "dead letters: outcome_unknown 2",
        "given up: max 1",
        "lost: #2: in no history",
        "unknown: #1: delivery 1 on max is unknown: outcome_unknown; not seen",
    } <= set(shown.splitlines())


def test_a_long_wait_tells_how_it_stands_every_ten_seconds() -> None:
    """And no more often, however often it looks."""
    told: list[str] = []
    now = [0.0]
    progress = Progress(told.append, lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        progress.note(f"{second} s")

    assert told == [f"{EVERY:.0f} s", f"{2 * EVERY:.0f} s"]


def test_a_larger_storm_may_take_longer_to_be_counted() -> None:
    """No bound that a storm of the usual size meets."""
    small, full = Plan(1_000, 1, 1), Plan(100_000, 55, 18)

    assert full.counted_within > 300 > small.counted_within
    assert full.rests_within > 600


def _row(shown: str, name: str) -> str:
    """The figure in the line of this name."""
    return next(line for line in shown.splitlines() if line[:38].rstrip() == name)[38:].strip()
