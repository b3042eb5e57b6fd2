"""How urgent a send is. What has time yields to what somebody waits for, wherever both wait in one line.

    0  answers    the customer has written and waits
    1  singles    one message that an agent or a program wants to be sent
    2  patient    it has time: a bulk, or what a program pushed unasked

Between services it travels as the header Priority (RFC 9218), inside one as a context variable.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ANSWERS, SINGLES, PATIENT = 0, 1, 2

HEADER = "Priority"
#: The urgencies from here on have time; without the header it is 3.
_PATIENT_FROM = 4
_URGENCY = re.compile(r"(?:^|,)\s*u=([0-7])\s*(?:,|;|$)")

_patient: ContextVar[bool] = ContextVar("patient", default=False)


def is_patient() -> bool:
    """Whether what is being sent now has time."""
    return _patient.get()


@contextmanager
def in_lane(lane: int) -> Iterator[None]:
    """What is sent inside travels in this lane."""
    token = _patient.set(lane >= PATIENT)
    try:
        yield
    finally:
        _patient.reset(token)


def header() -> dict[str, str]:
    """For a request to another service of ours."""
    return {HEADER: "u=5"} if is_patient() else {}


def lane_of(priority: str) -> int:
    """The lane that the value of a Priority header means; what cannot be read is as if it were not there."""
    found = _URGENCY.search(priority)
    return PATIENT if found and int(found[1]) >= _PATIENT_FROM else ANSWERS
