"""Says now and then how a long wait goes on."""

import time
from collections.abc import Callable

#: Seconds between two lines.
EVERY = 10.0


class Progress:
    """Passes a line on when the last one is `EVERY` seconds old."""

    def __init__(self, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._told = clock()

    def note(self, line: str) -> None:
        """How it stands now."""
        if self._clock() - self._told >= EVERY:
            self._told = self._clock()
            self._tell(line)
