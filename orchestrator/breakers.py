"""A circuit breaker per account: while its vendor is down or refuses it, nobody asks in vain.

    closed -- failures in a row, or one refusal of the account --> open -- its pause is over --> half open
       ^                                                            ^                              |
       |                                                            |---- the probe fails ---------|
       |------------------- the vendor answers the one probe --------------------------------------|

The pause of a vendor that is down doubles with jitter; that of a refused account (keys, plan, session) is
fixed: its owner mends it. What waits at a breaker spends no attempt. Each replica learns by itself.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import structlog

from core.clock import Clock
from core.errors import ChannelError

log = structlog.get_logger()

#: (channel, account)
Account = tuple[str, str]
State = Literal["closed", "open", "half_open"]

#: A probe whose answer never came is taken for lost: longer than a send may take (channels.SEND_TIMEOUT).
_PROBE_MS = 120_000
#: While one probe is under way the others look again after this.
_LOOK_AGAIN = 2.0


@dataclass(frozen=True, slots=True)
class Rules:
    """`failures` in a row open it for `first` seconds, doubled up to `longest`; a refusal for `refused`."""

    failures: int = 5
    first: float = 10.0
    longest: float = 300.0
    refused: float = 300.0


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    openings: int = 0
    until: int = 0
    probed_until: int = 0
    error: ChannelError | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not ask now: why, and for how many seconds."""

    error: ChannelError
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A breaker as operators see it; `until` is Unix ms, when it may be asked again."""

    channel: str
    account: str
    state: State
    reason: str
    until: int


class Breakers:
    """The breakers of all accounts; an account of which nothing bad is known has none."""

    def __init__(self, clock: Clock, rules: Rules, *, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._rules = rules
        self._jitter = jitter
        self._known: dict[Account, _Breaker] = {}

    def ask(self, account: Account) -> Wait | None:
        """None: go on; when the breaker is half open, this is its probe. Tell it what became of that."""
        breaker, now = self._known.get(account), self._clock.now_ms()
        if breaker is None or breaker.error is None:
            return None
        if now < breaker.until:
            return Wait(breaker.error, (breaker.until - now) / 1000)
        if now < breaker.probed_until:
            return Wait(breaker.error, _LOOK_AGAIN)
        breaker.probed_until = now + _PROBE_MS
        return None

    def is_closed(self, account: Account) -> bool:
        """Whether nothing is known against the account."""
        breaker = self._known.get(account)
        return breaker is None or breaker.error is None

    def answered(self, account: Account) -> None:
        """The vendor has answered for the account, be it with a refusal of one message."""
        breaker = self._known.pop(account, None)
        if breaker is not None and breaker.error is not None:
            log.info("breaker_closed", channel=account[0], account=account[1])

    def refused(self, account: Account, error: ChannelError) -> None:
        """The vendor refuses the account itself."""
        self._open(account, error, self._rules.refused)

    def failed(self, account: Account, error: ChannelError) -> None:
        """The vendor could not be asked, or gave no answer."""
        breaker = self._known.setdefault(account, _Breaker())
        breaker.failures += 1
        if breaker.error is None and breaker.failures < self._rules.failures:
            return
        pause = min(self._rules.first * 2.0 ** min(breaker.openings, 20), self._rules.longest)
        breaker.openings += 1
        self._open(account, error, pause * (0.8 + 0.2 * self._jitter()))

    def told_nothing(self, account: Account) -> None:
        """The vendor was not asked after all: the next one may probe."""
        if (breaker := self._known.get(account)) is not None:
            breaker.probed_until = 0

    def seen(self) -> Iterator[Seen]:
        """Those that are not closed."""
        for (channel, account), breaker in sorted(self._known.items()):
            if breaker.error is not None:
                state: State = "open" if self._clock.now_ms() < breaker.until else "half_open"
                yield Seen(channel, account, state, breaker.error.code, breaker.until)

    def _open(self, account: Account, error: ChannelError, seconds: float) -> None:
        breaker = self._known.setdefault(account, _Breaker())
        if breaker.error is None:
            log.warning("breaker_open", channel=account[0], account=account[1], reason=error.code)
        breaker.error, breaker.probed_until = error, 0
        breaker.until = self._clock.now_ms() + round(seconds * 1000)
