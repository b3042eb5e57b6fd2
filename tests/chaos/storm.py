"""The storm: the whole system under load, killed piece by piece, while its messengers misbehave."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from launcher.engines import Engines
from launcher.postgres_engine import PostgresEngine
from launcher.redis_engine import RedisEngine
from tests.chaos import audit
from tests.chaos.crowd import Crowd
from tests.chaos.ledger import Ledger
from tests.chaos.plan import VICTIMS, Plan
from tests.chaos.progress import Progress
from tests.system import System, patiently

#: The pauses of messengers that try again: their sum is longer than a restart takes, so they give nothing up.
_RETRIES = "0.2,0.5,1,1,2,2,5,5,5,10,10,10"
#: Quick vendors' limits, quick leases: what is measured is what survives, not how fast.
SETTINGS = {
    **{
        f"{name}_{what}": "1000"
        for name in ("AVITO", "WHATSAPP", "VK", "MAX", "INSTAGRAM", "TELEGRAM")
        for what in ("REQUESTS_PER_SECOND", "BURST")
    },
    "FORM_RATE_PER_MINUTE": "1000000",
    "FORM_RATE_BURST": "100000",
    "REFUSED_ACCOUNT_SECONDS": "2",
    # VK stops delivering to an address that failed so often in a row, until a person confirms it anew.
    "SANDBOX_VK_FAILURES_ALLOWED": "1000000",
    "SANDBOX_WEBHOOK_RETRIES": _RETRIES,
    "SANDBOX_WHATSAPP_WEBHOOK_RETRIES": _RETRIES,
    "SANDBOX_VK_WEBHOOK_RETRIES": _RETRIES,
    "SANDBOX_INSTAGRAM_WEBHOOK_RETRIES": _RETRIES,
    # 0.5, 0.75, 1.1 ... 19 s, 57 s in all.
    "SANDBOX_MAX_RETRY_FIRST": "0.5",
    "SANDBOX_MAX_RETRY_FACTOR": "1.5",
    # Never longer than 6 s, for as long as an update lives.
    "SANDBOX_TELEGRAM_RETRY_SPEED": "20",
    "LOG_LEVEL": "WARNING",
}


#: When a messenger that keeps trying has made its last attempt, s.
_LONGEST_RETRY = 60.0


@dataclass(slots=True)
class Outcome:
    """What came of a storm."""

    plan: Plan
    ledger: Ledger
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    rest: audit.Rest | None = None

    @property
    def even(self) -> bool:
        """Nothing lost, nothing doubled, everything at rest, no dead letter but for what is untraceable.

        Each delivery of that kind lies there, and none failed: the storm's messengers refuse no words for
        good, and nobody takes a chat over.
        """
        at_rest = self.rest is not None and self.rest.at_rest
        untraceable = self.dead_letters["outcome_untraceable"]
        unexplained = self.dead_letters - Counter(outcome_untraceable=untraceable)
        unburied = self.ledger.in_doubt > untraceable
        wrong = self.ledger.lost or self.ledger.doubled or self.ledger.failed or unexplained or unburied
        return at_rest and not wrong

    @property
    def complete(self) -> bool:
        """Whether it was as large as its plan: a storm that did not happen proves nothing."""
        accepted = len(self.ledger.accepted)
        return self.killed.total() == self.plan.kills and accepted >= self.plan.accepted_at_least


class Storm:
    """One run of a plan on a system that is up; `tell` hears how it goes on. Call from the main thread."""

    def __init__(self, system: System, engines: Engines, plan: Plan, tell: Callable[[str], object]) -> None:
        self._system = system
        self._engines = engines
        self._plan = plan
        self._tell = tell
        self._progress = Progress(tell)
        self._drawn = random.Random(plan.seed)  # noqa: S311  # a storm that can be repeated
        self._victims = self._in_turn()
        self._environment = system.environment("orchestrator")

    def run(self) -> Outcome:
        """Until everything has come to rest, or patience ends."""
        outcome = Outcome(self._plan, Ledger())
        began = time.monotonic()
        crowd = Crowd(self._system, self._plan, outcome.ledger)
        crowd.start()
        self._kill_while_they_write(crowd, outcome)
        crowd.calm()
        outcome.rest = self._come_to_rest(outcome)
        crowd.count(self._tell)
        outcome.weather = crowd.weather.met
        crowd.leave()
        asyncio.run(audit.enter(outcome.ledger, self._database))
        outcome.dead_letters = asyncio.run(audit.dead_letters(self._redis))
        outcome.seconds = time.monotonic() - began
        return outcome

    @property
    def _database(self) -> str:
        return self._environment["DATABASE_URL"]

    @property
    def _redis(self) -> str:
        return self._environment["REDIS_URL"]

    def _kill_while_they_write(self, crowd: Crowd, outcome: Outcome) -> None:
        every = self._plan.minutes * 60 / (self._plan.kills + 1)
        began, number = time.monotonic(), 0
        while not crowd.done_writing or number < self._plan.kills:
            if number < self._plan.kills and time.monotonic() - began >= every * (number + 1):
                victim = next(self._victims)
                self._kill(victim)
                number += 1
                outcome.killed[victim] += 1
                stored = len(outcome.ledger.accepted)
                self._tell(f"kill {number}/{self._plan.kills}: {victim}; {stored} messages accepted so far")
            self._tell_how_far_they_are(outcome.ledger)
            time.sleep(0.1)

    def _tell_how_far_they_are(self, ledger: Ledger) -> None:
        of = self._plan.messages
        self._progress.note(f"writing: {len(ledger.written)} of {of}, {len(ledger.accepted)} accepted")

    def _in_turn(self) -> Iterator[str]:
        """Everybody once, in an order that is drawn, then again."""
        while True:
            yield from self._drawn.sample(VICTIMS, len(VICTIMS))

    def _kill(self, victim: str) -> None:
        engines: dict[str, RedisEngine | PostgresEngine] = {
            "redis": self._engines.redis,
            "postgres": self._engines.postgres,
        }
        if engine := engines.get(victim):
            engine.child.kill()
            engine.start()
        else:
            self._system.kill(victim)
            self._system.start(victim)

    def _come_to_rest(self, outcome: Outcome) -> audit.Rest:
        """Wait until nothing is under way three times in a row: one look may miss what moves meanwhile."""
        quiet, ledger = 0, outcome.ledger
        gives_up = time.monotonic() + _LONGEST_RETRY
        rest = asyncio.run(audit.look(self._database, self._redis))
        for _ in patiently(self._plan.rests_within, every=1.0):
            rest = asyncio.run(audit.look(self._database, self._redis))
            arrived = rest.stored >= len(ledger.accepted)
            missing = len(ledger.undelivered)
            delivered = not missing or time.monotonic() > gives_up
            self._progress.note(f"coming to rest: {rest}; {missing} that no webhook has accepted")
            quiet = quiet + 1 if rest.at_rest and arrived and delivered else 0
            if quiet == 3:
                break
        return rest
