"""What happened to a message, as a list of stages in the order of time. Pure: from rows to stages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol


class Row(Protocol):
    """A row of the database, by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...


#: What a lease ended with -> how the trace calls it.
_LEASE_ENDS = {
    "answered": "answered",
    "closed": "skipped",
    "released": "released",
    "expired": "lease_expired",
}
_UNFINISHED = ("queued", "sending", "unknown")


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that happened. `until` is when it ended, for what takes time; `times`: so often in a row.

    `about` is the message, the turn or the delivery that it happened to.
    """

    at: datetime
    stage: str
    about: str
    until: datetime | None = None
    by: str = ""
    attempt: int = 0
    times: int = 1
    code: str = ""
    detail: str = ""


def in_order(stages: Sequence[Stage]) -> list[Stage]:
    """By time; what happened in the same moment stays in the order of a message's way."""
    return sorted(stages, key=lambda stage: stage.at)


def stages_of_message(row: Row, repeats: int) -> Iterator[Stage]:
    """From the webhook to its turn; `repeats` are deliveries of the vendor that were dropped as seen."""
    name = str(row["external_message_id"] or row["id"])
    if row["received_at"]:
        yield Stage(row["received_at"], "received", name, times=1 + repeats, detail=_spooled(row))
    if row["gathered_at"]:
        yield Stage(row["gathered_at"], "gathered", name, until=row["due_at"])
    yield Stage(row["created_at"], "resolved", name, detail=str(row["event"]))
    if row["edited_at"]:
        yield Stage(row["edited_at"], "edited", name)
    if row["deleted_at"]:
        yield Stage(row["deleted_at"], "deleted", name)


def stages_of_turn(turn: Row, leases: Sequence[Row]) -> Iterator[Stage]:
    """Who had it, and how that ended."""
    name = f"turn {turn['id']}"
    yield Stage(turn["created_at"], "turn_opened", name, detail=f"closed by {turn['closed_by']}")
    for lease in leases:
        by, ended = lease["agent"], lease["ended_at"]
        if lease["began_at"]:
            yield Stage(lease["began_at"], "leased", name, until=ended, by=by)
        yield Stage(ended, _ended(lease["outcome"]), name, by=by)
    if turn["status"] == "leased" and turn["leased_at"]:
        yield Stage(turn["leased_at"], "leased", name, by=turn["leased_by"] or "")
    if turn["status"] not in ("ready", "leased") and turn["committed_at"] and not leases:
        yield Stage(turn["committed_at"], _ended(turn["status"]), name)


def _ended(outcome: str) -> str:
    return _LEASE_ENDS.get(outcome, outcome)


def stages_of_delivery(row: Row, steps: Sequence[Row]) -> Iterator[Stage]:
    """From its acceptance to its receipt; every attempt with its error."""
    name = str(row["id"])
    yield Stage(row["created_at"], "accepted", name, by=row["origin"])
    if row["send_at"]:
        yield Stage(row["created_at"], "scheduled", name, until=row["send_at"])
    if row["queued_at"]:
        yield Stage(row["queued_at"], "queued", name)
    for step in steps:
        yield from _of_step(row, step, name)
    if row["state"] == "sending":
        yield Stage(row["updated_at"], "sending", name, attempt=row["attempts"])


def _of_step(row: Row, step: Row, name: str) -> Iterator[Stage]:
    made = Stage(
        step["ended_at"],
        step["outcome"],
        name,
        attempt=step["attempt"],
        times=step["times"],
        code=step["code"],
        detail=step["detail"],
    )
    if step["began_at"]:
        yield replace(made, at=step["began_at"], stage="sending", until=step["ended_at"], code="", detail="")
    if step["outcome"] == "sent":
        made = replace(made, detail=", ".join(row["vendor_message_ids"]))
    yield made


def what_now(turn: Row | None, deliveries: Sequence[Row]) -> Iterator[str]:
    """What it waits for, in words; nothing when it is finished."""
    if turn is not None and turn["status"] == "ready":
        yield "The turn waits for an agent."
    if turn is not None and turn["status"] == "leased":
        yield f"{turn['leased_by']} has the turn until {turn['leased_until']:%Y-%m-%d %H:%M:%S} UTC."
    for row in deliveries:
        why = f" ({row['error_code']})" if row["error_code"] else ""
        if row["state"] == "scheduled":
            yield f"Delivery {row['id']} waits until {row['send_at']:%Y-%m-%d %H:%M:%S} UTC."
        elif row["given_up_at"] and row["state"] == "unknown":
            yield f"Nobody knows whether delivery {row['id']} arrived{why}; an operator decides."
        elif row["state"] in _UNFINISHED:
            yield f"Delivery {row['id']} is {row['state']}{why} after {row['attempts']} attempts."
        elif row["state"] == "failed":
            yield f"Delivery {row['id']} failed{why}: see the dead letters."


def _spooled(row: Row) -> str:
    return "spooled: Redis was away" if row["meta"].get("spooled") else ""
