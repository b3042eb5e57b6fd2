"""How large a storm is."""

import math
from dataclasses import dataclass

from core.registry import CHANNELS

MESSENGERS = tuple(channel.channel for channel in CHANNELS)
#: Everything that is killed; the sandbox plays the world outside and remembers what customers saw.
VICTIMS = (
    *(channel.name for channel in CHANNELS),
    "form_api",
    "orchestrator",
    "redis",
    "postgres",
)
#: Messages that are handled in a second at the end, however busy the machine is.
_SLOWEST = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """`messages` of customers within `minutes`, `kills` meanwhile; the same `seed` draws the same storm."""

    messages: int
    kills: int
    minutes: float
    seed: int = 1
    agents: int = 4
    customers: int = 60
    burst: int = 8
    #: One burst in so many is a form.
    forms: int = 40
    #: Messengers give nothing up (see SETTINGS of the storm): what is missing are forms that were told "no".
    accepted: float = 0.99

    @property
    def accepted_at_least(self) -> int:
        """With fewer the storm was smaller than it says."""
        return math.ceil(self.accepted * self.messages)

    @property
    def per_second(self) -> float:
        return self.messages / (self.minutes * 60)

    @property
    def rests_within(self) -> float:
        """How long everything may take to come to rest at the end, s."""
        return 300 + self.messages / _SLOWEST

    @property
    def counted_within(self) -> float:
        """How long it may take to count what customers see, s."""
        return 60 + self.messages / _SLOWEST
