"""A messenger in memory: what customers write and see there, and how its sends go wrong."""

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from core.capabilities import Capabilities
from core.channel import Arrival
from core.clock import Clock
from core.errors import ChannelError, OutcomeUnknown, RateLimited, Rejected, SessionLost, VendorDown
from core.ids import AccountId, ChannelName, MessageId
from core.testing import FAKE_LIMITS, FakeChannel, FakeChannelWithHistory, Posted
from tests.prove.fuse import Fuse

#: (channel, account)
House = tuple[str, str]
#: (channel, account, chat)
Place = tuple[str, str, str]

Mood = Literal["fine", "down", "busy", "refusing", "logged out", "mute", "deaf"]

#: Mute: it takes the message and nobody hears of it. Deaf: it takes nothing and nobody hears of that.
MOODS: dict[Mood, tuple[Callable[[], ChannelError] | None, bool]] = {
    "fine": (None, False),
    "down": (VendorDown, False),
    "busy": (lambda: RateLimited(retry_after=3), False),
    "refusing": (Rejected, False),
    "logged out": (SessionLost, False),
    "mute": (OutcomeUnknown, True),
    "deaf": (OutcomeUnknown, False),
}

AVITO: House = ("avito", "default")
SECOND_AVITO: House = ("avito", "acc2")
VK: House = ("vk", "default")
TELEGRAM: House = ("telegram", "default")
HOUSES = (AVITO, SECOND_AVITO, VK, TELEGRAM)


class _Wired(FakeChannel):
    """Calls go over the line of the process that makes them; what was taken is pushed back as an echo."""

    def __init__(self, house: House, clock: Clock, capabilities: Capabilities) -> None:
        super().__init__(account=AccountId(house[1]), clock=clock, capabilities=capabilities)
        self.name = ChannelName(house[0])
        self.house = house
        self.fuse: Fuse | None = None
        self.echoes: deque[Arrival] = deque()

    def feel(self, mood: Mood) -> None:
        """The next send meets this mood."""
        error, taken = MOODS[mood]
        self.fail(error() if error else None, taken=taken)

    def recover(self) -> None:
        """All coming sends go well."""
        self._failures.clear()

    async def _post(self, chat_id: Any, text: str, **more: Any) -> MessageId:
        assert self.fuse is not None
        before = len(self.taken)
        try:
            call = super()._post
            return await self.fuse.around(
                "vendor send",
                lambda: call(chat_id, text, **more),
                lost=OutcomeUnknown(channel=self.name),
            )
        finally:
            self.echoes.extend(map(self.echo, self.taken[before:]))


class PlainMessenger(_Wired):
    """Without a history: what is in doubt stays so."""


class RememberingMessenger(_Wired, FakeChannelWithHistory):
    """With a history in which a send can be looked up."""


Messenger = PlainMessenger | RememberingMessenger


def messenger(house: House, clock: Clock) -> Messenger:
    """Avito shows its history, VK knows a repeat by its key, Telegram has neither."""
    if house[0] == "avito":
        return RememberingMessenger(house, clock, FAKE_LIMITS)
    window = 3600 if house == VK else 0
    return PlainMessenger(house, clock, FAKE_LIMITS.model_copy(update={"repeat_window_seconds": window}))


def seen_in(one: Messenger) -> list[tuple[Place, Posted]]:
    """What the customers of a messenger see of us, oldest first."""
    return [((*one.house, posted.chat_id), posted) for posted in one.taken]
