"""What a scenario is: who writes what on which messenger, and what must hold of the answers.

Files are YAML (docs/evals.md); everything here is checked before anything is played.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.registry import CHANNELS

Language = Literal["ru", "en"]
Needs = Literal["rules", "model"]
By = Literal["customer", "bystander", "operator"]

#: What a messenger does not have, or does not tell a shop of.
NO_EDITS, NO_DELETIONS = {"avito"}, {"telegram", "vk", "whatsapp"}
#: Behind these nobody of the shop can type.
NO_OPERATOR = {"telegram", "max"}
_T = TypeVar("_T")
_CHANNELS = {channel.channel for channel in CHANNELS}


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


def _some(given: tuple[_T, ...]) -> tuple[_T, ...]:
    """Not Field(min_length=1): that complains of a tuple whose one item is wrong as well."""
    if not given:
        raise ValueError("there must be at least one")
    return given


def _known_channel(name: str) -> str:
    if name not in _CHANNELS:
        raise ValueError(f"{name!r} is no messenger; there are {', '.join(sorted(_CHANNELS))}")
    return name


Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Deed(_Strict):
    """One thing that a customer does, `gap` seconds after the one before. A bare text is short for text."""

    text: str = ""
    photo: bool = False
    voice: str | bool = Field(default=False, description="its words; true: nobody can make them out")
    file: Literal["", "document", "video"] = ""
    press: str = Field(default="", description="the words on a button")
    edit: int | None = Field(default=None, ge=1, description="which message gets this text, from 1")
    delete: int | None = Field(default=None, ge=1, description="which message is taken back, from 1")
    gap: float = Field(default=0.2, ge=0, le=1)

    @property
    def writes(self) -> bool:
        """Whether it makes a message, which edit and delete can name."""
        return self.edit is None and self.delete is None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Deed":
        if self.edit is not None and not self.text:
            raise ValueError("edit needs its new text")
        if self.delete is not None and self.text:
            raise ValueError("delete has no text")
        if not (self.text or self.photo or self.voice or self.file or self.press or self.delete):
            raise ValueError("give text, photo, voice, file, press, edit or delete")
        return self


def _deeds(given: object) -> object:
    """A text, a deed or a list of either: a burst."""
    listed = given if isinstance(given, list) else [given]
    return [{"text": one} if isinstance(one, str) else one for one in listed]


Burst: TypeAlias = Annotated[tuple[Deed, ...], BeforeValidator(_deeds), AfterValidator(_some)]


class Words(_Strict):
    """What must hold of words: patterns are regular expressions, large and small letters alike."""

    says: tuple[Pattern, ...] = Field(default=(), description="each is found")
    says_any: tuple[Pattern, ...] = Field(default=(), description="at least one is found")
    never: tuple[Pattern, ...] = Field(default=(), description="none is found")
    names: tuple[int, ...] = Field(default=(), description="each of these sums is named")
    prices: tuple[int | Literal["ours"], ...] | None = Field(
        default=None, description="no other sum is named; ours: those that the shop knows"
    )
    judge: tuple[str, ...] = Field(default=(), description="for the model judge, where there is one")


class Expectation(Words):
    """What must hold of the answer to one step; what is left out is expected as it is here."""

    answers: int | tuple[int, int] | None = Field(
        default=None, description="how many messages come; left out: one, at most one before a hand-off"
    )
    turns: int = Field(default=1, ge=0, description="how many turns the step became")
    language: Language | Literal["any", ""] = Field(default="", description="left out: that of the file")
    handed_off: bool | Literal["either"] = False
    asks: bool = Field(default=False, description="it asks something back")

    @property
    def most(self) -> tuple[int, int]:
        """The least and the most messages."""
        if self.answers is None:
            return (0 if self.handed_off else 1, 1)
        return self.answers if isinstance(self.answers, tuple) else (self.answers, self.answers)

    @model_validator(mode="after")
    def _can_hold(self) -> "Expectation":
        if self.most[1] == 0 and (self.says or self.says_any or self.names or self.asks):
            raise ValueError("nothing can be said where no answer is expected")
        if self.most[0] > self.most[1]:
            raise ValueError("answers: the least comes first")
        return self


class Overall(Words):
    """What must hold at the end, of everything that the customer was told."""

    handed_off: bool | Literal["either"] = "either"
    bystander_hears: int | None = Field(default=None, ge=0, description="messages beyond their own answers")


class Step(_Strict):
    """Somebody writes, and the agent has the time that it needs."""

    write: Burst | None = Field(default=None, description="the customer")
    bystander: Burst | None = Field(default=None, description="somebody else, in a chat of their own")
    operator: str | None = Field(default=None, description="the shop's person, in the messenger's app")
    expect: Expectation = Expectation()

    @property
    def by(self) -> By:
        if self.write:
            return "customer"
        return "bystander" if self.bystander else "operator"

    @property
    def deeds(self) -> tuple[Deed, ...]:
        return self.write or self.bystander or ()

    @model_validator(mode="after")
    def _is_by_one(self) -> "Step":
        if sum(one is not None for one in (self.write, self.bystander, self.operator)) != 1:
            raise ValueError("a step has one of write, bystander and operator")
        if self.operator is not None and "expect" in self.model_fields_set:
            raise ValueError("nobody answers the shop's own person")
        return self


class Answering(_Strict):
    """When the agent's words match `when`, the customer writes `says`; once."""

    when: Pattern
    says: Burst
    expect: Expectation = Expectation()


