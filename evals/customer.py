"""How a customer goes on after the steps of a scenario: by its rules, or as a model plays them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evals.played import Exchange, Played
from evals.scenario import Answering, Deed, Expectation, Scenario
from examples.agent.model import Model, Tool

ENOUGH = Tool("enough", "You have what you came for, or you give up: write nothing more.")
_PLAY = """\
You play a customer who writes to a small phone repair shop in a messenger. You are not an assistant.
Write the customer's next message: short, as people type on a phone, in the language of the conversation.
Stay with the persona and the goal. Invent no facts about the shop. When the goal is reached, or the shop
clearly cannot help, call the tool `enough` and write nothing."""


@dataclass(frozen=True, slots=True)
class Next:
    """What the customer writes next, and what is expected of the answer."""

    deeds: tuple[Deed, ...]
    expect: Expectation


class SimulatedCustomer(Protocol):
    """Somebody who answers the shop."""

    async def goes_on(self, played: Played) -> Next | None:
        """What they write next; None when they are done."""


class RuleCustomer:
    """Answers what the last reply asks, by the scenario's patterns; each of them once."""

    def __init__(self, scenario: Scenario) -> None:
        self._left: list[Answering] = list(scenario.customer.answers)

    async def goes_on(self, played: Played) -> Next | None:
        """The first rule that fits the last reply."""
        heard = "\n".join(_last(played.of("customer")))
        for rule in self._left:
            if re.search(rule.when, heard, re.IGNORECASE):
                self._left.remove(rule)
                return Next(rule.says, rule.expect)
        return None


class ModelCustomer:
    """A model that plays the scenario's persona until its goal is reached.

    What it writes is not known before, so each answer is held to what every answer is held to, and may be a
    hand-off.
    """

    def __init__(self, model: Model, scenario: Scenario) -> None:
        self._model = model
        self._scenario = scenario

    async def goes_on(self, played: Played) -> Next | None:
        """Raises httpx.HTTPError or pydantic.ValidationError when the model has no answer."""
        customer = self._scenario.customer
        told = {"persona": customer.persona, "goal": customer.goal, "conversation": dialogue(played)}
        said = await self._model.ask(_PLAY, json.dumps(told, ensure_ascii=False, indent=1), (ENOUGH,))
        if ENOUGH.name in said.calls or not said.text:
            return None
        return Next((Deed(text=said.text),), Expectation(handed_off="either", answers=(0, 1)))


def dialogue(played: Played) -> list[dict[str, str]]:
    """The conversation as the customer knows it."""
    lines: list[dict[str, str]] = []
    for exchange in played.exchanges:
        if exchange.by != "bystander":
            who = "customer" if exchange.by == "customer" else "the shop's person"
            lines += [{"who": who, "text": text} for text in exchange.wrote]
            lines += [{"who": "shop", "text": text} for text in exchange.replies]
    return lines


def _last(exchanges: Sequence[Exchange]) -> list[str]:
    return exchanges[-1].replies if exchanges else []
