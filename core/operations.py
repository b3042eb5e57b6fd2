"""One definition of what can be asked of a service; MCP tools, REST routes and OpenAPI all follow from it.

An operation is an async function with typed, described arguments that returns a pydantic model. Arguments
are flat and never optional-by-null (`str = ""`, `int = 0`): some hosts of models refuse anything else.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from core.auth import Scope
from core.rehearsal import DRY_RUN, Rehearsal, Rehearse, or_rehearsal

#: What an operation may do to the world, from harmless to irrevocable.
Risk = Literal["read", "status", "work", "answer", "change", "redirect", "send", "bulk", "delete", "erase"]

#: read: look, also at the messenger. status: look at our own state only.
READING: frozenset[Risk] = frozenset({"read", "status"})
#: answer: to somebody who waits for it. send: unasked. bulk: to many.
SPEAKING: frozenset[Risk] = frozenset({"answer", "send", "bulk"})
#: Taken away; erase: for good.
TAKING: frozenset[Risk] = frozenset({"delete", "erase"})

#: work: take, keep or note a conversation, nothing that a customer reads. change: settings and records.
#: redirect: where customers' messages go.
_SCOPES: dict[Risk, Scope] = {
    "read": "read",
    "status": "read",
    "work": "answer",
    "answer": "answer",
    "change": "manage",
    "redirect": "manage",
    "send": "send",
    "bulk": "send",
    "delete": "manage",
    "erase": "manage",
}

#: Whether the customer to whom a call would write has written first.
Answers = Callable[[Mapping[str, Any]], Awaitable[bool]]
#: What a person is to be asked before a call; "" for nothing.
Question = Callable[[Mapping[str, Any]], Awaitable[str]]

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)


class Arguments(BaseModel):
    """Base of the argument models; an argument that nobody knows is an error, not silence."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class WrongArguments(Exception):
    """What the caller gave is not what was asked for; `error` names every wrong argument.

    A ValidationError of anything else, such as an answer of ours, is no fault of the caller's.
    """

    def __init__(self, error: ValidationError) -> None:
        super().__init__(str(error))
        self.error = error


def checked(model: type[M], given: Mapping[str, Any]) -> M:
    """The arguments that were given. Raises WrongArguments."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise WrongArguments(error) from error


@dataclass(frozen=True)
class Operation:
    """`path` is the REST route with {placeholders} named after arguments; `tool=False` keeps it off MCP.

    `needs`: the scope that a caller must have, where it is not the usual one of the risk. `repeatable`: the
    same call twice does no more than once. `outside`: it reaches a messenger or shows words from outside.
    `destructive`: it takes away or overwrites what somebody wrote or set. None: as is usual for the risk.
    `rehearse`: tells what a call with these arguments would do. `answers`: of a send; None: nobody can tell.
    `question`: set by core/permission.py.
    """

    name: str
    title: str
    method: Literal["GET", "POST"]
    path: str
    run: Callable[..., Awaitable[BaseModel]]
    risk: Risk
    tool: bool = True
    needs: Scope | None = None
    repeatable: bool | None = None
    outside: bool | None = None
    destructive: bool | None = None
    rehearse: Rehearse | None = None
    answers: Answers | None = None
    question: Question | None = None

    @property
    def scope(self) -> Scope:
        """What a caller must have been given."""
        return self.needs or _SCOPES[self.risk]

    @cached_property
    def signature(self) -> inspect.Signature:
        """Of `run`, with its annotations evaluated."""
        return inspect.signature(self.run, eval_str=True)

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The model that a call's arguments must satisfy."""
        fields: dict[str, Any] = {
            name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
            for name, parameter in self.signature.parameters.items()
        }
        return create_model(f"{self.name}_arguments", __base__=Arguments, **fields)

    @property
    def result(self) -> type[BaseModel]:
        """The model of the answer."""
        returned: type[BaseModel] = self.signature.return_annotation
        return returned

    @property
    def description(self) -> str:
        """For people and models: the docstring of `run`."""
        return " ".join((inspect.getdoc(self.run) or self.title).split())

    def preceded_by(self, ask: Callable[[Mapping[str, Any]], Awaitable[None]]) -> "Operation":
        """The same, where `ask` sees the checked arguments first; what it raises keeps it from running."""

        async def run(**given: Any) -> BaseModel:
            await ask(given)
            return await self.run(**given)

        return self.carried_out_by(run).rehearsed_after(ask)

    def rehearsed_after(self, ask: Callable[[Mapping[str, Any]], Awaitable[None]]) -> "Operation":
        """The same, whose rehearsals `ask` sees first."""
        rehearse = self.rehearse
        if rehearse is None:
            return self

        async def rehearsed(**given: Any) -> Rehearsal:
            await ask(given)
            return await rehearse(**given)

        return replace(self, rehearse=rehearsed)

    def carried_out_by(
        self, run: Callable[..., Awaitable[BaseModel]], *further: inspect.Parameter
    ) -> "Operation":
        """The same, called through `run`, which takes `further` arguments beside its own."""

        async def call(**given: Any) -> BaseModel:
            return await run(**given)

        parameters = [*self.signature.parameters.values(), *further]
        answer = or_rehearsal(self.result) if DRY_RUN in further else self.result
        call.__signature__ = inspect.Signature(parameters, return_annotation=answer)  # type: ignore[attr-defined]  # read by inspect
        call.__doc__ = self.run.__doc__
        return replace(self, run=call)

    async def call(self, given: dict[str, Any]) -> BaseModel:
        """Check `given` and run. Raises WrongArguments before anything is done."""
        asked = checked(self.arguments, given)
        return await self.run(**{name: getattr(asked, name) for name in self.signature.parameters})


def asking(model: type[M], run: Callable[[M], Awaitable[R]]) -> Callable[..., Awaitable[R]]:
    """`run` as a function of its argument's fields: for many of them, or some that not every channel has."""

    async def call(**given: Any) -> R:
        return await run(checked(model, given))

    returned = inspect.signature(run, eval_str=True).return_annotation
    call.__signature__ = inspect.Signature(_parameters(model), return_annotation=returned)  # type: ignore[attr-defined]  # read by inspect
    call.__doc__ = run.__doc__
    return call


def _parameters(model: type[BaseModel]) -> list[inspect.Parameter]:
    nothing = inspect.Parameter.empty
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=nothing if field.is_required() else field.default,
            annotation=Annotated[(field.annotation, *field.metadata, _words(field))],
        )
        for name, field in model.model_fields.items()
    ]


def _words(field: FieldInfo) -> Any:
    return Field(description=field.description, examples=field.examples)
