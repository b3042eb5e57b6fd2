"""One definition of what can be asked of a service; MCP tools, REST routes and OpenAPI all follow from it.

An operation is an async function with typed, described arguments that returns a pydantic model. Arguments
are flat and never optional-by-null (`str = ""`, `int = 0`): some hosts of models refuse anything else.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

#: What an operation does to the world: look, look at our own state only, write to a customer, change
#: something repeatable, take something away.
Effect = Literal["read", "status", "send", "change", "delete"]


class Arguments(BaseModel):
    """Base of the argument models; an argument that nobody knows is an error, not silence."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


@dataclass(frozen=True)
class Operation:
    """`path` is the REST route with {placeholders} named after arguments; `tool=False` keeps it off MCP."""

    name: str
    title: str
    method: Literal["GET", "POST"]
    path: str
    run: Callable[..., Awaitable[BaseModel]]
    effect: Effect
    tool: bool = True

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
        return inspect.getdoc(self.run) or self.title

    async def call(self, given: dict[str, Any]) -> BaseModel:
        """Validate `given` and run; pydantic.ValidationError names every wrong argument."""
        checked = self.arguments.model_validate(given)
        return await self.run(**{name: getattr(checked, name) for name in self.signature.parameters})
