"""What the hub is made of."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.bell import Bell
from core.clock import Clock
from core.ended_tokens import EndsNothing, EndsTokens
from core.fence import Alive, always_alive
from orchestrator.close_now import ClosesNow
from orchestrator.erasure import Erasure
from orchestrator.letters import Letters
from orchestrator.manifests import KnowsManifests
from orchestrator.media_links import ShowsMedia, VendorsLinks
from orchestrator.pause_news import TellsPauses
from orchestrator.reach import FindsWay
from orchestrator.rules import Rules
from orchestrator.store.pool import Pool
from orchestrator.trace import Tracing


@dataclass(frozen=True, slots=True)
class HubParts:
    """What the hub is made of. `channels` are those that can be written to.

    `collects`: what a customer writes while an agent works is a turn after this one (IN_FLIGHT=collect).
    `alive`: whether a token of one appeal still opens it.
    """

    pool: Pool
    clock: Clock
    turns_bell: Bell
    outbox_bell: Bell
    channels: Collection[str]
    lease_seconds: float
    gathering: ClosesNow
    reach: FindsWay
    manifests: KnowsManifests
    pause_news: TellsPauses
    letters: Letters
    tracing: Tracing
    erasure: Erasure
    collects: bool = False
    files: ShowsMedia = field(default_factory=VendorsLinks)
    rules: Rules = field(default_factory=Rules)
    ended: EndsTokens = field(default_factory=EndsNothing)
    alive: Alive = always_alive

    def now(self) -> datetime:
        """The clock's time, in UTC."""
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
