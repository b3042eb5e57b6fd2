"""For how long a case may be reopened, rests before it is closed, and a conversation stays with a person."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """`auto_close_after` None: never. `hand_off_pause` None: until somebody resumes."""

    reopen_within: timedelta = timedelta(days=3)
    auto_close_after: timedelta | None = timedelta(days=14)
    operator_pause: timedelta = timedelta(minutes=30)
    hand_off_pause: timedelta | None = timedelta(days=1)
