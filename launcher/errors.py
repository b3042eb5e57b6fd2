"""What can go wrong before the system is up.

LauncherError          one sentence for the person at the keyboard, with the mend
├── EngineError        a Redis or PostgreSQL server is missing or does not start
├── PortTaken          somebody listens where we want to
└── ServiceFailed      a service does not come up, or keeps dying
"""


class LauncherError(Exception):
    """Stops the command; its text is shown as it is, without a traceback."""


class EngineError(LauncherError):
    """A Redis or PostgreSQL server is missing or does not start."""


class PortTaken(LauncherError):
    """Somebody listens on a port that we need."""


class ServiceFailed(LauncherError):
    """A service does not come up, or dies again and again."""
