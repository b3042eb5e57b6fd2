"""Plays scenarios many times at once, and judges each time."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx
from pydantic import ValidationError

from evals.checks import failures
from evals.customer import ModelCustomer, RuleCustomer, SimulatedCustomer
from evals.judge import Judge
from evals.played import Played
from evals.player import Disturbed, Player
from evals.scenario import Scenario
from examples.agent.model import Model

#: So often a trial is begun anew when the machine was too slow for its bursts.
_BEGINNINGS = 3
_NAMES = {"ru": "Гость", "en": "Guest"}


@dataclass(frozen=True, slots=True)
class Trial:
    """One time that a scenario was played; it passed when nothing failed."""

    failures: list[str]
    played: Played = field(default_factory=Played)

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(slots=True)
class Outcome:
    """All trials of a scenario."""

    scenario: Scenario
    trials: list[Trial] = field(default_factory=list)

    @property
    def passes(self) -> int:
        return sum(trial.passed for trial in self.trials)


class Trials:
    """`customer_model` plays customers who have a goal; `judge` is asked beside the rules."""

    def __init__(
        self, player: Player, *, judge: Judge | None = None, customer_model: Model | None = None
    ) -> None:
        self._player = player
        self._judge = judge
        self._customer_model = customer_model
        self._numbers = itertools.count(1)

    async def run(
        self,
        scenarios: Sequence[Scenario],
        *,
        times: int,
        at_once: int,
        tell: Callable[[Scenario, Trial], None] = lambda _scenario, _trial: None,
    ) -> list[Outcome]:
        """Every scenario so many times, `at_once` of them side by side, each as a new customer."""
        outcomes = [Outcome(scenario) for scenario in scenarios]
        places = asyncio.Semaphore(at_once)

        async def one(outcome: Outcome) -> None:
            async with places:
                trial = await self._trial(outcome.scenario)
            outcome.trials.append(trial)
            tell(outcome.scenario, trial)

        async with asyncio.TaskGroup() as group:
            for outcome in outcomes * times:
                group.create_task(one(outcome))
        return outcomes

    async def _trial(self, scenario: Scenario) -> Trial:
        try:
            played = await self._undisturbed(lambda: self._play(scenario))
        except (Disturbed, LookupError, httpx.HTTPError, ValidationError) as error:
            return Trial([f"could not be played: {type(error).__name__}: {error}"])
        wrong = failures(scenario, played)
        if self._judge is not None:
            wrong += await self._judge.failures(scenario, played)
        return Trial(wrong, played)

    async def _undisturbed(self, play: Callable[[], Awaitable[Played]]) -> Played:
        for _ in range(_BEGINNINGS - 1):
            try:
                return await play()
            except Disturbed:
                continue
        return await play()

    async def _play(self, scenario: Scenario) -> Played:
        name = f"{_NAMES[scenario.language]} {next(self._numbers)}"
        return await self._player.play(scenario, name, self._customer(scenario))

    def _customer(self, scenario: Scenario) -> SimulatedCustomer:
        if self._customer_model is not None and scenario.customer.goal:
            return ModelCustomer(self._customer_model, scenario)
        return RuleCustomer(scenario)