class Customer(_Strict):
    """How the customer goes on after the steps: by rules, or as a model plays them."""

    persona: str = ""
    goal: str = ""
    answers: tuple[Answering, ...] = ()
    most: int = Field(default=3, ge=1, le=10, description="the most they write after the steps")


class Scenario(_Strict):
    """One conversation. `theme` and `language` stand once, at the head of its file."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    about: Annotated[str, Field(min_length=1, description="what is tried, in a sentence")]
    needs: Needs
    channel: Annotated[str, AfterValidator(_known_channel)]
    theme: str
    language: Language
    ad: str = Field(default="", description="Avito: part of the ad's title")
    steps: Annotated[tuple[Step, ...], AfterValidator(_some)]
    customer: Customer = Customer()
    overall: Overall = Overall()

    @model_validator(mode="before")
    @classmethod
    def _first_step_may_stand_alone(cls, given: Any) -> Any:
        """`write` and `expect` beside the id are a scenario of one step."""
        if isinstance(given, dict) and "steps" not in given and "write" in given:
            step = {name: given[name] for name in ("write", "expect") if name in given}
            rest = {name: value for name, value in given.items() if name not in step}
            return rest | {"steps": [step]}
        return given

    @model_validator(mode="after")
    def _can_be_played(self) -> "Scenario":
        wrong = [*self._what_the_messenger_lacks(), *self._wrong_numbers()]
        if self.ad and self.channel != "avito":
            wrong.append("only Avito has ads")
        if self.overall.bystander_hears is not None and not self.by("bystander"):
            wrong.append("overall.bystander_hears: there is no bystander")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def by(self, who: By) -> list[Step]:
        """The steps of one person."""
        return [step for step in self.steps if step.by == who]

    def _what_the_messenger_lacks(self) -> Iterator[str]:
        deeds = [deed for step in self.steps for deed in step.deeds]
        if self.channel in NO_EDITS and any(deed.edit for deed in deeds):
            yield f"{self.channel} has no edits"
        if self.channel in NO_DELETIONS and any(deed.delete for deed in deeds):
            yield f"{self.channel} tells a shop nothing of deletions"
        if self.channel in NO_OPERATOR and self.by("operator"):
            yield f"on {self.channel} nobody but the bot can write for the shop"

    def _wrong_numbers(self) -> Iterator[str]:
        """Edits and deletions name a message that was written before by the same person."""
        for who in ("customer", "bystander"):
            written = 0
            for deed in (deed for step in self.steps if step.by == who for deed in step.deeds):
                named = deed.edit or deed.delete or 0
                if named > written:
                    yield f"there is no message {named} of the {who} to change yet"
                written += deed.writes
