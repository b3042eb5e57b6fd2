"""Where a page begins in a list that goes down by a number: the last number of the page before."""

import re

from core.errors import BadCursor

#: Nothing has such a number, and everything a smaller one.
BEGINNING = 2**63 - 1
_NUMBER = re.compile(r"[0-9]{1,18}")


def place_of(cursor: str) -> int:
    """Rows with smaller numbers come next. Raises BadCursor."""
    if not cursor:
        return BEGINNING
    if not _NUMBER.fullmatch(cursor):
        raise BadCursor
    return int(cursor)
