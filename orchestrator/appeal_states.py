"""Pure: in which states a case can be and what leads from one to the next. docs/appeals.md draws it.

`reopened` and `auto-closed` are no states of their own: nothing else may happen in them than in `open` and in
`resolved`. The journal tells how a case came there, `reopened_at` and `reopen_count` that it did.
"""

from typing import Literal, get_args

from core.errors import StateConflict

Status = Literal["open", "waiting_client", "snoozed", "handed_off", "resolved"]
#: What an operator or an agent asks for.
Command = Literal["open", "wait_for_client", "snooze", "resolve", "hand_off", "pause", "resume"]
Event = (
    Command
    | Literal[
        "customer_writes",
        "customer_writes_in_pause",
        "agent_replies",
        "operator_writes",
        "pause_ends",
        "wake",
        "inactivity",
        "goes_on_elsewhere",
    ]
)

STATUSES: tuple[Status, ...] = get_args(Status)
#: Which command leads to a status.
COMMAND_OF: dict[Status, Command] = {
    "open": "open",
    "waiting_client": "wait_for_client",
    "snoozed": "snooze",
    "resolved": "resolve",
}
TAKE_OVERS: tuple[Event, ...] = ("operator_writes", "hand_off", "pause")
_BACK: tuple[Event, ...] = ("resume", "pause_ends")
_ENDS: tuple[Event, ...] = ("resolve", "goes_on_elsewhere")
_UNRESOLVED: tuple[Status, ...] = ("open", "waiting_client", "snoozed", "handed_off")
_WITH_THE_AI: tuple[Status, ...] = ("open", "waiting_client", "snoozed")


def _arrows() -> dict[tuple[Status, Event], Status]:
    arrows: dict[tuple[Status, Event], Status] = {}

    def draw(to: Status, event: Event, *froms: Status) -> None:
        arrows.update({(status, event): to for status in froms})

    draw("open", "customer_writes", *_WITH_THE_AI, "resolved")
    draw("handed_off", "customer_writes", "handed_off")
    draw("handed_off", "customer_writes_in_pause", *STATUSES)
    draw("waiting_client", "agent_replies", "open", "waiting_client")
    draw("snoozed", "agent_replies", "snoozed")
    draw("resolved", "agent_replies", "resolved")
    for take_over in TAKE_OVERS:
        draw("handed_off", take_over, *_UNRESOLVED)
        draw("resolved", take_over, "resolved")
    for end in _BACK:
        draw("open", end, "handed_off")
        draw("resolved", end, "resolved")
    draw("open", "open", "waiting_client", "snoozed", "resolved")
    draw("open", "wake", "snoozed")
    draw("waiting_client", "wait_for_client", "open", "snoozed")
    draw("snoozed", "snooze", *_WITH_THE_AI)
    for end in _ENDS:
        draw("resolved", end, *_UNRESOLVED)
    draw("resolved", "inactivity", "open", "waiting_client")
    return arrows


#: (state, event) -> state
ARROWS = _arrows()


def after(status: Status, event: Event) -> Status:
    """The state that follows. Raises StateConflict for what is not drawn."""
    to = ARROWS.get((status, event))
    if to is None:
        known = sorted(name for known, name in ARROWS if known == status and name in get_args(Command))
        raise StateConflict(f"The appeal is {status}: {event} is not possible, {', '.join(known)} are.")
    return to
