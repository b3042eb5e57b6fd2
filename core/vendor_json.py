"""Reading a vendor's JSON: mistakes are told without its words, and what is kept can be stored."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from core.jsontext import without_surrogates
from core.messages import NUL

#: Levels of a vendor's own body that are kept.
DEEPEST = 32
#: Types of which every value can be stored: they cost no call, and a body is full of them.
_PLAIN = frozenset({int, float, bool, type(None)})


class UnreadableError(ValueError):
    """A body, or a piece of it, means nothing to us; the text says why, without the customer's words."""


class Shape(BaseModel):
    """A piece of a vendor's JSON: only the fields that are read, whatever else comes."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


#: For a field that may be absent: what cannot be read is no reason to lose the rest.
Lenient = WrapValidator(_or_none)


def without_nul(text: str) -> str:
    """NUL can be stored nowhere."""
    return text.replace(NUL, "")


def first_mistake(error: ValidationError, whole: str = "body") -> str:
    """The first thing that is wrong and where; `whole` names the thing itself."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"[:200]


def storable(value: Any, *, longest: int | None = None, depth: int = 0) -> Any:
    """A copy that PostgreSQL and JSON writers take: no NUL, no half emoji, texts cut at `longest`.

    Raises UnreadableError for what is nested too deeply.
    """
    if depth > DEEPEST:
        raise UnreadableError("nested too deeply")
    if isinstance(value, str):
        return _text(value[:longest])
    if isinstance(value, list):
        return [
            item if type(item) in _PLAIN else storable(item, longest=longest, depth=depth + 1)
            for item in value
        ]
    if isinstance(value, dict):
        return {
            _text(key): item if type(item) in _PLAIN else storable(item, longest=longest, depth=depth + 1)
            for key, item in value.items()
        }
    return value


def _text(text: str) -> str:
    return text if text.isascii() and NUL not in text else without_surrogates(without_nul(text))
