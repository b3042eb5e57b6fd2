"""The scenarios of a folder, all of them right, or the whole list of what is wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from evals.scenario import Language, Scenario

FOLDER = Path(__file__).parent / "scenarios"


class ScenarioError(Exception):
    """Some files cannot be played; each line names the file, the scenario, the field and what is wrong."""


class _File(BaseModel):
    """The head of a file."""

    model_config = ConfigDict(extra="forbid")
    theme: str
    language: Language
    scenarios: list[dict[str, Any]]


def load(folder: Path = FOLDER) -> list[Scenario]:
    """Every scenario below the folder, in the order of the files. Raises ScenarioError."""
    found: list[Scenario] = []
    wrong: list[str] = []
    for path in sorted(folder.rglob("*.yaml")):
        name = str(path.relative_to(folder))
        try:
            head = _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
        except (yaml.YAMLError, ValidationError) as error:
            wrong += [f"{name}: {line}" for line in _lines(error)]
            continue
        for number, given in enumerate(head.scenarios, start=1):
            try:
                found.append(_scenario(head, given))
            except ValidationError as error:
                called = given.get("id", f"scenario {number}")
                wrong += [f"{name}: {called}: {line}" for line in _lines(error)]
    counted = Counter(scenario.id for scenario in found)
    wrong += [f"{one}: the id stands {times} times" for one, times in counted.items() if times > 1]
    if wrong or not found:
        raise ScenarioError("\n".join(wrong or [f"{folder} has no scenarios"]))
    return found


def select(scenarios: Sequence[Scenario], *, ids: Sequence[str] = (), **wanted: str) -> list[Scenario]:
    """Those of the ids, and of each wanted theme, language, channel or need; "" is any.

    Raises ScenarioError for an id that does not exist, and when nothing is left.
    """
    known = {scenario.id for scenario in scenarios}
    if unknown := set(ids) - known:
        raise ScenarioError(f"there is no scenario {', '.join(sorted(unknown))}")
    left = [one for one in scenarios if not ids or one.id in ids]
    for name, value in wanted.items():
        left = [one for one in left if value in ("", getattr(one, name))]
    if not left:
        raise ScenarioError("no scenario is left by what was chosen")
    return left


def _scenario(head: _File, given: dict[str, Any]) -> Scenario:
    return Scenario.model_validate({"theme": head.theme, "language": head.language, **given})


def _lines(error: yaml.YAMLError | ValidationError) -> Iterator[str]:
    if isinstance(error, yaml.YAMLError):
        yield f"is no YAML: {' '.join(str(error).split())}"
        return
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        said = problem["msg"].removeprefix("Value error, ")
        yield f"{where}: {said}" if where else said
