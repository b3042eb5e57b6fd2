"""What can go wrong; `exit_code` is what the command ends with (2 is argparse's, for wrong usage).

LauncherError          1  one sentence for the person at the keyboard, with the mend
├── EngineError        1  a Redis or PostgreSQL server is missing or does not start
├── PortTaken          1  somebody listens where we want to
├── ServiceFailed      1  a service does not come up, or keeps dying
├── HubAway            3  the hub gives no answer, or fails
├── KeyRefused         4  the hub does not know the operator's key
├── NotFoundThere      5  the hub knows no such thing
└── HubRefused         6  the hub refuses the arguments, or what was asked
"""

from typing import ClassVar


class LauncherError(Exception):
    """Stops the command; its text is shown as it is, without a traceback."""

    exit_code: ClassVar[int] = 1


class EngineError(LauncherError):
    """A Redis or PostgreSQL server is missing or does not start."""


class PortTaken(LauncherError):
    """Somebody listens on a port that we need."""


class ServiceFailed(LauncherError):
    """A service does not come up, or dies again and again."""


class HubAway(LauncherError):
    """The hub gives no answer, or fails."""

    exit_code = 3


class KeyRefused(LauncherError):
    """The hub does not know the operator's key."""

    exit_code = 4


class NotFoundThere(LauncherError):
    """The hub knows no such thing."""

    exit_code = 5


class HubRefused(LauncherError):
    """The hub refuses the arguments, or what was asked."""

    exit_code = 6
