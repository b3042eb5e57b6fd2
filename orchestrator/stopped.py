"""Accounts that their vendor refuses: for a while no further message of theirs asks in vain."""

from core.clock import Clock
from core.errors import ChannelError
from core.messages import OutgoingMessage
from orchestrator.recent import Recent


class StoppedAccounts:
    """Remembers the refusal of an account for `seconds`; each replica learns it by itself."""

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._refusals: Recent[tuple[str, str], ChannelError] = Recent(clock, seconds=seconds)

    def refusal(self, message: OutgoingMessage) -> ChannelError | None:
        """Why this message's account cannot send now; None when nothing is known against it."""
        return self._refusals.get((message.channel, message.account))

    def note(self, message: OutgoingMessage, error: ChannelError) -> None:
        """The account was refused just now."""
        self._refusals.keep((message.channel, message.account), error)

    def forget(self, message: OutgoingMessage) -> None:
        """The account has sent: what was known against it holds no longer."""
        self._refusals.drop((message.channel, message.account))
