"""What a call would do, told without doing it: the argument `dry_run` of what writes, deletes or erases.

All is checked that can be checked without an effect. Nothing is stored or sent, no file is fetched, no
idempotency key is used, and no confirmation is needed.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model, model_validator

#: Chats that an answer names; the rest are counted.
MOST_NAMED = 1000


class Spared(BaseModel):
    """A chat that would get nothing, and why."""

    chat_id: str
    reason: str


class Rehearsal(BaseModel):
    """What would be done; `messages` to so many chats, in `parts` of the messenger."""

    would: str = Field(description="in a few words")
    chats: list[str] = Field(default_factory=list, description="the first thousand of them")
    messages: int = 0
    parts: int = Field(default=0, description="0: not known here")
    refused: list[Spared] = Field(default_factory=list, description="the first thousand of them")
    refused_count: int = 0
    affects: dict[str, int] = Field(default_factory=dict, description="what would be gone: so many of each")


class DryRun(BaseModel):
    """The answer to a call with dry_run."""

    dry_run: Rehearsal


Rehearse = Callable[..., Awaitable[Rehearsal]]

DRY_RUN = inspect.Parameter(
    "dry_run",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, Field(description="Only tell what would be done")],
)

_Told = Annotated[
    dict[str, Any] | None, WithJsonSchema({"type": "object", "description": "Only of a dry run"})
]


def or_rehearsal(result: type[BaseModel]) -> type[BaseModel]:
    """The model of an answer that is either `result`, with what it must have, or a DryRun."""

    def either(_: Any, value: Any, handler: Callable[[Any], Any]) -> Any:
        return value if isinstance(value, dict) and "dry_run" in value else handler(value)

    def one_of_both(schema: dict[str, Any]) -> None:
        if needed := [name for name in schema.pop("required", ()) if name != "dry_run"]:
            schema["anyOf"] = [{"required": needed}, {"required": ["dry_run"]}]

    class Answer(result):  # type: ignore[misc, valid-type]  # the class is an argument
        model_config = ConfigDict(json_schema_extra=one_of_both)
        __doc__ = result.__doc__
        _either = model_validator(mode="wrap")(classmethod(either))  # type: ignore[arg-type]  # of any class

    name = f"{result.__name__}OrDryRun"
    return create_model(name, __base__=Answer, __doc__=result.__doc__, dry_run=(_Told, None))


def sends(chat_id: str, parts: int, what: str = "1 message") -> Rehearsal:
    """One message to one chat."""
    of = f" in {parts} parts" if parts > 1 else ""
    return Rehearsal(would=f"send {what}{of} to {chat_id}", chats=[chat_id], messages=1, parts=parts)


def takes(would: str, *chats: str, **affects: int) -> Rehearsal:
    """Something is taken away."""
    return Rehearsal(would=would, chats=list(chats), affects=affects)
