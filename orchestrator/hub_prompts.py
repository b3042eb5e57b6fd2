"""Prompts of the hub: answer a turn, summarise a case, hand a conversation over.

Their words stand in prompts/NAME.LANGUAGE.md. fence.LANGUAGE.md stands under every task, between it and the
words of others.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from core.echoes import storage_errors
from core.errors import NotFound
from core.prompts import Language, PromptOf
from core.resources import ResourceOf
from orchestrator.hub_arguments import AppealArgument, TurnArgument
from orchestrator.hub_completion import Completion
from orchestrator.hub_parts import HubParts
from orchestrator.turns import get_turn
from orchestrator.when_away import database_errors

_LANGUAGES: tuple[Language, ...] = ("en", "ru")


class Prompts:
    """`case` is the resource that they show."""

    def __init__(self, parts: HubParts, case: ResourceOf) -> None:
        self._parts = parts
        self._case = case
        self._completion = Completion(parts)

    def all(self) -> list[PromptOf]:
        """In the order in which they are met."""
        turn = PromptOf(
            name="answer_turn",
            title="Answer a turn",
            description="Answer what a customer wrote, by the case as it stands.",
            argument="turn_id",
            kind=TurnArgument,
            words=_words("answer_turn"),
            shows=self._case,
            places=self._case_of_turn,
            completer=self._completion.turns,
        )
        about = self._about_a_case
        return [
            turn,
            about("summarise_appeal", "Summarise an appeal", "Tell a colleague what a case is about."),
            about("hand_over", "Hand over to a person", "Give a conversation to a person who knows nothing."),
        ]

    def _about_a_case(self, name: str, title: str, description: str) -> PromptOf:
        return PromptOf(
            name=name,
            title=title,
            description=description,
            argument="appeal_id",
            kind=AppealArgument,
            words=_words(name),
            shows=self._case,
            places=_its_own,
            completer=self._completion.open_appeals,
        )

    async def _case_of_turn(self, turn_id: str) -> Mapping[str, str]:
        with storage_errors(), database_errors():
            turn = await get_turn(self._parts.pool, int(turn_id))
        if turn is None:
            raise NotFound(f"There is no turn {turn_id}.")
        return {"id": str(turn.appeal_id)}


async def _its_own(appeal_id: str) -> Mapping[str, str]:
    return {"id": appeal_id}


@cache
def _words(name: str) -> Mapping[Language, str]:
    return {one: f"{_read(name, one)}\n\n{_read('fence', one)}" for one in _LANGUAGES}


def _read(name: str, language: Language) -> str:
    text = files("orchestrator").joinpath("prompts", f"{name}.{language}.md").read_text(encoding="utf-8")
    return text.strip()
