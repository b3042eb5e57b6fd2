"""Cases (appeals): who changes them, and what must hold of them at every time."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from tests.prove.facts import Facts
from tests.prove.fuse import Cut
from tests.prove.hub_process import SETTINGS
from tests.prove.world import World

Status = Literal["open", "waiting_client", "snoozed", "resolved"]

_REOPENS = timedelta(seconds=SETTINGS.reopen_seconds)
_RESTS = timedelta(seconds=SETTINGS.auto_close_seconds)
_SNOOZE = timedelta(seconds=90)
_STEPS_TO = "SELECT count(*) FROM appeal_events WHERE appeal_id = $1 AND to_status = $2"


async def change(world: World, number: int, which: int, status: Status, cut: Cut | None) -> None:
    """An operator puts a case into a state, if that is drawn."""
    ids = [row["id"] for row in await world.stage.pool.fetch("SELECT id FROM appeals ORDER BY id")]
    if not ids:
        return
    case = ids[which % len(ids)]
    given = {"appeal_id": str(case), "status": status}
    if status == "snoozed":
        now = datetime.fromtimestamp(world.stage.clock.now_ms() / 1000, UTC)
        given["snooze_until"] = (now + _SNOOZE).isoformat()
    was = await world.stage.pool.fetchval("SELECT status FROM appeals WHERE id = $1", case)
    steps = await world.stage.pool.fetchval(_STEPS_TO, case, status)
    told = await world.do(number, lambda hub: hub.order("update_appeal", **given), cut)
    if told is None or told["status"] == status:
        return
    # Who stalls for long between the step and the look is told how the case stands by then.
    stalled = cut is not None and cut.what == "stall"
    stepped = was == status or await world.stage.pool.fetchval(_STEPS_TO, case, status) > steps
    right = stalled and stepped
    assert right, f"appeals: {told['status']} was told, {status} was asked for"


def a_client_has_one_open_case(facts: Facts) -> Iterator[str]:
    """On each account of each channel."""
    still = Counter(_key(case) for case in facts.cases if case["closed_at"] is None)
    yield from (f"appeals: {key} has {times} open cases" for key, times in still.items() if times > 1)


def words_are_in_a_case_of_who_said_them(facts: Facts) -> Iterator[str]:
    """On the same account."""
    known = {case["id"]: _key(case) for case in facts.cases}
    for row in facts.history:
        asked = row["turn_id"] is not None or row["appeal_id"] is not None  # else it was taken back unread
        if row["sender"] == "customer" and asked and known.get(row["appeal_id"]) != _key(row):
            yield f"appeals: {row['external_message_id']} of {_key(row)} is in {known.get(row['appeal_id'])}"
    yield from (
        f"appeals: the turn {number} of {_key(turn)} is in {known.get(turn['appeal_id'])}"
        for number, turn in facts.turns.items()
        if known.get(turn["appeal_id"]) != _key(turn)
    )


def a_journal_has_no_gap(facts: Facts) -> Iterator[str]:
    """Each step begins where the one before ended; the last one leads to how the case stands."""
    for case in facts.cases:
        steps = facts.journal[case["id"]]
        ways = ["", *(step["to_status"] for step in steps)]
        begun = [step["from_status"] for step in steps]
        if not facts.oracle.merged and (begun != ways[:-1] or ways[-1] != case["status"]):
            yield f"appeals: {case['id']} is {case['status']}, its journal goes {begun} -> {ways[1:]}"


def a_case_is_reopened_within_its_window(facts: Facts) -> Iterator[str]:
    """Who writes soon after the end goes on in the same case, who writes later has a new one."""
    for case in facts.cases:
        for ended, again in pairwise(facts.journal[case["id"]]):
            late = again["at"] - ended["at"] > _REOPENS
            if again["from_status"] == "resolved" and again["event"].startswith("customer") and late:
                yield f"appeals: {case['id']} was reopened after {again['at'] - ended['at']}"
    for earlier, later in pairwise(sorted(facts.cases, key=_beginning)):
        soon = facts.ended_before(earlier["id"], later["opened_at"])
        same = _key(earlier) == _key(later) and not facts.oracle.merged
        if same and soon is not None and later["opened_at"] - soon < _REOPENS:
            yield f"appeals: {later['id']} was opened although {earlier['id']} could be reopened"


def a_case_at_rest_is_closed(facts: Facts) -> Iterator[str]:
    """When nothing has happened for long and nobody waits, and not before; what is put off wakes in time."""
    waiting = {turn["appeal_id"] for turn in facts.turns.values() if turn["status"] in ("ready", "leased")}
    for case in facts.cases:
        rests = case["status"] in ("open", "waiting_client") and facts.now - case["updated_at"] >= _RESTS
        if rests and case["id"] not in waiting:
            yield f"appeals: {case['id']} rests since {case['updated_at']}, now is {facts.now}"
        if case["status"] == "snoozed" and case["snoozed_until"] <= facts.now:
            yield f"appeals: {case['id']} sleeps although {case['snoozed_until']} is over"
    asked = [row for row in facts.history if row["sender"] == "customer" and row["turn_id"] is not None]
    for row in asked:  # what was taken back unread is no news
        for step in facts.journal[row["appeal_id"]]:
            rested = step["at"] - row["created_at"]
            early = step["event"] == "inactivity" and timedelta(0) <= rested < _RESTS
            if early and not facts.oracle.merged:
                yield f"appeals: {row['appeal_id']} was closed {rested} after {row['external_message_id']}"


def _key(row: Any) -> tuple[int, str, str]:
    return (row["client_id"], row["channel"], row["account"])


def _beginning(case: Any) -> tuple[int, str, str, datetime, int]:
    return (*_key(case), case["opened_at"], case["id"])


CHECKS = (
    a_client_has_one_open_case,
    words_are_in_a_case_of_who_said_them,
    a_journal_has_no_gap,
    a_case_is_reopened_within_its_window,
    a_case_at_rest_is_closed,
)
