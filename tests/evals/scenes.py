"""Scenarios and conversations for tests, made in a line."""

from typing import Any

from evals.played import Exchange, Played
from evals.scenario import By, Expectation, Scenario


def scenario(*, needs: str = "rules", language: str = "ru", **more: Any) -> Scenario:
    """One step on Telegram, unless told otherwise."""
    given = {"id": "one", "about": "tried", "channel": "telegram", "theme": "tests"}
    given |= {} if "steps" in more else {"write": "цена?"}
    return Scenario.model_validate(given | {"needs": needs, "language": language} | more)


def exchange(*replies: str, by: By = "customer", **expect: Any) -> Exchange:
    """One turn that was finished and answered so."""
    return Exchange(by, ["цена?"], Expectation.model_validate(expect), list(replies), turns=1)


def played(*exchanges: Exchange) -> Played:
    return Played(list(exchanges))
