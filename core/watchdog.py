"""Looks after every account of a channel: silence is not health.

Each round asks the vendor about the subscription, the token and whatever only it can tell. A subscription
that is gone is made again where that takes nothing from anybody, a token is refreshed in time, and the rest
is told: in /health, /info, the metrics and `eldoleado doctor`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict

from core.account_look import MaySubscribe, troubles_of
from core.channel import Channel, Trouble
from core.clock import Clock
from core.ids import AccountId
from core.observability import Metrics

log = structlog.get_logger()

#: An account that was never well since the start is looked at this often at first, later each time twice.
EAGER_SECONDS = 1.0
#: Longest one account may take.
LOOK_SECONDS = 30.0


class AccountState(BaseModel):
    """How an account was when it was looked at last."""

    model_config = ConfigDict(frozen=True)

    healthy: bool | None = None
    troubles: tuple[Trouble, ...] = ()
    checked_at: str = ""

    @property
    def vendor_up(self) -> bool | None:
        """Whether the vendor answered; None when nobody has looked yet."""
        if not self.checked_at:
            return None
        return all(trouble.code != "vendor_down" for trouble in self.troubles)


class Watchdog:
    """The state of all accounts of a channel; `public_url` "" = nobody knows where we can be reached."""

    def __init__(
        self,
        channels: Mapping[AccountId, Channel],
        *,
        clock: Clock,
        metrics: Metrics,
        may_subscribe: MaySubscribe,
        public_url: str = "",
        every: float = 60.0,
    ) -> None:
        self._channels = channels
        self._clock = clock
        self._metrics = metrics
        self._may_subscribe = may_subscribe
        self._public_url = public_url
        self._every = every
        self.states: dict[AccountId, AccountState] = dict.fromkeys(channels, AccountState())

    async def run(self) -> None:
        """Look at all accounts, again and again, until cancelled; none waits for another."""
        await asyncio.gather(*(self._keep_looking(account) for account in self._channels))

    async def look(self, account: AccountId) -> AccountState:
        """Look at one account now, mend what can be mended, and remember how it is."""
        channel = self._channels[account]
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                troubles = await troubles_of(
                    channel,
                    public_url=self._public_url,
                    may_subscribe=self._may_subscribe,
                    now=self._now(),
                )
        except TimeoutError:
            troubles = [Trouble(code="vendor_down", detail="The messenger does not answer in time.")]
        except Exception as error:  # top of the loop: the other accounts are looked at as well
            log.exception("watch_failed", channel=channel.name, account=account)
            troubles = [Trouble(code="vendor_down", detail=f"The look failed ({type(error).__name__}).")]
        self._remember(account, troubles)
        return self.states[account]

    def health(self) -> dict[str, Any]:
        """For /health: codes only."""
        return {
            name: {"healthy": state.healthy, "troubles": [trouble.code for trouble in state.troubles]}
            for name, state in self.states.items()
        }

    async def _keep_looking(self, account: AccountId) -> None:
        never, eager = asyncio.Event(), EAGER_SECONDS
        while True:
            state = await self.look(account)
            pause = self._every if state.healthy else min(self._every, eager)
            eager = min(2 * eager, self._every)
            await self._clock.wait(never, self._clock.now_ms() + round(pause * 1000))

    def _remember(self, account: AccountId, troubles: Sequence[Trouble]) -> None:
        channel, before = self._channels[account], self.states[account]
        state = AccountState(
            healthy=not troubles, troubles=tuple(troubles), checked_at=self._now().isoformat()
        )
        self.states[account] = state
        self._metrics.account_healthy.labels(channel.name, account).set(1 if state.healthy else 0)
        for code in {trouble.code for trouble in (*before.troubles, *troubles)}:
            has = any(trouble.code == code for trouble in troubles)
            self._metrics.account_troubles.labels(channel.name, account, code).set(1 if has else 0)
        if [one.code for one in before.troubles] != [one.code for one in troubles]:
            codes = [one.code for one in troubles]
            log.warning("account_state_changed", channel=channel.name, account=account, troubles=codes)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
